"""A run as a job, its commands played by small ones."""

import json
import signal
import subprocess
import sys

import pytest

from fulgurite.batches import job
from fulgurite.batches.job import as_words, job_name, main, outcome_of, run, run_or_raise
from fulgurite.batches.plan import Plan


@pytest.fixture
def play(tasks, monkeypatch):
    """Run a job whose commands are shell commands, and return which were begun, and its status."""
    logs = []
    before = {number: signal.getsignal(number) for number in job.NAMES}

    def of(*texts):
        begun, logs[:] = [], []

        def begin(words, log, **how):
            begun.append(words)
            logs.append(log)
            how = {key: value for key, value in how.items() if key != "preexec_fn"}
            return subprocess.Popen(["bash", "-c", words], **how)

        monkeypatch.setattr(job, "commands_of", lambda task: [*texts])
        monkeypatch.setattr(job, "begin", begin)
        tasks[0].outcome.parent.mkdir(parents=True, exist_ok=True)
        return begun, run(tasks[0])

    of.logs = logs
    yield of
    for number, handler in before.items():
        signal.signal(number, handler)


def test_all_commands_are_run_and_the_status_is_left(play, tasks):
    assert play("true", "exit 0") == (["true", "exit 0"], 0)
    assert outcome_of(tasks[0]) == 0


def test_a_failure_is_the_last(play, tasks):
    assert play("exit 2", "true") == (["exit 2"], 2)
    assert outcome_of(tasks[0]) == 2
    with pytest.raises(RuntimeError, match=r"has ended with status 2; .*seed=0\.log tells why"):
        run_or_raise(tasks[0])


@pytest.mark.parametrize(("can_test", "begun"), [("false", 1), ("true", 2)])
def test_nothing_is_tested_where_the_data_hold_nothing_for_it(play, tasks, can_test, begun):
    tasks[0].run.mkdir(parents=True)
    train = f"""echo '{{"finished": true, "can_test": {can_test}}}' > {tasks[0].run}/training.json"""
    assert play(train, "exit 3") == ([train, "exit 3"][:begun], 3 if begun == 2 else 0)


def test_a_signal_lets_the_command_end_and_no_other_begin(play, tasks):
    begun, status = play("kill -TERM $PPID; sleep 0.1", "true")
    assert (len(begun), status) == (1, 143)


def test_a_job_whose_time_is_up_between_two_commands_goes_back_into_the_queue(play, monkeypatch):
    asked = []
    monkeypatch.setattr(job, "requeue", lambda: asked.append("requeue") or "")
    assert play("kill -USR1 $PPID; sleep 0.1", "true")[1] == 138
    assert asked == ["requeue"]
    assert play("kill -USR1 $PPID; sleep 0.1; exit 138", "true")[1] == 138  # it has done so itself
    assert asked == ["requeue"]


def test_only_the_first_process_of_a_job_leaves_a_word(play, tasks, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    assert play("true")[1] == 0
    assert outcome_of(tasks[0]) is None
    assert play.logs == [None]


def test_a_job_is_named_by_its_folder_and_carries_its_task(tasks, monkeypatch, tmp_path):
    assert job_name(tasks[0]).startswith("tiny/seed=0@")
    assert job_name(tasks[0]) == job_name(Plan(["tiny.yaml"]).tasks()[0])
    assert len({job_name(task) for task in [*tasks, Plan(["tiny.yaml"], root="other").tasks()[0]]}) == 3
    assert len(job_name(Plan(["tiny.yaml"], choices={f"model.{'x' * 90}": [1]}).tasks()[0])) < 120
    told = []
    monkeypatch.setattr(job, "run", lambda task: told.append(task) or 3)
    task = Plan(["tiny.yaml"], ["small.yaml"], choices={"model.size": [[64, 64]]}).tasks()[0]
    assert as_words(task)[:3] == [sys.executable, "-m", "fulgurite.batches.job"]
    with pytest.raises(SystemExit, match="3"):
        main(as_words(task)[3:])
    assert told == [task]
    assert json.loads(as_words(task)[3])["configs"] == ["tiny.yaml", "small.yaml"]

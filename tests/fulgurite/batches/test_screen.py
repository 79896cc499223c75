"""The table of a batch, as it is drawn at a moment."""

import io
import time
from types import SimpleNamespace

import pytest
from rich.console import Console

from fulgurite.batches.engine import State
from fulgurite.batches.follow import Work
from fulgurite.batches.screen import Screen, time_left
from fulgurite.batches.state import DONE, TRAIN


@pytest.fixture
def drawn(tasks):
    """Draw a batch of a run that is over, and one in a state; at the end of a block that has raised something."""

    def draw(outlives, state, kind=None, width=80):
        now = time.monotonic()
        works = [
            Work(tasks[0], DONE, State("ended", status=0), now - 100, now),
            Work(tasks[1], TRAIN, state, now - state.seconds if state.seconds else None),
        ]
        engine = SimpleNamespace(outlives=outlives, slots=None if outlives else 1, log=lambda task: task.log)
        screen = Screen(works, engine)
        screen._console = Console(width=width, record=True, file=io.StringIO())
        screen.__exit__(kind)
        return screen._console.export_text()

    return draw


def test_what_runs_and_what_waits_is_told_with_the_time_that_is_left(drawn):
    text = drawn(False, State("running", seconds=40))
    assert "training" in text
    assert "1 of 2 runs over, about 1 min 00 s left" in text
    assert "waiting" in drawn(False, State("queued"))
    text = drawn(True, State("queued", "job 12 (Priority)"))
    assert "queued, job 12 (Priority)" in text
    assert "about 1 min 40 s left" in text
    assert max(map(len, text.splitlines())) <= 80


def test_after_ctrl_c_a_run_of_this_machine_is_broken_off_and_one_of_a_cluster_is_not(drawn):
    text = drawn(False, State("running", seconds=40), KeyboardInterrupt)
    assert "broken off" in text
    assert "1 of 2 runs over\n" in "\n".join(line.strip() for line in text.splitlines()) + "\n"
    text = drawn(True, State("running", "job 12", seconds=40), KeyboardInterrupt)
    assert "training, job 12" in text
    assert "left" in text


def test_why_a_run_was_not_tested_is_told(drawn, tasks):
    tasks[0].run.mkdir(parents=True)
    (tasks[0].run / "training.json").write_text('{"can_test": false}')
    assert "done, nothing to test on" in drawn(False, State("queued"))


def test_the_last_second_is_not_counted():
    now = time.monotonic()
    jobs = [SimpleNamespace(began=now - 10, ended=now), SimpleNamespace(began=now - 30, ended=None)]
    assert time_left(jobs, 1, 1) == ", nearly all done"
    assert time_left(jobs, 2, 1) == ", about 10 s left"
    assert time_left(jobs[1:], 1, 1) == ""


def test_no_end_of_a_long_name_is_lost(drawn):
    text = drawn(False, State("running", seconds=40), width=40)
    assert "…" not in text
    names = "".join(line[1:].partition("│")[0].strip() for line in text.splitlines() if line.startswith("│"))
    assert names == "tiny/seed=1tiny/seed=0"

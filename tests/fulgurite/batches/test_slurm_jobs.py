"""Jobs of SLURM with programs that only keep a list; test_slurm_cluster.py has a real one."""

import pickle

import pytest

from datamodules.errors import InputError
from fulgurite.batches import slurm_jobs
from fulgurite.batches.job import job_name, run_or_raise
from fulgurite.batches.slurm_jobs import SlurmJobs, seconds

pytest.importorskip("submitit", reason="the extra slurm is not installed")


def test_a_job_says_what_was_given_and_nothing_of_submitits_own(slurm, tasks):
    engine = SlurmJobs({"partition": "gpu", "time": "4:00:00", "gpus-per-node": "2", "exclusive": "true"}, tasks)
    engine.submit(tasks[0])
    script = (slurm.folder / "scripts/1").read_text()
    for line in ("partition=gpu", "time=4:00:00", "gpus-per-node=2", "exclusive", "requeue", "signal=USR1@90"):
        assert f"#SBATCH --{line}\n" in script
    assert f"#SBATCH --job-name={job_name(tasks[0])}\n" in script
    assert "wckey" not in script
    SlurmJobs({}, tasks).submit(tasks[1])
    assert "--time" not in (slurm.folder / "scripts/2").read_text()
    held = pickle.loads((tasks[0].root / ".slurm/1_submitted.pkl").read_bytes())
    assert (held.function, held.args) == (run_or_raise, (tasks[0],))


def test_a_job_is_followed_through_its_states_by_whoever_looks(slurm, tasks):
    SlurmJobs({}, tasks).submit(tasks[0])
    engine, run = SlurmJobs({}, tasks), tasks[0].run
    state = engine.states()[run]
    assert (state.place, state.says) == ("queued", "job 1 (Priority)")
    slurm.tell(1, "RUNNING")
    state = engine.states()[run]
    assert (state.place, state.seconds) == ("running", 65)
    slurm.tell(1, "COMPLETING")
    assert engine.states()[run].place == "running"
    (slurm.folder / "jobs/1").unlink()
    assert engine.states()[run].status is None
    assert engine.log(tasks[0]) == tasks[0].root / ".slurm/1_0_log.out"
    tasks[0].outcome.parent.mkdir(parents=True)
    tasks[0].outcome.write_text("2\n")
    assert engine.states()[run].status == 2
    assert engine.log(tasks[0]) == tasks[0].log
    assert [*engine.states()] == [run]  # the other was never handed over
    assert SlurmJobs({}, tasks).states() == {}


def test_a_job_is_cancelled(slurm, tasks):
    engine = SlurmJobs({}, tasks)
    engine.submit(tasks[0])
    engine.states()
    engine.cancel(tasks[0])
    assert [*(slurm.folder / "jobs").iterdir()] == []


def test_what_sbatch_refuses_is_said_in_its_words(slurm, tasks):
    (slurm.folder / "refuse").touch()
    with pytest.raises(InputError, match=r"sbatch refuses seed=0: invalid partition specified: nowhere\. Give"):
        SlurmJobs({}, tasks).submit(tasks[0])


def test_a_controller_may_be_away_for_a_while_but_not_from_the_beginning(slurm, tasks, monkeypatch):
    engine = SlurmJobs({}, tasks)
    engine.submit(tasks[0])
    before = engine.states()
    (slurm.folder / "down").touch()
    assert engine.states() == before
    with pytest.raises(InputError, match=r"squeue does not answer .*Unable to contact slurm controller"):
        SlurmJobs({}, tasks).states()
    monkeypatch.setattr(slurm_jobs, "PATIENCE", -1)
    with pytest.raises(InputError, match="jobs that were handed over go on"):
        engine.states()


def test_what_a_batch_sets_itself_and_a_machine_without_sbatch_are_refused(tasks, monkeypatch, tmp_path):
    with pytest.raises(InputError, match="--slurm job-name=x: a batch sets this itself"):
        SlurmJobs({"job-name": "x"}, tasks)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=r"this machine has no sbatch.*login node"):
        SlurmJobs({}, tasks)


@pytest.mark.parametrize(
    ("text", "number"), [("3:04", 184), ("02:03:04", 7384), ("1-02:03:04", 93784), ("INVALID", 0), ("0:00", 0)]
)
def test_times_are_read(text, number):
    assert seconds(text) == number


def test_ctrl_c_leaves_the_jobs_and_says_how_to_go_on(slurm, batch, capsys, monkeypatch):
    monkeypatch.setattr(SlurmJobs, "look", 0.01)
    (slurm.folder / "interrupt").touch()
    assert batch("--on", "slurm", "--seeds", "0,1") == 130
    said = capsys.readouterr()
    assert "tiny/seed=0: queued, job 1 (Priority)" in said.out
    assert (
        "The jobs go on without this screen. The same command follows them, and ends them with --cancel: " in said.err
    )
    assert "lightning batch tiny.yaml --on slurm --seeds 0,1" in said.err
    (slurm.folder / "interrupt").unlink()
    assert batch("--on", "slurm", "--seeds", "0,1", "--dry-run") == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith("seed=1: train (queued, job 2 (Priority))")
    assert batch("--on", "slurm", "--seeds", "0,1", "--cancel") == 0
    assert capsys.readouterr().out.splitlines() == ["tiny/seed=0: cancelled", "tiny/seed=1: cancelled"]
    assert len([*(slurm.folder / "scripts").iterdir()]) == 2
    assert batch("--on", "slurm", "--cancel") == 0
    assert "none of these runs is queued or running" in capsys.readouterr().out

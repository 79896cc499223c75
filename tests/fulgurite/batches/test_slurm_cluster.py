"""Batches on a real SLURM of one node."""

import json
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import torch

from fulgurite.batches.slurm_jobs import SlurmJobs
from fulgurite.cli import main
from tests.fulgurite.batches.clusters import slurm_cluster, why_no_slurm

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(280),
    pytest.mark.skipif(why_no_slurm() is not None, reason=str(why_no_slurm())),
]


@pytest.fixture
def cluster(monkeypatch):
    """Its folder is outside of pytest's, whose long path is more than a socket's name can hold."""
    monkeypatch.setattr(SlurmJobs, "look", 0.2)
    with TemporaryDirectory(prefix="slurm-", ignore_cleanup_errors=True) as folder, slurm_cluster(Path(folder)) as conf:
        yield conf


def weights(run):
    return torch.load(run / "checkpoints/last.ckpt", weights_only=True)["state_dict"]


def test_a_batch_is_done_as_jobs_and_a_failure_is_told(cluster, batch, tmp_path, capsys):
    assert batch("--on", "slurm", "--set", "model.width=-1,2") == 1
    said = capsys.readouterr()
    good = tmp_path / "runs/tiny/width=2+seed=0"
    assert json.loads((good / "training.json").read_text())["finished"] is True
    assert "tiny/width=2+seed=0: done" in said.out
    assert "tiny/width=-1+seed=0: failed (2): runs/tiny/width=-1+seed=0.log" in said.out
    assert "width = -1: give a positive number" in said.err
    assert batch("--on", "slurm", "--slurm", "partition=nowhere", "--seeds", "3") == 2
    assert "sbatch refuses seed=3: " in capsys.readouterr().err


def test_a_job_that_is_requeued_goes_on_exactly_and_is_never_handed_over_twice(cluster, batch, tmp_path, capsys):
    words = ["--set", "trainer.max_epochs=40"]
    run = tmp_path / "runs/tiny/max_epochs=40+seed=0"
    requeued = []

    def watch(engine, before=SlurmJobs.states):
        states = before(engine)
        if not requeued and (run / "checkpoints/last.ckpt").is_file():
            (number,) = engine._ids.values()
            subprocess.run(["scontrol", "requeue", number], check=True)
            requeued.append(number)
        if any("BeginTime" in state.says for state in states.values()):  # it waits two minutes by itself
            subprocess.run(["scontrol", "update", f"JobId={requeued[0]}", "StartTime=now"], check=True)
        return states

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SlurmJobs, "states", watch)
        assert batch("--on", "slurm", *words) == 0
    assert requeued
    assert len([*(tmp_path / "runs/.slurm").glob("*_submission.sh")]) == 1
    commands = [line for line in run.with_name(f"{run.name}.log").read_text().splitlines() if line.startswith("$ ")]
    assert ["--ckpt_path last" in line for line in commands] == [False, True, False]
    main(["fit", "--config", "tiny.yaml", "--trainer.max_epochs", "40", "--run.root", "whole"])
    whole = weights(tmp_path / "whole/tiny/latest")
    assert all(torch.equal(value, whole[name]) for name, value in weights(run).items())

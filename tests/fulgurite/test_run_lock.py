"""One training at a time in a run folder, held by the real command and by processes that are killed."""

import csv
import multiprocessing
import os
import resource
import shutil
import signal
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from callbacks import Checkpoints
from datamodules.errors import InputError
from fulgurite import runs
from fulgurite.cli import main
from fulgurite.run_lock import RunLock

FORKED = multiprocessing.get_context("fork")


def hold(run, started):
    """Train in ``run`` with a loader process, whose number is sent once the lock is held."""
    lock = RunLock(run)
    lock.acquire()
    worker = FORKED.Process(target=time.sleep, args=(60,))
    worker.start()
    started.send(worker.pid)
    time.sleep(60)


@contextmanager
def held(run):
    """Another process, with a loader process of its own, that trains in ``run``."""
    here, there = FORKED.Pipe()
    process = FORKED.Process(target=hold, args=(run, there))
    process.start()
    worker = here.recv()
    try:
        yield process
    finally:
        process.kill()
        process.join()
        os.kill(worker, signal.SIGKILL)


@pytest.fixture
def holder(tmp_path):
    (tmp_path / "run").mkdir()
    with held(tmp_path / "run") as process:
        yield process


def test_a_second_training_is_refused_with_the_name_of_the_first(holder, tmp_path):
    with pytest.raises(InputError, match=rf"{tmp_path}/run is being trained by process {holder.pid} on \S+, since "):
        RunLock(tmp_path / "run").acquire()
    with pytest.raises(InputError, match="is being trained by process"):
        runs.create_run(tmp_path, "run")  # it has only just begun, and holds no checkpoint yet


def test_a_killed_training_holds_nothing_even_where_its_loaders_live_on(holder, tmp_path):
    holder.kill()
    holder.join()
    lock = RunLock(tmp_path / "run")
    lock.acquire()
    lock.release()


def test_a_folder_that_cannot_be_written(tmp_path):
    with pytest.raises(InputError, match=r"run\.root: cannot write into .* \(No such file or directory\)"):
        RunLock(tmp_path / "none").acquire()


def test_the_command_holds_the_lock_while_it_trains(fit, capsys):
    run = fit("--run.name", "a", "--trainer.max_epochs", "1")
    told = (run / ".lock").read_text()
    assert told.startswith(f"process {os.getpid()} on ")
    before = (run / "metrics.csv").read_bytes()
    with held(run) as holder:
        with pytest.raises(SystemExit) as end:
            main(["fit", "--config", "tiny.yaml", "--run.name", "a", "--ckpt_path", "last"])
        assert end.value.code == 2
        assert f"is being trained by process {holder.pid}" in capsys.readouterr().err
        assert (run / "metrics.csv").read_bytes() == before
    fit("--run.name", "a", "--ckpt_path", "last", "--trainer.max_epochs", "2")


@pytest.mark.slow
def test_a_run_that_ended_before_its_first_checkpoint_begins_anew(fit, capsys):
    with pytest.raises(SystemExit):
        fit("--run.name", "a", "--data.source", "worker", "--data.num_workers", "1")
    capsys.readouterr()
    assert (Path("runs/tiny/a") / "config.yaml").is_file()
    fit("--run.name", "a")
    assert "ended before its first checkpoint; what it left is now a.unfinished-1" in capsys.readouterr().err
    assert sorted(path.name for path in Path("runs/tiny").iterdir()) == ["a", "a.unfinished-1", "latest"]
    with pytest.raises(SystemExit):
        fit("--run.name", "a")
    assert "go on with it by --run.name a --ckpt_path last" in capsys.readouterr().err


def test_an_empty_folder_is_taken_and_a_foreign_one_is_not(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty/.lock").touch()
    assert list(runs.create_run(tmp_path, "empty").iterdir()) == []
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/novel.txt").touch()
    with pytest.raises(InputError, match="exists already"):
        runs.create_run(tmp_path, "mine")
    assert [path.name for path in tmp_path.iterdir() if "mine" in path.name] == ["mine"]


@pytest.mark.parametrize("left", [[".lock", ".tmp-1-2"], [".lock", "wandb_run.json"], [".tmp-1-2"]])
def test_what_a_training_left_that_failed_at_once_is_no_run(left, tmp_path, capsys):
    (tmp_path / "a").mkdir()
    for name in left:
        (tmp_path / "a" / name).touch()
    assert list(runs.create_run(tmp_path, "a").iterdir()) == []
    aside = [path.name for path in tmp_path.iterdir() if path.name != "a"]
    assert aside == (["a.unfinished-1"] if "wandb_run.json" in left else [])


def test_a_full_disk_is_told_when_the_lock_is_taken(tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    lock = RunLock(tmp_path)
    try:
        with pytest.raises(InputError, match=r"run\.root: cannot write into .* \(File too large\)"):
            lock.acquire()
        lock.release()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    lock.acquire()
    assert f"process {os.getpid()} on " in (tmp_path / RunLock.file).read_text()
    lock.release()


def test_a_run_whose_folder_is_deleted_after_the_last_batch_keeps_its_weights(fit, recwarn, monkeypatch):
    def deleted(self, trainer):
        save(self, trainer)
        if trainer.current_epoch == 1 and not deleted_already:
            deleted_already.append(shutil.rmtree(trainer.default_root_dir))

    save, deleted_already = Checkpoints.save_last, []
    monkeypatch.setattr(Checkpoints, "save_last", deleted)
    run = fit()
    assert deleted_already
    assert any("was deleted while it was being trained" in str(warning.message) for warning in recwarn)
    assert {"config.yaml", "checkpoints", ".lock"} <= {path.name for path in run.iterdir()}
    assert (run / "checkpoints/last.ckpt").is_file()


def test_a_run_whose_folder_is_deleted_goes_on_in_a_new_one(fit, recwarn):
    run = fit("--model.deletes_run_at", "3", "--trainer.max_epochs", "4")
    assert any("was deleted while it was being trained" in str(warning.message) for warning in recwarn)
    assert {"config.yaml", "metrics.csv", "checkpoints", ".lock"} <= {path.name for path in run.iterdir()}
    rows = list(csv.DictReader((run / "metrics.csv").open()))
    assert [row["step"] for row in rows if row["train/loss"]] == ["3", "4", "5", "6", "7", "8"]
    assert {path.name for path in (run / "checkpoints").iterdir()} >= {"best.ckpt", "last.ckpt"}
    fit("--ckpt_path", "last", "--trainer.max_epochs", "5")

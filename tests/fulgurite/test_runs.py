import errno
import os
import shutil
import threading
from pathlib import Path

import pytest
from torch.distributed import TCPStore

from datamodules.errors import InputError
from fulgurite import launch, runs
from fulgurite.runs import RunSettings


@pytest.fixture(autouse=True)
def _alone(monkeypatch, tmp_path):
    for name in (
        "RANK",
        "LOCAL_RANK",
        "NODE_RANK",
        "SLURM_NTASKS",
        "TORCHELASTIC_USE_AGENT_STORE",
        launch.RUN_VARIABLE,
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def place(verb="fit", which=None, config="exp.yaml", **settings):
    resolve = lambda run, name: run / "checkpoints" / f"{name}.ckpt"  # noqa: E731
    return launch.place(verb, RunSettings(**settings), which, [Path(config)] if config else [], resolve)


def run_with(folder, begun, *checkpoints):
    """A run that was begun at a time and has these checkpoints."""
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "config.yaml").touch()
    os.utime(folder / "config.yaml", (begun, begun))
    for name in checkpoints:
        (folder / f"checkpoints/{name}.ckpt").touch()
    return folder


def finished(folder):
    """A run that has been trained."""
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "config.yaml").touch()
    (folder / "checkpoints/last.ckpt").touch()
    runs.point_latest(folder)
    return folder.resolve()


def test_names_are_unique_within_a_second(monkeypatch, tmp_path):
    monkeypatch.setattr(runs, "timestamp", lambda: "now")
    made = [runs.create_run(tmp_path / "exp", None).name for _ in range(3)]
    assert made == ["now", "now-2", "now-3"]


def test_latest_points_at_the_newest(tmp_path):
    for name in ("a", "b"):
        runs.point_latest(runs.create_run(tmp_path, name))
    assert (tmp_path / "latest").resolve() == tmp_path / "b"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b", "latest"]


def test_latest_leads_to_the_newest_run_that_can_be_used(tmp_path):
    link = tmp_path / "latest"
    assert runs.renew_latest(tmp_path) is None
    run_with(tmp_path / "broken-off", 1)
    assert runs.renew_latest(tmp_path).name == link.readlink().name == "broken-off"
    run_with(tmp_path / "asked-to-end", 0, "last")
    assert runs.renew_latest(tmp_path).name == "asked-to-end"  # it can be gone on with
    run_with(tmp_path / "good", 2, "best", "last")
    run_with(tmp_path / "a-better", 3, "best", "last")
    run_with(tmp_path / "later", 4, "last")
    run_with(tmp_path / "last-of-all", 5)
    run_with(tmp_path / ".tmp-1-2", 6, "best")  # is being removed
    assert runs.renew_latest(tmp_path).name == link.readlink().name == "a-better"
    shutil.rmtree(tmp_path / "a-better")
    assert runs.renew_latest(tmp_path).name == link.readlink().name == "good"
    for run in list(tmp_path.glob("*/config.yaml")):
        shutil.rmtree(run.parent, ignore_errors=True)  # latest is one of them
    assert runs.renew_latest(tmp_path) is None
    assert not link.is_symlink()


def test_a_link_that_leads_there_already_is_left(tmp_path, monkeypatch):
    run_with(tmp_path / "a", 1, "best")
    runs.renew_latest(tmp_path)
    monkeypatch.setattr(runs, "point_latest", None)
    assert runs.renew_latest(tmp_path).name == "a"


def test_latest_that_cannot_be_written_is_told(tmp_path, monkeypatch):
    def fails(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "symlink_to", fails)
    with pytest.raises(InputError, match="latest cannot be written: No space left on device"):
        runs.point_latest(runs.create_run(tmp_path, "a"))


@pytest.mark.parametrize(("config", "expected"), [("dir/exp.yaml", "exp"), (None, "unnamed")])
def test_experiment_is_the_stem_of_the_first_config(config, expected):
    assert place(config=config).run.parent == Path("runs").absolute() / expected


def test_settings_name_the_folder():
    made = place(root="elsewhere", experiment="e", name="n")
    assert made.run == Path("elsewhere/e/n").absolute()
    assert made.is_new


def test_a_saved_config_belongs_to_its_run():
    run, newer = finished(Path("runs/exp/one")), finished(Path("runs/exp/two"))
    config = str(run / "config.yaml")
    assert place("test", "last", config).run == run
    assert place("test", "last").run == newer
    assert place("fit", None, config).run.parent == run.parent


def test_fit_from_a_checkpoint():
    run = finished(Path("runs/exp/one"))
    last = place("fit", "last")
    assert (last.run, last.is_new) == (run, False)
    for which in ("best", str(run / "checkpoints/last.ckpt")):
        made = place("fit", which)
        assert made.is_new
        assert made.checkpoint.parent == run / "checkpoints"


def test_a_foreign_checkpoint_gets_a_folder_of_its_own(tmp_path):
    (tmp_path / "given.ckpt").touch()
    made = place("test", "given.ckpt")
    assert made.is_new
    assert made.checkpoint == tmp_path / "given.ckpt"


def test_an_existing_name_is_refused():
    finished(Path("runs/exp/n"))
    with pytest.raises(InputError, match="--ckpt_path last"):
        place(name="n")


def test_runs_there_are_listed():
    finished(Path("runs/exp/one"))
    with pytest.raises(InputError, match="Runs there: one"):
        place("test", "best", name="two")


def test_the_newest_run_that_was_deleted_is_told_from_none():
    finished(Path("runs/exp/one"))
    shutil.rmtree(finished(Path("runs/exp/two")))
    with pytest.raises(InputError, match=r"latest leads to no run any more\. Name one by --run\.name: one$"):
        place("test", "best")


def test_a_folder_that_cannot_be_made():
    Path("runs").touch()
    with pytest.raises(InputError, match=r"run\.root"):
        place()


def test_lightnings_other_processes_take_the_folder_they_are_handed(monkeypatch, tmp_path):
    monkeypatch.setenv(launch.RUN_VARIABLE, str(tmp_path / "handed"))
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert place() == launch.Place(tmp_path / "handed")


def test_slurm_tasks_share_a_name_and_keep_it_after_a_requeue(monkeypatch):
    for name, value in {"SLURM_NTASKS": "2", "SLURM_JOB_ID": "7", "SLURM_STEP_ID": "0", "SLURM_PROCID": "0"}.items():
        monkeypatch.setenv(name, value)
    first = place()
    assert (first.run.name, first.is_new) == ("slurm-7.0", True)
    monkeypatch.setenv("SLURM_PROCID", "1")
    assert place() == launch.Place(first.run)
    monkeypatch.setenv("SLURM_PROCID", "0")
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    assert place() == launch.Place(first.run)  # it had not come to its first checkpoint
    finished(first.run)
    for number in ("0", "1"):
        monkeypatch.setenv("SLURM_PROCID", number)
        assert place() == launch.Place(first.run, first.run / "checkpoints/last.ckpt")


def test_machines_that_cannot_agree_need_a_name(monkeypatch):
    monkeypatch.setenv("NODE_RANK", "1")
    with pytest.raises(InputError, match=r"--run\.name"):
        place()
    assert place(name="n").run.name == "n"


def test_torchruns_processes_agree_through_its_store(monkeypatch):
    server = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    environment = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(server.port), "TORCHELASTIC_USE_AGENT_STORE": "True"}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("RANK", "0")
    first = place()
    monkeypatch.setenv("RANK", "1")
    assert place() == launch.Place(first.run)


def test_torchruns_other_processes_end_where_the_first_fails(monkeypatch):
    server = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    for name, value in {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(server.port), "RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TORCHELASTIC_USE_AGENT_STORE", "True")
    Path("runs").touch()
    with pytest.raises(InputError):
        place()
    monkeypatch.setenv("RANK", "1")
    with pytest.raises(SystemExit):
        place()


def test_only_what_never_held_a_run_is_forgotten(tmp_path):
    empty, failed, used = (runs.create_run(tmp_path, name) for name in ("empty", "failed", "used"))
    (failed / "file").touch()
    (used / "config.yaml").touch()
    runs.forget_unused(failed, failed=False)
    assert failed.exists()
    for run in (empty, failed, used):
        runs.forget_unused(run, failed=True)
    assert [p.name for p in tmp_path.iterdir()] == ["used"]


def test_two_runs_at_once(tmp_path):
    made = []
    threads = [threading.Thread(target=lambda: made.append(runs.create_run(tmp_path, None))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 8

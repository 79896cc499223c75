import errno
import json
import os
import socket
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest
import torch
import wandb
import yaml
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.loggers import WandbLogger
from torch.utils.data import DataLoader

from callbacks import WandbRun
from callbacks.training_record import TrainingRecord
from callbacks.wandb_logger import BatchesLogger, send, show
from callbacks.wandb_mode import wandb_mode
from datamodules.errors import InputError
from tests.wandb_file import wandb_files


@pytest.fixture(autouse=True)
def nobody_logged_in(monkeypatch, tmp_path):
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path))
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


class Tiny(LightningModule):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))

    def training_step(self, batch, batch_idx):
        loss = self.weight * 1.0
        self.log("train/loss", loss)
        return loss

    def on_train_end(self):
        picture = np.zeros((8, 8, 3), np.uint8)
        path = f"{self.trainer.default_root_dir}/panel.png"
        cv2.imwrite(path, picture)
        show(self.trainer, "media/panel", Path(path))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1.0)


def fit(folder, mode="auto", callbacks=(), artifacts=True, **kwargs):
    folder.mkdir(exist_ok=True)
    (folder / "config.yaml").write_text(yaml.safe_dump({"model": {"ngf": 7}}))
    run = Trainer(
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
        callbacks=[*callbacks, WandbRun(mode=mode, artifacts=artifacts)],
        max_epochs=1,
        log_every_n_steps=1,
        **kwargs,
    )
    run.fit(Tiny(), DataLoader(torch.zeros(3, 1)))
    return run


def test_offline_run_is_kept_in_the_run_folder_over_batches(tmp_path, monkeypatch):
    """Without a key and without a network: any connection but to the own machine is an error."""
    connect = socket.socket.connect

    def local_only(self, address):
        assert self.family == socket.AF_UNIX or address[0] in ("127.0.0.1", "localhost"), address
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", local_only)
    fit(tmp_path / "run")
    assert os.environ["WANDB_ERROR_REPORTING"] == "false"
    (found,) = wandb_files(tmp_path / "run")
    assert found.batches("train/loss") == [1, 2, 3]
    assert found.batches("media/panel") == [3]
    assert "trainer/global_step" not in found.names()
    assert any(metric.glob_name == "*" and metric.step_metric == "batches" for metric in found.definitions)
    assert found.config["model"] == {"ngf": 7}


def test_a_resumed_run_keeps_its_number(tmp_path, monkeypatch):
    seen = []

    class Fake:
        settings = SimpleNamespace(sync_dir="wandb/offline-run-1")

        def __getattr__(self, name):
            return lambda *args, **kwargs: None

    def init(**settings):
        seen.append(settings)
        return Fake()

    monkeypatch.setattr(wandb, "init", init)
    for name in ("a", "a", "b"):
        (tmp_path / name).mkdir(exist_ok=True)
        trainer = Trainer(accelerator="cpu", logger=False, default_root_dir=tmp_path / name)
        WandbRun().setup(trainer, Tiny(), "fit")
    first, again, other = seen
    assert first["id"] == again["id"] != other["id"]
    assert first["mode"] == "offline"
    assert first["dir"] == tmp_path / "a"
    assert (first["group"], first["job_type"]) == (tmp_path.name, "fit")
    assert json.loads((tmp_path / "a/wandb_run.json").read_text())["trainings"] == ["offline-run-1"] * 2


def test_a_run_of_a_sweep_has_the_number_and_the_project_of_its_agent(tmp_path, monkeypatch):
    wandb.teardown()
    for name, value in (("SWEEP_ID", "abc"), ("RUN_ID", "agents"), ("PROJECT", "theirs")):
        monkeypatch.setenv(f"WANDB_{name}", value)
    try:
        fit(tmp_path / "a")
    finally:
        wandb.teardown()
    known = json.loads((tmp_path / "a/wandb_run.json").read_text())
    assert (known["id"], known["project"]) == ("agents", "theirs")


@pytest.mark.parametrize(
    ("key", "variable", "asked", "expected"),
    [
        (False, None, "auto", "offline"),
        (True, None, "auto", "online"),
        (True, None, "offline", "offline"),
        (True, None, "online", "online"),
        (True, "offline", "auto", "offline"),
        (True, "dryrun", "auto", "offline"),  # W&B's older word for it
        (True, "run", "auto", "online"),
        (True, "disabled", "offline", "offline"),
        (True, None, "disabled", None),
        (False, "disabled", "auto", None),
    ],
)
def test_online_only_for_those_who_have_logged_in(tmp_path, monkeypatch, key, variable, asked, expected):
    if key:
        (tmp_path / "netrc").write_text("machine api.wandb.ai login user password secret")
    if variable:
        monkeypatch.setenv("WANDB_MODE", variable)
    opened = []
    monkeypatch.setattr(WandbRun, "_open", lambda self, folder, mode: opened.append(mode))
    trainer = Trainer(accelerator="cpu", logger=False, default_root_dir=tmp_path)
    WandbRun(mode=asked).setup(trainer, Tiny(), "fit")
    assert opened == ([expected] if expected else [])


def test_online_without_a_key_is_refused(monkeypatch):
    with pytest.raises(InputError, match="wandb login"):
        WandbRun(mode="online")
    monkeypatch.setenv("WANDB_MODE", "online")
    with pytest.raises(InputError, match="WANDB_MODE: online needs a key: run `wandb login`"):
        wandb_mode("auto")


@pytest.mark.parametrize("server", [None, "https://wandb.example.com:8080"])
def test_the_key_of_the_server_that_wandb_would_call_counts(server, tmp_path, monkeypatch):
    if server:
        (tmp_path / "settings").write_text(f"[default]\nbase_url = {server}\n")  # as `wandb login --host` does
    host = urlsplit(server or wandb.Settings().base_url).netloc
    (tmp_path / "netrc").write_text("machine elsewhere.org login user password secret")
    assert wandb_mode("auto") == "offline"
    (tmp_path / "netrc").write_text(f"machine {host} login user password secret")
    assert wandb_mode("auto") == "online"


@pytest.mark.parametrize("word", ["offline", "disabled"])
def test_what_the_command_of_wandb_wrote_counts(word, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "secret")
    assert wandb_mode("auto") == "online"
    (tmp_path / "settings").write_text(f"[default]\nmode = {word}\n")
    assert wandb_mode("auto") == word
    with pytest.raises(InputError, match=f"wandb.mode: online, but what `wandb offline` .* says {word}"):
        WandbRun(mode="online")


def test_a_mode_that_wandb_does_not_know_is_refused(monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "Offline")
    with pytest.raises(InputError, match="WANDB_MODE = Offline: W&B has no such mode; write online, run"):
        wandb_mode("auto")


def test_a_server_that_cannot_be_reached_lets_the_run_go_on_offline(tmp_path, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    for name, value in {"BASE_URL": f"http://127.0.0.1:{port}", "API_KEY": "a" * 40, "INIT_TIMEOUT": "1"}.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    wandb.teardown()  # which remembers the variables of the first run in this process
    with pytest.warns(UserWarning, match=r"W&B cannot be used \(.*refused.*The run goes on offline"):
        fit(tmp_path / "run")
    assert len([*tmp_path.glob("run/wandb/offline-run-*/run-*.wandb")]) == 1


def test_a_logger_of_the_users_own_takes_its_place(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "secret")
    monkeypatch.setattr(WandbRun, "_open", lambda *_: pytest.fail("a second run"))
    own = WandbLogger(offline=True, save_dir=tmp_path)
    trainer = Trainer(accelerator="cpu", logger=own, default_root_dir=tmp_path, callbacks=[WandbRun()])
    trainer.callbacks[0].setup(trainer, Tiny(), "fit")
    assert trainer.loggers == [own]


def test_a_training_survives_the_process_of_wandb():
    class Ended:
        def log(self, metrics):
            raise ConnectionResetError("Connection lost")

    logger = BatchesLogger(experiment=Ended())
    with pytest.warns(UserWarning, match=r"has ended \(Connection lost\), and nothing more is logged"):
        logger.log_metrics({"a": 1.0}, 0)
    logger.log_metrics({"a": 1.0}, 1)
    assert logger.gone


def test_what_is_shown_lies_at_the_batches_of_the_weights(tmp_path):
    class Notes(BatchesLogger):
        def __init__(self):
            self.rows = []

        def log_metrics(self, metrics, step=None):
            self.rows.append(([*metrics], step))

    cv2.imwrite(str(tmp_path / "panel.png"), np.zeros((8, 8, 3), np.uint8))
    notes, module = Notes(), SimpleNamespace(batches_seen=7)
    judging = SimpleNamespace(lightning_module=module, loggers=[notes], is_global_zero=True)  # not fit: no loop counts
    show(judging, "val/panel", tmp_path / "panel.png")
    assert notes.rows == [(["val/panel"], 7)]


def test_a_fast_dev_run_opens_nothing(tmp_path):
    fit(tmp_path, fast_dev_run=True)
    assert not (tmp_path / "wandb").exists()
    assert not (tmp_path / "wandb_run.json").exists()


@pytest.mark.parametrize(
    ("problem", "why"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (PermissionError("wandb is not writable"), "wandb is not writable"),
        (FileExistsError("wandb exists and is not a directory"), "wandb exists and is not a directory"),
    ],
)
def test_a_disk_that_cannot_hold_the_run_is_told(problem, why, tmp_path, monkeypatch):
    def fails(**_):
        raise problem

    monkeypatch.setattr(wandb, "init", fails)
    with pytest.raises(InputError, match=rf"run/wandb cannot be written: {why}\. .* --wandb\.mode disabled"):
        fit(tmp_path / "run")


def test_the_run_is_not_kept_elsewhere_in_silence(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path / "run")
    with pytest.raises(InputError, match=r"run cannot be written\. Allow writing there"):
        fit(tmp_path / "run")


class Judged(Tiny):
    """Is tested, and may break off there."""

    def __init__(self, breaks=False):
        super().__init__()
        self.breaks = breaks

    def test_step(self, batch, batch_idx):
        if self.breaks:
            raise KeyboardInterrupt
        self.log("test/score", 1.0)


def run_test(folder, model):
    trainer = Trainer(
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        default_root_dir=folder,
        callbacks=[WandbRun(mode="offline")],
    )
    trainer.test(model, DataLoader(torch.zeros(2, 1)), verbose=False)


def test_an_aborted_test_leaves_no_run(tmp_path):
    with pytest.raises(SystemExit):
        run_test(tmp_path, Judged(breaks=True))
    assert not (tmp_path / "wandb").exists()
    assert not (tmp_path / "wandb_run.json").exists()


def test_a_training_goes_on_and_is_tested_in_the_same_run(tmp_path):
    folder = tmp_path / "exp" / "run"
    folder.parent.mkdir()
    fit(folder)
    fit(folder)
    run_test(folder, Judged())
    known = json.loads((folder / "wandb_run.json").read_text())
    sittings = wandb_files(folder)
    assert {one.run.run_id for one in sittings} == {known["id"]}
    assert {(one.run.run_group, one.run.job_type) for one in sittings} == {("exp", "fit")}
    assert [one.folder.name for one in sittings[:2]] == known["trainings"]
    assert sittings[2].batches("test/score") == [0]  # weights that have seen nothing


def test_a_test_that_begins_a_run_is_its_job(tmp_path):
    run_test(tmp_path, Judged())
    (found,) = wandb_files(tmp_path)
    assert found.run.job_type == "test"
    assert json.loads((tmp_path / "wandb_run.json").read_text())["trainings"] == []
    assert "about_test" in found.config


def test_the_pace_goes_to_wandb_alone(tmp_path):
    fit(tmp_path, callbacks=[TrainingRecord()])
    (found,) = wandb_files(tmp_path)
    assert found.batches("train/samples_per_second") == found.batches("train/data_wait_share") == [1, 2, 3]
    paces = [row for row in found.rows if "train/data_wait_share" in row]
    assert all(0 <= row["train/data_wait_share"] <= 1 and row["train/samples_per_second"] > 0 for row in paces)


def test_what_waits_to_be_uploaded_stays_in_the_run_folder_unless_the_user_has_another(tmp_path, monkeypatch):
    monkeypatch.delenv("WANDB_DATA_DIR", raising=False)
    fit(tmp_path / "a")
    assert os.environ["WANDB_DATA_DIR"] == str(tmp_path / "a/wandb")
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path / "mine"))
    fit(tmp_path / "b")
    assert os.environ["WANDB_DATA_DIR"] == str(tmp_path / "mine")


def test_files_that_wandb_does_not_take_leave_the_run_to_be_closed(tmp_path, monkeypatch):
    def refused(*_):
        raise wandb.Error("invalid credentials")

    monkeypatch.setattr("callbacks.wandb_run.upload", refused)
    with pytest.warns(UserWarning, match=r"has not kept the files .* \(invalid credentials\); they are in .*run\."):
        fit(tmp_path / "run")
    (found,) = wandb_files(tmp_path / "run")  # which waits for its last record
    assert found.batches("train/loss") == [1, 2, 3]


def test_a_table_that_the_server_does_not_take_is_told_and_the_rest_is_logged():
    class Refuses:
        def __init__(self):
            self.rows, self.asked = [], 0

        def log(self, metrics):
            self.asked += 1
            if any(isinstance(value, wandb.Table) for value in metrics.values()):
                raise ValueError("1 validation error for ArtifactType")
            self.rows.append(metrics)

    run = Refuses()
    logger, module = BatchesLogger(experiment=run), SimpleNamespace(batches_seen=7)
    judging = SimpleNamespace(lightning_module=module, loggers=[logger], is_global_zero=True)
    with pytest.warns(UserWarning, match=r"W&B has not taken test/cases \(1 validation error for ArtifactType\)"):
        send(judging, "test/cases", wandb.Table(columns=["a"], data=[[1]]))
    send(judging, "test/more", wandb.Table(columns=["a"], data=[[1]]))  # it is not asked again
    logger.log_metrics({"test/score": 1.0}, step=7)
    assert (run.rows, run.asked, logger.gone) == ([{"test/score": 1.0, "batches": 7}], 2, False)


def test_artifacts_can_be_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr("callbacks.wandb_run.upload", lambda *_: pytest.fail("it was asked for none"))
    fit(tmp_path / "run", artifacts=False)

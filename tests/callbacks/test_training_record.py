import json

import pytest
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.demos.boring_classes import BoringModel

from callbacks import training_record
from callbacks.training_record import Pace, TrainingRecord
from datamodules.errors import InputError


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is moved."""
    now = [100.0]
    monkeypatch.setattr(training_record.time, "perf_counter", lambda: now[0])
    return now


def test_the_pace_leaves_out_what_lies_between(clock):
    pace = Pace()
    for wait in (1.0, 3.0):
        clock[0] += wait  # the first is not waited for by anybody who could tell
        pace.begin()
        clock[0] += 2.0
        pace.end(8)
    pace.interrupt()
    clock[0] += 1000.0
    pace.begin()
    clock[0] += 2.0
    pace.end(8)
    assert (pace.seconds, pace.waited) == (9.0, 3.0)
    assert pace.figures() == {"samples_per_second": 24 / 9, "data_wait_share": 3 / 9, "step_seconds": 2.0}
    assert Pace().figures() == {}


def test_a_damaged_record_is_told(tmp_path):
    (tmp_path / "training.json").write_text("{")
    with pytest.raises(InputError, match=r"training\.json is damaged .*; remove it"):
        training_record._earlier_seconds(tmp_path / "training.json")


def test_nothing_is_kept_in_checkpoints():
    assert TrainingRecord().state_dict() == {}


class Counting(BoringModel):
    batches_seen = 0

    def on_train_batch_end(self, outputs, batch, batch_idx):
        self.batches_seen += 1


class Watch(Callback):
    """Notes what the record says behind every validation; ends the process's training at a batch."""

    def __init__(self, path, ends_at=None):
        self.path, self.ends_at, self.seen = path, ends_at, []

    def on_validation_end(self, trainer, module):
        self.seen.append(json.loads(self.path.read_text())["batches"] if self.path.exists() else None)

    def on_train_batch_start(self, trainer, module, batch, batch_idx):
        if trainer.global_step == self.ends_at:
            raise SystemExit(143)


def fit(folder, ends_at=None):
    watch = Watch(folder / "training.json", ends_at)
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=3,
        limit_train_batches=4,
        limit_val_batches=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
        callbacks=[TrainingRecord(), watch],
    )
    try:
        trainer.fit(Counting())
    except SystemExit:
        assert ends_at
    return watch.seen, json.loads((folder / "training.json").read_text())


@pytest.mark.filterwarnings("ignore")
def test_every_validation_leaves_what_is_known_by_then(tmp_path):
    seen, last = fit(tmp_path)
    assert seen == [None, 4, 8, 12]  # the first is the sanity check
    assert (last["batches"], last["finished"]) == (12, True)


@pytest.mark.filterwarnings("ignore")
def test_a_training_that_is_asked_to_end_says_how_far_it_came(tmp_path):
    seen, last = fit(tmp_path, ends_at=6)
    assert seen == [None, 4]
    assert (last["batches"], last["finished"]) == (6, False)
    assert last["seconds"] > 0

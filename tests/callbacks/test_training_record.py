import json
from contextlib import nullcontext

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
    """Notes what the record says behind every validation; ends the training at a batch."""

    def __init__(self, path, ends_at=None, by=None):
        self.path, self.ends_at, self.by, self.seen = path, ends_at, by, []

    def on_validation_end(self, trainer, module):
        self.seen.append(json.loads(self.path.read_text())["batches"] if self.path.exists() else None)

    def on_train_batch_start(self, trainer, module, batch, batch_idx):
        if trainer.global_step == self.ends_at:
            raise self.by


class Asked(BaseException):
    """As what ends a command that got a signal."""


def fit(folder, ends_at=None, by=None):
    watch = Watch(folder / "training.json", ends_at, by)
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
    with pytest.raises(type(by)) if by else nullcontext():
        trainer.fit(Counting())
    return watch.seen, json.loads((folder / "training.json").read_text())


@pytest.mark.filterwarnings("ignore")
def test_every_validation_leaves_what_is_known_by_then(tmp_path):
    seen, last = fit(tmp_path)
    assert seen == [None, 4, 8, 12]  # the first is the sanity check
    assert (last["batches"], last["finished"], last["ended"], last["reason"]) == (12, True, "finished", None)


@pytest.mark.filterwarnings("ignore")
def test_a_training_that_is_asked_to_end_says_how_far_it_came(tmp_path):
    seen, last = fit(tmp_path, ends_at=6, by=SystemExit(143))
    assert seen == [None, 4]
    assert (last["batches"], last["finished"]) == (6, False)
    assert last["seconds"] > 0


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("by", "batches", "ended", "reason"),
    [
        (Asked("Ctrl-C"), 6, "aborted", "Ctrl-C"),
        (SystemExit(143), 6, "aborted", "SystemExit: 143"),
        (RuntimeError("no\nmemory"), 4, "failed", "RuntimeError: no memory"),
        (InputError("clip.mp4: damaged; remove it"), 4, "failed", "clip.mp4: damaged; remove it"),
    ],
    ids=lambda one: type(one).__name__,
)
def test_how_a_training_ended_is_noted(by, batches, ended, reason, tmp_path):
    _, last = fit(tmp_path, ends_at=6, by=by)
    assert (last["batches"], last["finished"], last["ended"], last["reason"]) == (batches, False, ended, reason)
    assert last["system"] == "Counting"


def test_what_ended_a_training_at_once_can_be_noted_for_it(tmp_path):
    path = tmp_path / "training.json"
    training_record.note_failure(tmp_path, "process 1 was killed")
    assert not path.exists()
    for before, after in (
        ({"batches": 3, "finished": False}, {"ended": "failed", "reason": "process 1 was killed"}),
        ({"finished": False, "ended": "failed", "reason": "gloo"}, {"reason": "process 1 was killed"}),
        ({"finished": False, "ended": "aborted", "reason": "Ctrl-C"}, {}),
        ({"finished": True, "ended": "finished", "reason": None}, {}),
    ):
        path.write_text(json.dumps(before))
        training_record.note_failure(tmp_path, "process 1 was killed")
        assert json.loads(path.read_text()) == before | after
    path.write_text("[")
    with pytest.raises(InputError, match="is damaged"):
        training_record.note_failure(tmp_path, "process 1 was killed")


class Early(Counting):
    def on_fit_start(self):
        raise RuntimeError("too early")


@pytest.mark.filterwarnings("ignore")
def test_an_error_before_the_first_batch_is_noted_but_not_over_an_earlier_sitting(tmp_path):
    def fail():
        trainer = Trainer(
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            default_root_dir=tmp_path,
            callbacks=[TrainingRecord()],
        )
        with pytest.raises(RuntimeError, match="too early"):
            trainer.fit(Early())
        return json.loads((tmp_path / "training.json").read_text())

    noted = fail()
    assert (noted["ended"], noted["reason"], noted["finished"]) == ("failed", "RuntimeError: too early", False)
    assert training_record._earlier_seconds(tmp_path / "training.json") == 0
    (tmp_path / "training.json").write_text('{"finished": true, "seconds": 5.0}')
    assert fail() == {"finished": True, "seconds": 5.0}

"""``training.json``: what a training was: on what, by which command, how long, how fast, and what came of it."""

import json
import resource
import sys
import time
from collections.abc import Sized
from pathlib import Path
from typing import Any, Literal

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities import rank_zero_warn

from callbacks.batches_seen import batches_seen
from callbacks.checkpoints import Checkpoints
from callbacks.results import surroundings, write_record
from datamodules.atomic_file import DiskError
from datamodules.errors import InputError
from datamodules.testable import can_test

FILE = "training.json"
Ended = Literal["finished", "failed", "aborted"]
"""How a training ended: it reached its end, an error ended it, or it was asked to end."""
_LONGEST = 500  # letters of a reason


class Pace:
    """How fast batches pass, and how long each is waited for; validations and checkpoints between two do not count.

    Attributes:
        seconds: spent on batches and on waiting for them.
        waited: part of it that was spent waiting for data.
        samples: that passed, of all processes.
        batches: that passed.
    """

    def __init__(self) -> None:
        self.seconds = self.waited = 0.0
        self.samples = self.batches = 0
        self._began = self._ended = 0.0

    def interrupt(self) -> None:
        """Leave out what happens until the next batch."""
        self._ended = 0.0

    def begin(self) -> None:
        """Note that a batch has come."""
        self._began = time.perf_counter()
        if self._ended:
            self.waited += self._began - self._ended
            self.seconds += self._began - self._ended

    def end(self, samples: int) -> None:
        """Note that a batch of so many samples is done."""
        self._ended = time.perf_counter()
        self.seconds += self._ended - self._began
        self.samples += samples
        self.batches += 1

    def figures(self) -> dict[str, float]:
        """Return ``samples_per_second``, ``data_wait_share`` in [0, 1] and ``step_seconds``; nothing of nothing."""
        if not self.batches:
            return {}
        return {
            "samples_per_second": self.samples / self.seconds,
            "data_wait_share": self.waited / self.seconds,
            "step_seconds": (self.seconds - self.waited) / self.batches,
        }


class TrainingRecord(Callback):
    """Writes ``training.json`` when a training begins, at each of its validations, and when it ends.

    Times are never in ``metrics.csv``, which a continued run repeats to the last digit.

    Attributes:
        record: what was written last; ``docs/results_format.md`` explains it.
        recent: pace since it was last replaced; whoever logs it does so.
    """

    def __init__(self) -> None:
        self.record: dict[str, Any] = {}
        self.recent = Pace()
        self._whole = Pace()
        self._began = self._before = 0.0
        self._surroundings: dict[str, Any] = {}
        self._is_begun = False

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note that from here on there is a run, whose end is to be told."""
        self._is_begun = True

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take up what an earlier sitting of the run has written."""
        self._began, self._whole, self.recent = time.perf_counter(), Pace(), Pace()
        self._before = _earlier_seconds(_path(trainer)) if trainer.ckpt_path is not None else 0.0
        self._surroundings = surroundings(trainer, pl_module)  # asks git, which takes a moment
        self._write(trainer)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave out what happened between two epochs."""
        self._interrupt()

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Note that a batch has come."""
        self._whole.begin()
        self.recent.begin()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Note that a batch is done."""
        samples = (len(batch) if isinstance(batch, Sized) else 1) * trainer.world_size
        self._whole.end(samples)
        self.recent.end(samples)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave out the validation."""
        self._interrupt()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write what is known by now."""
        if trainer.state.fn == TrainerFn.FITTING and not trainer.sanity_checking:
            self._write(trainer)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Write how a training ended that did not reach its end: by an error, or since it was asked to.

        Of one that was asked to end it is also written how far it has come; an error leaves what the last validation
        wrote. One that is killed writes nothing, and ``ended`` stays null.
        """
        if not (self._is_begun and trainer.is_global_zero):
            return
        is_error = isinstance(exception, Exception)  # what ends a process by request is none
        try:
            if self._surroundings and not is_error:
                self._write(trainer, "aborted", _reason(exception))
            elif self.record or not _path(trainer).is_file():  # else it is of an earlier sitting, which has not changed
                nothing = {"batches": 0, "epochs": 0, "seconds": 0.0, "finished": False}
                self.record = (self.record or nothing) | {
                    "ended": "failed" if is_error else "aborted",
                    "reason": _reason(exception),
                }
                write_record(_path(trainer), self.record)
        except DiskError as problem:  # what ended the training is to be told, and not this
            rank_zero_warn(f"how the training ended is not noted: {problem}")

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the whole; Lightning calls this for a run that was over when it was continued, too."""
        if not self._surroundings:  # nothing was left to train
            self._before = _earlier_seconds(_path(trainer))
            self._began = time.perf_counter()
            self._surroundings = surroundings(trainer, pl_module)
        self._write(trainer, "finished")
        trainer.strategy.barrier("training_record")  # whoever goes on after the training, in any process, reads it

    def _interrupt(self) -> None:
        self._whole.interrupt()
        self.recent.interrupt()

    def _write(self, trainer: Trainer, ended: Ended | None = None, reason: str | None = None) -> None:
        if not trainer.is_global_zero:
            return
        module = trainer.lightning_module
        data = getattr(trainer, "datamodule", None)  # there is none where loaders were given
        sizes = [(weight.numel(), weight.requires_grad) for weight in module.parameters()]
        checkpoints = next((one for one in trainer.checkpoint_callbacks if isinstance(one, Checkpoints)), None)
        best = checkpoints.best if checkpoints else None
        self.record = {
            **self._surroundings,
            "batches": batches_seen(trainer),
            "epochs": trainer.current_epoch,
            "seconds": round(self._before + time.perf_counter() - self._began, 3),
            **{name: round(value, 6) for name, value in self._whole.figures().items()},
            "peak_memory_bytes": _peak_memory(module.device),
            "parameters": {"trainable": sum(n for n, trained in sizes if trained), "total": sum(n for n, _ in sizes)},
            "monitor": best.monitor if best else None,
            "mode": checkpoints.mode if checkpoints else None,
            "best_value": best.value if best else None,
            "best_batches": best.batches if best else None,
            "can_test": can_test(data),
            "finished": ended == "finished",
            "ended": ended,
            "reason": reason,
        }
        write_record(_path(trainer), self.record)


def note_failure(run: Path, reason: str) -> None:
    """Note what has ended a training that cannot note it itself.

    One that has not begun, is over, or was asked to end stays as it is.

    Args:
        run: the run folder.
        reason: in a line.

    Raises:
        InputError: if the record is damaged or cannot be written.
    """
    path = run / FILE
    if not path.is_file():
        return
    try:
        record = dict(json.loads(path.read_text()))
    except (ValueError, TypeError) as error:
        raise InputError(f"{path} is damaged ({error}); remove it, and the training goes on") from error
    if not record.get("finished") and record.get("ended") != "aborted":
        write_record(path, record | {"ended": "failed", "reason": reason[:_LONGEST]})


def _reason(exception: BaseException) -> str:
    """Return in a line what ended a training: an error by its class, what the user can put right in its own words."""
    said = " ".join(str(exception).split())
    of_python = isinstance(exception, Exception | KeyboardInterrupt | SystemExit)
    if said and (isinstance(exception, InputError) or not of_python):
        return said[:_LONGEST]
    return f"{type(exception).__name__}: {said}".removesuffix(": ")[:_LONGEST]


def _path(trainer: Trainer) -> Path:
    return Path(trainer.default_root_dir) / FILE


def _earlier_seconds(path: Path) -> float:
    """Return the seconds of a run's earlier sittings; none where nobody has counted them.

    Raises:
        InputError: if the file is damaged.
    """
    if not path.is_file():
        return 0.0
    try:
        return float(json.loads(path.read_text())["seconds"])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is damaged ({error}); remove it, and the training goes on") from error


def _peak_memory(device: torch.device) -> int:
    """Return the most bytes that were in use: on the device, or of the process where there is none."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit

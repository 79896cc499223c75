"""last.ckpt after every epoch, best.ckpt by a validation metric, and how to find them again."""

import json
import math
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities import rank_zero_warn

from callbacks.batches_seen import batches_seen
from callbacks.checkpoint_io import AtomicCheckpointIO
from datamodules.atomic_file import atomic_file, write_text
from datamodules.errors import InputError
from datamodules.private_api import as_before_this_batch
from datamodules.protocols import AccumulatesGradients, DeclaresUndefined, HasHeadline
from datamodules.weights_file import read_checkpoint

FOLDER = "checkpoints"


@dataclass(frozen=True, slots=True)
class Record:
    """Which epoch is the best so far; ``value`` None where the monitor never had one."""

    monitor: str
    value: float | None = None
    tie_breaker: float | None = None
    epoch: int | None = None
    batches: int | None = None


class Checkpoints(Checkpoint):
    """Keeps two files below the run folder, ``checkpoints/last.ckpt`` and ``checkpoints/best.ckpt``.

    ``last`` is written after every epoch, whether or not anything improved. ``best`` is written when the
    monitored value of a validation is strictly better than every one before; of equals the earliest stays, or
    the one whose tie-breaker is lower. NaN is never better. Both are written between two batches, so that
    either can be continued. A validation in which the monitor is undefined (one class only) leaves ``best``
    as it is. If the monitor had no value in the whole run, ``best`` becomes a copy of ``last`` at its end,
    with a warning, and ``index.json`` says so.

    What is best is part of every checkpoint, so a resumed run keeps it, also when its folder was moved.

    Args:
        monitor: logged name of a validation metric, e.g. ``val/frame_auroc_micro``; None: the headline of the callback
            that judges the validations.
        mode: whether more (``max``) or less (``min``) of it is better; None: as it is for the headline, ``max`` for any
            other.
        tie_breaker: logged name of a second validation metric; lower wins among equals.
        every_n_batches: write ``last`` also after this many batches, for long epochs, and after those that are
            accumulated with them; 0 is never.
    """

    def __init__(
        self,
        monitor: str | None = None,
        mode: Literal["max", "min"] | None = None,
        tie_breaker: str | None = None,
        every_n_batches: int = 0,
    ) -> None:
        if every_n_batches < 0:
            raise InputError(f"every_n_batches is {every_n_batches}; give 0 (never) or a positive number of batches.")
        self.monitor, self.mode = monitor or "", mode  # empty until it is chosen
        self.tie_breaker, self.every_n_batches = tie_breaker, every_n_batches
        self.best = Record(self.monitor)
        self._folder = Path()
        self._best_is_due = False
        self._last_is_due = False
        self._off = False

    @property
    def best_model_path(self) -> str:
        """Where Lightning finds the best checkpoint within this process; empty where there is none."""
        path = self._folder / "best.ckpt"
        return str(path) if path.is_file() else ""

    def state_dict(self) -> dict[str, Any]:
        """Return what is best so far; no paths, since folders move."""
        return asdict(self.best)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Recall what was best; best.ckpt itself has the last word when training starts."""
        self.best = Record(**state_dict)

    def choose(self, callbacks: Iterable[Callback]) -> None:
        """Take the headline of the callback that judges the validations, and its mode, where nothing else was given.

        Raises:
            InputError: if no monitor was given and no callback has a headline.
        """
        headlines = {f"val/{one.headline}": one.headline_mode for one in callbacks if isinstance(one, HasHeadline)}
        if not self.monitor and not headlines:
            raise InputError(
                "checkpoints.monitor: not given, and no callback judges the validations. Add the experiment's own to "
                "trainer.callbacks, such as ClipMetrics, or name a metric that your model logs in validations"
            )
        self.monitor = self.monitor or next(iter(headlines))
        self.mode = self.mode or headlines.get(self.monitor, "max")
        self.best = replace(self.best, monitor=self.best.monitor or self.monitor)

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Find the folder, and make Lightning's own way of writing files safe."""
        if stage == TrainerFn.FITTING:
            self.choose(trainer.callbacks)  # type: ignore[attr-defined]  # set without a type
        self._folder = Path(trainer.default_root_dir) / FOLDER
        self._off = bool(trainer.fast_dev_run)  # type: ignore[attr-defined]  # set without a type
        if type(trainer.strategy.checkpoint_io) is TorchCheckpointIO:
            trainer.strategy.checkpoint_io = AtomicCheckpointIO()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take up the best of a run that is continued.

        Raises:
            InputError: if a new run would overwrite the checkpoints of an earlier one.
        """
        if self._off:
            return
        if trainer.ckpt_path is not None:
            if trainer.is_global_zero:
                self.best = self._adopt(Path(trainer.ckpt_path))
            self.best = trainer.strategy.broadcast(self.best)
        elif trainer.current_epoch == 0 and (self._folder / "last.ckpt").exists():
            raise InputError(
                f"{self._folder} already holds the checkpoints of a run. Continue it with --ckpt_path last, "
                "or give the new run another folder."
            )

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Write the best of a validation within the epoch, and the last where it is due, before the weights change.

        Not at the end of the batch before: a resumed run makes up neither for the validation that may follow it nor for
        its row of losses, which Lightning writes only then.
        """
        with as_before_this_batch(trainer):
            if self._last_is_due and not window_is_open(pl_module):
                self.save_last(trainer)
            self._save_best(trainer)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Note that the last is due, every so many batches."""
        self._last_is_due |= self.every_n_batches > 0 and batches_seen(trainer) % self.every_n_batches == 0

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget the values of earlier validations: Lightning would show them again."""
        trainer.callback_metrics.pop(self.monitor, None)
        trainer.callback_metrics.pop(self.tie_breaker or "", None)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Judge the validation.

        Raises:
            InputError: if the monitor or the tie-breaker was not logged; names what was.
        """
        if trainer.state.fn != TrainerFn.FITTING or trainer.sanity_checking or self._off:
            return
        if trainer.is_global_zero and self.best.value is not None and not (self._best_is_due or self.best_model_path):
            rank_zero_warn(f"{self._folder}/best.ckpt is gone: from here on the best is judged anew.")
            self.best = Record(self.monitor)
        value = _measured(trainer, "checkpoints.monitor", self.monitor)
        breaker = self.tie_breaker
        tie_breaker = _measured(trainer, "checkpoints.tie_breaker", breaker) if breaker else None
        if value is None:
            rank_zero_warn(f"{self.monitor} has no value in epoch {trainer.current_epoch}; best.ckpt is left as it is.")
        elif trainer.strategy.broadcast(self.is_better(value, tie_breaker)):
            self.best = Record(self.monitor, value, tie_breaker, trainer.current_epoch, batches_seen(trainer))
            self._best_is_due = True

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the best, if it changed, and the last."""
        self.save_last(trainer)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Let last stand in for best where the monitor never had a value.

        Not at the end of training, which Lightning does not call again for one that was killed just before it.
        """
        last, best = self._folder / "last.ckpt", self._folder / "best.ckpt"
        if trainer.is_global_zero and self.best.value is None and last.is_file() and not self._off:
            note = f"{self.monitor} never had a value: best.ckpt is a copy of last.ckpt"
            rank_zero_warn(f"{note}. It was chosen by no validation.")
            _copy(last, best)
            self._write_index(trainer, note)

    def save_last(self, trainer: Trainer) -> None:
        """Write the best, if it changed, and the last; only where the run can be continued from."""
        if not self._off:
            self._last_is_due = False
            self._save_best(trainer)  # first: a crash in between must not leave a last that promises a better best
            trainer.save_checkpoint(self._folder / "last.ckpt", weights_only=False)
            self._write_index(trainer)

    def is_better(self, value: float, tie_breaker: float | None) -> bool:
        """Say whether a validation beats every one before."""
        if self.best.value is None:
            return True
        if value == self.best.value:
            old = self.best.tie_breaker
            return tie_breaker is not None and (old is None or tie_breaker < old)
        return (value > self.best.value) == (self.mode != "min")

    def _save_best(self, trainer: Trainer) -> None:
        if self._best_is_due:
            self._best_is_due = False
            trainer.save_checkpoint(self._folder / "best.ckpt", weights_only=False)  # False: with the optimizers
            self._write_index(trainer)

    def _write_index(self, trainer: Trainer, note: str = "") -> None:
        if trainer.is_global_zero:
            last = {"epoch": trainer.current_epoch, "batches": batches_seen(trainer)}
            index = {"best": asdict(self.best), "last": last, "note": note}
            write_text(self._folder / "index.json", json.dumps(index, indent=2) + "\n")

    def _adopt(self, resumed: Path) -> Record:
        """Return what best.ckpt says of itself; where the run has none, take the one beside ``resumed``."""
        best, beside = self._folder / "best.ckpt", resumed.with_name("best.ckpt")
        if not best.is_file() and beside.is_file():
            _copy(beside, best)
        if not best.is_file():
            if self.best.value is not None:
                rank_zero_warn(f"The best checkpoint of {resumed} is gone: from here on the best is judged anew.")
            return Record(self.monitor)
        record = read_checkpoint(best, mmap=True).get("callbacks", {}).get(self.state_key)
        if record is None or record["monitor"] != self.monitor:
            rank_zero_warn(f"{best} was not chosen by {self.monitor}: from here on the best is judged anew.")
            return Record(self.monitor)
        return Record(**record)


def save_last(trainer: Trainer) -> None:
    """Write the last, and the best if it changed, of a run that keeps them."""
    for callback in trainer.checkpoint_callbacks:
        if isinstance(callback, Checkpoints):
            callback.save_last(trainer)


def window_is_open(model: LightningModule) -> bool:
    """Return whether gradients of batches wait for further ones; no checkpoint holds them."""
    return isinstance(model, AccumulatesGradients) and model.window_is_open


def resolve_checkpoint(run: Path, which: str) -> Path:
    """Return the file of a run that is meant by ``best`` or ``last``.

    Raises:
        InputError: If there is none; says where there is one.
    """
    path = _file(run, which)
    if path.is_file():
        return path
    beside = [path.name for path in sorted(path.parent.glob("*.ckpt"))]
    runs = [other for other in sorted(run.parent.glob("*")) if not other.is_symlink()]  # latest is one of them
    others = [other.name for other in runs if _file(other, which).is_file()]
    if beside:
        remedy = f"beside it lies {', '.join(beside)}"
    elif others:
        remedy = f"the run ended before its first checkpoint. Name another one: --run.name {' or '.join(others[-5:])}"
    else:
        remedy = "train first: lightning fit"
    raise InputError(f"--ckpt_path {which}: {path} does not exist; {remedy}")


def _file(run: Path, which: str) -> Path:
    return run / FOLDER / f"{which}.ckpt"


def _measured(trainer: Trainer, key: str, name: str) -> float | None:
    """Return what the last validation logged under ``name``, None where it is undefined or NaN."""
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]  # set without a type
    if any(isinstance(one, DeclaresUndefined) and name in one.undefined for one in callbacks):
        return None
    if name not in trainer.callback_metrics:
        logged = ", ".join(sorted(one for one in trainer.callback_metrics if one.startswith("val/"))) or "nothing"
        raise InputError(f"{key} is {name}, which the validation has not logged. It logged: {logged}")
    value = float(trainer.callback_metrics[name])
    return None if math.isnan(value) else value


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as old, atomic_file(target) as new:
        shutil.copyfileobj(old, new)

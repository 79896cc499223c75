"""A training that is asked to end does so where it can be continued, with ``last.ckpt`` written."""

import os
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NoReturn, Protocol

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.trainer.states import TrainerFn

from callbacks.checkpoints import save_last, window_is_open
from datamodules.private_api import as_before_this_batch


class StopSignals(Protocol):
    """Who knows whether the process was asked to end.

    Attributes:
        received: what it was asked by, None where it was not.
        patient: whether it may take the time to reach a place to go on from.
        remedy: how to go on, for the user.
    """

    received: int | None
    patient: bool
    remedy: str

    def listen(self) -> None:
        """Take over the signals of the process."""

    def end(self) -> NoReturn:
        """Leave the training."""


class GracefulStop(Checkpoint):
    """Ends ``fit`` where a batch begins, and writes ``last.ckpt`` first.

    At the end of the batch before, its row of losses is not written yet, and a validation that follows would be left
    out of the resumed run. Not within a window of accumulated gradients, which no checkpoint holds. A validation is
    broken off, and the resumed run begins it again; with several processes it is finished, since they may have unequal
    shares of it. All processes end at the same batch.

    It is a ``Checkpoint`` since Lightning calls those after all other callbacks, whose state then is that of the batch.

    Args:
        signals: who knows.
    """

    def __init__(self, signals: StopSignals) -> None:
        self._signals = signals
        self._save = self._in_batch = False

    def _listen(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take the signals back from Lightning, which has just taken them over and would wait for all processes."""
        self._signals.listen()

    on_sanity_check_start = on_validation_start = on_test_start = on_predict_start = _listen

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """From here on there is something to lose."""
        self._signals.listen()
        self._signals.patient = True

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """End here, where nothing belongs together with what follows; at an epoch's first all is written already."""
        if not window_is_open(pl_module) and self._asked(trainer):
            self._save = self._in_batch = batch_idx > 0
            self._signals.end()

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Break the validation off; the resumed run begins it again."""
        if trainer.state.fn == TrainerFn.FITTING and trainer.world_size == 1 and self._asked(trainer):
            progress = trainer.fit_loop.epoch_loop.val_loop.batch_progress
            progress.reset()
            progress.increment_ready()
            progress.increment_started()  # what Lightning takes for a validation that has to be repeated
            self._save = not trainer.sanity_checking
            self._signals.end()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """End here, after the epoch's own checkpoint."""
        if self._asked(trainer):
            self._signals.end()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """What comes now has nothing to save."""
        self._signals.patient = False

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Write the checkpoint, after the other callbacks have put back what they had changed."""
        self._signals.patient = False
        if self._save:
            with as_before_this_batch(trainer) if self._in_batch else nullcontext():
                save_last(trainer)
        if trainer.state.fn == TrainerFn.FITTING:
            self._signals.remedy = _remedy(Path(trainer.default_root_dir))

    def _asked(self, trainer: Trainer) -> bool:
        asked = self._signals.received is not None
        return trainer.strategy.reduce_boolean_decision(asked, all=False) if trainer.world_size > 1 else asked


def _remedy(run: Path) -> str:
    if not (run / "checkpoints" / "last.ckpt").is_file():
        return "Nothing was saved yet: begin anew"
    config = os.path.relpath(run / "config.yaml")
    return f"Go on with: lightning fit --config {config} --ckpt_path last"

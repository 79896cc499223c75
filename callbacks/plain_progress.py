"""Progress for logs: a line from time to time where no terminal can redraw a bar."""

import time
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import ProgressBar

from callbacks.figures import duration, figure
from callbacks.remaining import Remaining, batch_of_fit, batches_of_fit, epoch_of, losses_of, validation_name


class PlainProgress(ProgressBar):
    """Print where the work is, how long it still takes, and the newest numbers; and a line at the end of a training.

    Args:
        every: Seconds between two lines, at least.
    """

    def __init__(self, every: float = 10.0) -> None:
        super().__init__()
        self.every = every
        self._enabled = True
        self._printed = time.monotonic()
        self._left = self._loop = Remaining(float("inf"))

    def disable(self) -> None:
        """Print nothing any more; Lightning calls it on every rank but the first."""
        self._enabled = False

    def enable(self) -> None:
        """Print again."""
        self._enabled = True

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock of the training."""
        self._left = Remaining(batches_of_fit(trainer), batch_of_fit(trainer, trainer.fit_loop.batch_idx))

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Print where the epoch is."""
        where = f"{epoch_of(trainer)}, batch {batch_idx + 1} of {self.total_train_batches}"
        self._now_and_then(where, self._left.seconds(batch_of_fit(trainer, batch_idx)))

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Print the last numbers."""
        self._line(f"{trainer.current_epoch} epochs trained")

    def on_validation_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Start the clock of a loader."""
        self._begin(batch_idx, trainer.num_sanity_val_batches if trainer.sanity_checking else trainer.num_val_batches,
                    dataloader_idx)  # fmt: skip

    def on_validation_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:  # fmt: skip
        """Print where the validation is."""
        name = validation_name(pl_module, dataloader_idx)
        during = f"{epoch_of(trainer)}, " if trainer.state.fn == "fit" else ""
        self._batch(f"{during}{name}", batch_idx)

    def on_test_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Start the clock of a loader."""
        self._begin(batch_idx, trainer.num_test_batches, dataloader_idx)

    def on_test_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:  # fmt: skip
        """Print where the test is."""
        self._batch("test", batch_idx)

    def on_predict_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Start the clock of a loader."""
        self._begin(batch_idx, trainer.num_predict_batches, dataloader_idx)

    def on_predict_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:  # fmt: skip
        """Print how much has been predicted; the length of a stream is not known."""
        self._batch("prediction", batch_idx)

    def _begin(self, batch_idx: int, totals: list[int | float], loader: int) -> None:
        if batch_idx == 0:
            self._loop = Remaining(totals[loader])

    def _batch(self, where: str, batch_idx: int) -> None:
        total = self._loop.total
        of = "" if total == float("inf") else f" of {total}"
        self._now_and_then(f"{where} batch {batch_idx + 1}{of}", self._loop.seconds(batch_idx + 1))

    def _now_and_then(self, where: str, left: float | None) -> None:
        if time.monotonic() - self._printed >= self.every:
            self._line(where if left is None else f"{where}, {duration(left)} left")

    def _line(self, where: str) -> None:
        self._printed = time.monotonic()
        if self._enabled:
            shown = losses_of(self.trainer) | {
                name: float(value) for name, value in self.trainer.progress_bar_metrics.items()
            }
            print("  ".join([where, *(f"{name} {figure(value)}" for name, value in shown.items())]), flush=True)

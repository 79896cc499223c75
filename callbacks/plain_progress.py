"""Progress for logs: a line from time to time where no terminal can redraw a bar."""

import time
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import ProgressBar


class PlainProgress(ProgressBar):
    """Print a line after every epoch, and in between when one has not been printed for a while.

    Args:
        every: Seconds between two lines within an epoch.
    """

    def __init__(self, every: float = 20.0) -> None:
        super().__init__()
        self.every = every
        self._enabled = True
        self._printed = 0.0
        self._began = 0.0

    def disable(self) -> None:
        """Print nothing any more; Lightning calls it on every rank but the first."""
        self._enabled = False

    def enable(self) -> None:
        """Print again."""
        self._enabled = True

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock of the epoch."""
        self._began = self._printed = time.monotonic()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Print where the epoch is."""
        where = f"{self._epoch(trainer)}, batch {batch_idx + 1} of {self.total_train_batches}"
        self._now_and_then(where, trainer, pl_module)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Print the epoch's numbers."""
        self._line(f"{self._epoch(trainer)}, {time.monotonic() - self._began:.1f} s", trainer, pl_module)

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self._printed = time.monotonic()

    def on_predict_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self._printed = time.monotonic()

    def on_test_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:  # fmt: skip
        """Print where the test is."""
        total = sum(trainer.num_test_batches)
        self._now_and_then(f"test batch {batch_idx + 1} of {total}", trainer, pl_module)

    def on_predict_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:  # fmt: skip
        """Print how much has been predicted; the length of a stream is not known."""
        total = sum(trainer.num_predict_batches)
        of = "" if total == float("inf") else f" of {total}"
        self._now_and_then(f"predict batch {batch_idx + 1}{of}", trainer, pl_module)

    @staticmethod
    def _epoch(trainer: pl.Trainer) -> str:
        total = "" if trainer.max_epochs in (None, -1) else f" of {trainer.max_epochs}"
        return f"epoch {trainer.current_epoch + 1}{total}"

    def _now_and_then(self, where: str, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if time.monotonic() - self._printed >= self.every:
            self._line(where, trainer, pl_module)

    def _line(self, where: str, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._printed = time.monotonic()
        if self._enabled:
            logged = {k: float(v) for k, v in trainer.callback_metrics.items() if k.endswith("/total")}
            shown = logged | {k: float(v) for k, v in trainer.progress_bar_metrics.items()}
            print("  ".join([where, *(f"{name} {value:.4g}" for name, value in shown.items())]), flush=True)

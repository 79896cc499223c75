"""A package of a user's own: a callback that breaks one process of a training."""

import os
import signal
import time
from pathlib import Path
from typing import Any, Literal

from lightning.pytorch import Callback, LightningModule, Trainer

from datamodules.errors import InputError


class Breaks(Callback):
    """Break a process at the second training batch, or at another place, and leave a file ``broken``.

    Args:
        how: what happens to it.
        rank: its number.
        at: where.
    """

    def __init__(
        self,
        how: Literal["raises", "refuses", "sleeps", "stops", "dies"],
        rank: int,
        at: Literal["setup", "batch", "validation", "save"] = "batch",
    ) -> None:
        self.how, self.rank, self.at = how, rank, at

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._at("setup", trainer)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if batch_idx == 1:
            self._at("batch", trainer)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._at("validation", trainer)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        self._at("save", trainer)

    def _at(self, place: str, trainer: Trainer) -> None:
        if (place, trainer.global_rank) != (self.at, self.rank):
            return
        Path("broken").touch()
        if self.how == "raises":
            raise RuntimeError("a defect of this process")
        if self.how == "refuses":
            raise InputError("clip7.mp4: this file is damaged; remove it")
        if self.how == "sleeps":
            time.sleep(3600)
        os.kill(os.getpid(), signal.SIGSTOP if self.how == "stops" else signal.SIGKILL)

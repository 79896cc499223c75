"""Another package of a user's own: a model in whose life a signal arrives."""

import os
import signal
from pathlib import Path
from typing import Any, Literal

import torch
from lightning.pytorch import LightningModule
from torch import Tensor

from lightning_models.training.phases import PhasedModule

SIGNALS = {"TERM": signal.SIGTERM, "INT": signal.SIGINT, "USR1": signal.SIGUSR1}


class Signalled(PhasedModule):
    """A weight that is pulled to the mean of the batch.

    Args:
        at: where the signal arrives.
        count: at which call of that, from 1.
        which: the signal.
        times: how often it comes, one right after the other.
        rank: the process that gets it; None for all.
        parent: whether the process that started this one gets it too, as by a terminal.
        log: file that gets a line for every call.
        accumulate: batches of a window.
    """

    phases, phase_modules = ("only",), {"only": ("weight",)}
    free_after_training = ("at", "count", "which", "times", "rank")

    def __init__(
        self,
        at: Literal["setup", "train", "validation", "save", "epoch_end", "end", "test", "predict", "never"] = "never",
        count: int = 1,
        which: Literal["TERM", "INT", "USR1"] = "TERM",
        times: int = 1,
        rank: int | None = None,
        log: str = "calls.txt",
        accumulate: int = 1,
        ema_decay: float = 0.0,
    ) -> None:
        super().__init__(
            optimizers={"only": lambda parameters: torch.optim.Adam(parameters, lr=0.1)},
            averaged_phase="only",
            accumulate=accumulate,
            ema_decay=ema_decay,
        )
        self.weight = torch.nn.Linear(1, 1)
        self.at, self.count, self.which, self.times, self.rank = at, count, which, times, rank
        self.log_file, self.calls = Path(log), dict[str, int]()

    def _call(self, where: str) -> None:
        self.calls[where] = self.calls.get(where, 0) + 1
        if self.global_rank == 0:
            with self.log_file.open("a") as file:
                file.write(f"{where}\n")
        if where == self.at and self.calls[where] == self.count and self.rank in (None, self.global_rank):
            for _ in range(self.times):
                os.kill(os.getpid(), SIGNALS[self.which])

    def setup(self, stage: str) -> None:
        self._call("setup")

    def only_loss(self, batch: list[Tensor]) -> dict[str, Tensor]:
        self._call("train")
        return {"far": (self.weight(batch[0]) - 3).square().mean()}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self._call("validation")
        self.log("val/score", self.weight(batch[0]).sum(), on_epoch=True, reduce_fx="sum", sync_dist=True)

    def test_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self._call("test")

    def predict_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        self._call("predict")
        return batch[0]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        self._call("save")

    def on_train_epoch_end(self) -> None:
        super().on_train_epoch_end()
        self._call("epoch_end")

    def on_fit_end(self) -> None:
        LightningModule.on_fit_end(self)
        self._call("end")

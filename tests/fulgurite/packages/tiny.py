"""A package of a user's own: a model and data small enough to run the real command in well under a second."""

import shutil
import signal
from pathlib import Path
from typing import Literal

import torch
from lightning.pytorch import LightningDataModule, LightningModule
from lightning.pytorch.cli import OptimizerCallable
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from datamodules.errors import InputError


class TinyModel(LightningModule):
    """A line through the origin."""

    def __init__(
        self,
        width: int = 1,
        kind: Literal["warm", "cold"] = "warm",
        lr: float = 0.1,
        scale: float | None = None,
        size: tuple[int, int] = (64, 64),
        weights: dict[str, float] | None = None,
        optimizer: OptimizerCallable = torch.optim.SGD,
        fails: bool = False,
        deletes_run_at: int | None = None,
    ) -> None:
        super().__init__()
        if width < 1:
            raise InputError(f"width = {width}: give a positive number")
        if fails:
            raise RuntimeError("a defect of ours")
        self.save_hyperparameters({"lr": lr})
        self.optimizer, self.deletes_run_at = optimizer, deletes_run_at
        self.line, self.lr, self.seen = torch.nn.Linear(1, width), lr, []

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        if self.global_step + 1 == self.deletes_run_at:
            shutil.rmtree(self.trainer.default_root_dir)
        loss = self.line(batch[0]).square().mean()
        self.log("train/loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val/score", self.line(batch[0]).mean())

    def test_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("test/score", self.line(batch[0]).mean())

    def predict_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return self.line(batch[0])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=self.lr)


class TinyData(LightningDataModule):
    """Eight numbers.

    Args:
        source: file that has to exist.
        interrupt: whether somebody presses Ctrl-C while the data are prepared.
        batch_size: numbers of a batch.
        num_workers: processes that load; an error comes out of one of them when ``source`` is "worker".
    """

    def __init__(
        self, source: str | None = None, interrupt: bool = False, num_workers: int = 0, batch_size: int = 4
    ) -> None:
        super().__init__()
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}: give more")
        self.source, self.interrupt = source, interrupt
        self.num_workers, self.batch_size = num_workers, batch_size

    def setup(self, stage: str) -> None:
        if self.interrupt:
            signal.raise_signal(signal.SIGINT)
        if self.source not in (None, "worker") and not Path(self.source).exists():
            raise InputError(f"data.source = {self.source}: there is no such file or folder")

    def loader(self) -> DataLoader:
        rows = (Broken if self.source == "worker" else TensorDataset)(torch.arange(8.0)[:, None] / 8)
        return DataLoader(rows, batch_size=self.batch_size, num_workers=self.num_workers)

    train_dataloader = val_dataloader = test_dataloader = predict_dataloader = loader


class Broken(TensorDataset):
    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        raise InputError("clip7.mp4: this file is damaged; remove it")


class NeedyModel(TinyModel):
    def __init__(self, must: int) -> None:
        super().__init__()


class OptimizedModel(TinyModel):
    def configure_optimizers(self) -> torch.optim.Optimizer:
        return self.optimizer(self.parameters())

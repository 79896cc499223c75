"""A model whose score of a frame is its brightness, so that a test knows what a watch has to find."""

import torch
from lightning.pytorch import LightningModule
from torch import Tensor

from datamodules.batches import FrameScores, VideoBatch


class Brightness(LightningModule):
    def __init__(self, threshold: float = 1.0) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))
        self.register_buffer("threshold", torch.tensor(threshold))

    def training_step(self, batch: VideoBatch, batch_idx: int) -> Tensor:
        return self.weight.square()

    def validation_step(self, batch: VideoBatch, batch_idx: int, dataloader_idx: int = 0) -> None:
        if dataloader_idx == 1:
            self.log("val/score", self.weight, add_dataloader_idx=False)

    def predict_step(self, batch: VideoBatch, batch_idx: int) -> FrameScores:
        score = batch.frames.float().mean((2, 3, 4)) / 100
        heat = torch.zeros(*score.shape, 4, 4) + score[..., None, None]
        return FrameScores(batch.video, batch.frame, batch.label, batch.index, score, heat, batch.region)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.0)

"""Reconstructions of the user's own pictures, with their latent vectors, at predict."""

from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor

from callbacks.enlarged import checked_scale, enlarge_all, enlarged_name
from callbacks.figures import figure, several
from callbacks.folder_writer import FolderWriter
from callbacks.images.sheets import colour, grid, to_picture
from callbacks.results import write_rows
from callbacks.text import printable
from datamodules.atomic_file import atomic_file
from datamodules.batches import Reconstructions
from datamodules.errors import InputError
from datamodules.png_file import write_png


class ImagePredictions(FolderWriter):
    """Writes ``predictions/<source>/`` at predict: the pictures reconstructed, their latent vectors and scores.

    ``inputs/<name>.png`` and ``reconstructions/<name>.png`` hold every picture as the model has seen and
    reconstructed it, under the same name; ``sheet.png`` the first ones, each above its reconstruction;
    ``latents.npy`` the posteriors' means, float32 ``(N, D)``, and ``latents.csv`` which row is whose;
    ``scores.csv`` the PSNR in decibels and the KL divergence in nats of every picture.

    Args:
        sheet: pictures on the sheet.
        scale: where it is above 1, a second sheet has the pictures so many times as high and wide:
            ``sheet_x4_lanczos.png``.

    Raises:
        InputError: if one of them is out of its range.
    """

    shown = "sheet.png"

    def __init__(self, sheet: int = 64, scale: int = 1) -> None:
        if sheet < 1:
            raise InputError(f"ImagePredictions: sheet is {sheet}; give at least 1 picture.")
        super().__init__()
        self.sheet, self.scale = sheet, checked_scale(scale)
        self._names: list[str] = []
        self._scores: list[tuple[float, float]] = []
        self._latents: list[Tensor] = []
        self._shown: list[tuple[Tensor, Tensor]] = []

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Open the folder."""
        super().on_predict_start(trainer, pl_module)
        self._names, self._scores, self._latents, self._shown = [], [], [], []

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Write the pictures of a batch."""
        assert isinstance(outputs, Reconstructions)
        images, reconstructed = outputs.images.float().cpu(), outputs.reconstructed.float().cpu()
        ratios = decibels(images, reconstructed).tolist()
        for row, name in enumerate(outputs.name):
            for kind, pictures in (("inputs", images), ("reconstructions", reconstructed)):
                write_png(self.path(kind, name, ".png"), to_picture(pictures[row]))
            if len(self._shown) < self.sheet:
                self._shown.append((colour(images[row]), colour(reconstructed[row])))
        self._names += outputs.name
        self._scores += zip(ratios, outputs.kl.double().sum(1).tolist(), strict=True)
        self._latents.append(outputs.mean.float().cpu())

    def on_predict_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the sheet, the latent vectors and the scores."""
        if not self._names:
            raise RuntimeError("prediction came to its end without a picture")
        inputs, reconstructed = (torch.stack(kind) for kind in zip(*self._shown, strict=True))
        shown = {"input": inputs, "reconstruction": reconstructed}
        write_png(self.folder / "sheet.png", grid(shown))
        if self.scale > 1:
            larger = {name: enlarge_all(pictures, self.scale) for name, pictures in shown.items()}
            write_png(self.folder / enlarged_name("sheet.png", self.scale), grid(larger))
        with atomic_file(self.folder / "latents.npy") as file:
            np.save(file, torch.cat(self._latents).numpy())
        write_rows(self.folder / "latents.csv", ["row", "name"], list(enumerate(self._names)))
        rows = [(name, *scores) for name, scores in zip(self._names, self._scores, strict=True)]
        write_rows(self.folder / "scores.csv", ["name", "psnr", "kl"], rows)
        super().on_predict_epoch_end(trainer, pl_module)

    def found(self) -> str:
        """Return how many pictures were reconstructed, how well, and which is the least like its reconstruction."""
        ratios = [score for score, _ in self._scores]
        row = int(np.argmin(ratios))
        return (
            f"{several(len(ratios), 'picture')} reconstructed, PSNR {figure(float(np.median(ratios)))} dB in the "
            f"middle, {figure(ratios[row])} dB at worst ({printable(self._names[row])})"
        )


def decibels(images: Tensor, reconstructed: Tensor) -> Tensor:
    """Return the PSNR in decibels, float64 ``(B,)``, of pictures ``(B, C, H, W)`` in [0, 1]; infinite where equal."""
    error = (images - reconstructed).square().flatten(1).mean(1).double()
    return -10 * error.log10()

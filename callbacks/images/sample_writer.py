"""Writes drawn pictures and clips as files, with the latent vectors that they were drawn from."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from callbacks.images.sheets import colour, grid, to_picture, write_clips
from datamodules.atomic_file import atomic_file
from datamodules.batches import Samples
from datamodules.errors import InputError
from datamodules.png_file import write_png

_OWN = re.compile(r"\d{4,}\.(png|mp4|gif)|sheet\.png|latents\.npy")


class SampleWriter(Callback):
    """Writes ``latents.npy``, every sample as it comes (PNG, its clip as MP4 and GIF), at the end ``sheet.png``.

    Samples of an earlier call in the same folder are removed, once the first of the new ones is there.

    Args:
        folder: folder to write into; made where it is missing.
        latents: float32 ``(N, D)``, what the samples are drawn from.

    Raises:
        InputError: if the folder holds numbered files that are no samples.
    """

    def __init__(self, folder: Path, latents: Tensor) -> None:
        self.folder, self.latents = folder, latents
        self._earlier = _earlier_samples(folder)
        self._drawn: list[Tensor] = []

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Write the samples of a batch."""
        if batch_idx == 0:
            for sample in self._earlier:
                sample.unlink()
            with atomic_file(self.folder / "latents.npy") as file:  # first: it tells that what follows are samples
                np.save(file, self.latents.numpy())
        samples: Samples = outputs
        for number, image in enumerate(samples.images):
            stem = self.folder / f"{len(self._drawn):04d}"
            write_png(stem.with_name(f"{stem.name}.png"), to_picture(image))
            if samples.clips is not None:
                write_clips(stem, samples.clips[None, number])
            self._drawn.append(image.float().cpu())

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the sheet, and name the folder."""
        write_png(self.folder / "sheet.png", grid({"sample": colour(torch.stack(self._drawn))}))
        print(f"Samples: {self.folder}", flush=True)


def _earlier_samples(folder: Path) -> list[Path]:
    """Return the files of an earlier call; its latent vectors tell that they are samples."""
    found = [path for path in folder.glob("*") if _OWN.fullmatch(path.name)]
    if found and not (folder / "latents.npy").is_file():
        raise InputError(f"--output {folder}: holds {found[0].name}, which is no sample; name another folder")
    return found

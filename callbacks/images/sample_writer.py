"""Writes drawn pictures and clips as files, with the latent vectors that they were drawn from."""

import os
import re
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from callbacks.enlarged import checked_scale, enlarge_all, enlarged_name
from callbacks.images.sheets import colour, grid, to_picture, write_clips
from callbacks.text import printable
from datamodules.atomic_file import atomic_file, atomic_files
from datamodules.batches import Samples
from datamodules.errors import InputError
from datamodules.png_file import write_png

_OWN = re.compile(r"\d{4,}\.(png|mp4|gif)|sheet(_x\d+_lanczos)?\.png|latents\.npy")


class SampleWriter(Callback):
    """Writes ``latents.npy``, every sample as it comes (PNG, its clip as MP4 and GIF), at the end ``sheet.png``.

    They come into the folder all at once, in the place of samples of an earlier call. After an error those are as they
    were, and what was drawn until then lies in ``<folder>.unfinished/``.

    Args:
        folder: folder to write into; made where it is missing.
        scale: where it is above 1, a second sheet has the pictures so many times as high and wide:
            ``sheet_x4_lanczos.png``.

    Raises:
        InputError: if the folder holds numbered files that are no samples, or the scale is out of its range.
    """

    def __init__(self, folder: Path, scale: int = 1) -> None:
        self.folder, self._scale = folder, checked_scale(scale)
        self._earlier = _earlier_samples(folder)
        self._drawn: list[Tensor] = []
        self._latents: list[Tensor] = []
        self._files = ExitStack()  # closing it puts the samples in their places
        self._draft = Path()

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
            self._draft = self._files.enter_context(atomic_files(self.folder, self._earlier))
        samples: Samples = outputs
        self._latents.append(samples.latents.float().cpu())
        for number, image in enumerate(samples.images):
            stem = self._draft / f"{len(self._drawn):04d}"
            write_png(stem.with_name(f"{stem.name}.png"), to_picture(image))
            if samples.clips is not None:
                write_clips(stem, samples.clips[None, number])
            self._drawn.append(image.float().cpu())

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the sheet, put all in their places, and name the folder."""
        with atomic_file(self._draft / "latents.npy") as file:
            np.save(file, torch.cat(self._latents).numpy())
        drawn = colour(torch.stack(self._drawn))
        write_png(self._draft / "sheet.png", grid({"sample": drawn}))
        if self._scale > 1:
            larger = grid({"sample": enlarge_all(drawn, self._scale)})
            write_png(self._draft / enlarged_name("sheet.png", self._scale), larger)
        self._files.close()
        print(f"Samples: {printable(os.path.relpath(self.folder))}", flush=True)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Leave the earlier samples as they were."""
        self._files.__exit__(type(exception), exception, exception.__traceback__)


def _earlier_samples(folder: Path) -> list[Path]:
    """Return the files of an earlier call; its latent vectors tell that they are samples."""
    found = [path for path in folder.glob("*") if _OWN.fullmatch(path.name)]
    if found and not (folder / "latents.npy").is_file():
        raise InputError(f"--output {folder}: holds {found[0].name}, which is no sample; name another folder")
    return found

"""The user's own pictures after the model has restored them, with their latent vectors, at predict."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from callbacks.images.sheets import colour, grid, to_picture
from callbacks.picture_file import write_png
from callbacks.results import write_rows
from datamodules.atomic_file import atomic_file, atomic_folder
from datamodules.batches import Reconstructions
from datamodules.errors import InputError
from datamodules.named import source_name
from datamodules.protocols import HasSource


class ReconstructionWriter(Callback):
    """Writes ``predictions/<source>/`` at predict, whole, in place of an older one of the same name.

    ``inputs/<name>.png`` and ``reconstructions/<name>.png`` hold every picture as the model has seen and restored it,
    under the same name; ``sheet.png`` the first ones, each above its reconstruction; ``latents.npy`` the posteriors'
    means, float32 ``(N, D)``, and ``latents.csv`` which row is whose; ``scores.csv`` the PSNR in decibels and the KL
    divergence in nats of every picture. Without a source the folder is called ``default``.

    Args:
        sheet: pictures on the sheet.
    """

    def __init__(self, sheet: int = 64) -> None:
        if sheet < 1:
            raise InputError(f"ReconstructionWriter: sheet is {sheet}; give at least 1 picture.")
        self.sheet = sheet
        self._folder, self._files = Path(), ExitStack()
        self._names: list[str] = []
        self._scores: list[tuple[float, float]] = []
        self._latents: list[Tensor] = []
        self._shown: list[tuple[Tensor, Tensor]] = []

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Find the folder.

        Raises:
            InputError: if several processes share the work.
        """
        if trainer.world_size > 1:
            raise InputError(f"ReconstructionWriter needs trainer.devices: 1, found {trainer.world_size} processes.")
        data: Any = trainer.datamodule  # type: ignore[attr-defined]  # set without a type
        source = data.source if isinstance(data, HasSource) else None
        folder = Path(trainer.default_root_dir) / "predictions" / (source_name(Path(source)) if source else "default")
        self._files = ExitStack()  # closing it puts the folder in its place, an error removes it
        self._folder = self._files.enter_context(atomic_folder(folder))
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
        images, restored = outputs.images.float().cpu(), outputs.restored.float().cpu()
        error = (images - restored).square().flatten(1).mean(1).double()
        decibels = (-10 * error.log10()).tolist()
        for row, name in enumerate(outputs.name):
            for kind, pictures in (("inputs", images), ("reconstructions", restored)):
                write_png(self._folder / kind / f"{name}.png", to_picture(pictures[row]))
            if len(self._shown) < self.sheet:
                self._shown.append((colour(images[row]), colour(restored[row])))
        self._names += outputs.name
        self._scores += zip(decibels, outputs.kl.double().sum(1).tolist(), strict=True)
        self._latents.append(outputs.mean.float().cpu())

    def on_predict_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the sheet, the latent vectors and the scores."""
        if not self._names:
            raise RuntimeError("prediction came to its end without a picture")
        inputs, restored = (torch.stack(kind) for kind in zip(*self._shown, strict=True))
        write_png(self._folder / "sheet.png", grid({"input": inputs, "reconstruction": restored}))
        with atomic_file(self._folder / "latents.npy") as file:
            np.save(file, torch.cat(self._latents).numpy())
        write_rows(self._folder / "latents.csv", ["row", "name"], list(enumerate(self._names)))
        rows = [(name, *scores) for name, scores in zip(self._names, self._scores, strict=True)]
        write_rows(self._folder / "scores.csv", ["name", "psnr", "kl"], rows)
        self._files.close()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Leave no half of a prediction behind."""
        self._files.__exit__(type(exception), exception, exception.__traceback__)

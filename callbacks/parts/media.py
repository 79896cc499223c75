"""What the model sees in inspected parts and makes of them, as a picture at every validation."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor

from callbacks.batches_seen import batches_seen
from callbacks.cadence import Cadence
from callbacks.panels import panel, to_pictures
from callbacks.picture_file import Picture, keep_newest, stacked, write_png
from callbacks.wandb_run import show
from datamodules.batches import PartBatch, PartScores
from datamodules.errors import InputError
from datamodules.protocols import HasVisuals

_LARGEST = 1024  # pixels of a side


class PartMedia(Cadence):
    """Writes ``media/parts-<batches>.png`` after a validation, and sends it to Weights & Biases.

    It shows always the same pictures: the first of the judged ones, half of them (rounded up) defective, of as
    many groups as there are, pixel by pixel: what is larger than 1024 is cut to that around the hottest place.
    The model's ``visuals`` is called in evaluation mode, on rank 0 only.

    Args:
        pictures: number of pictures.
        every_n_validations: 1 shows every validation.
        keep: number of validations whose files stay in the folder; the oldest are removed.
    """

    def __init__(self, pictures: int = 4, every_n_validations: int = 1, keep: int = 20) -> None:
        for name, value in {"pictures": pictures, "every_n_validations": every_n_validations, "keep": keep}.items():
            if value < 1:
                raise InputError(f"PartMedia: {name} is {value}; give at least 1, or leave the callback out.")
        self.pictures, self.every_n_validations, self.keep = pictures, every_n_validations, keep
        self._picked: dict[bool, list[PartBatch]] = {True: [], False: []}

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget the pictures of the last time."""
        self._picked = {True: [], False: []}

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Pick pictures whose scores are judged."""
        if isinstance(outputs, PartScores) and isinstance(batch, PartBatch) and trainer.is_global_zero:
            defective = batch.label == 1
            wanted = self.pictures - self.pictures // 2 if defective else self.pictures // 2
            self._picked[defective] = _with(self._picked[defective], batch, wanted)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw them, after the module has settled what it settles at the end of a validation."""
        picked = [*self._picked[True], *self._picked[False]]
        self._picked = {True: [], False: []}
        if trainer.sanity_checking or not picked:
            return
        if not self.is_due(trainer):
            return
        if not isinstance(pl_module, HasVisuals):
            raise TypeError(f"{type(pl_module).__name__} has no visuals(batch) to show; leave PartMedia out")
        with torch.no_grad():
            sheets = [_sheet(pl_module.visuals(batch), f"{batch.name}, {batch.defect}") for batch in picked]
        folder = Path(trainer.default_root_dir) / "media"
        path = folder / f"parts-{batches_seen(trainer):07d}.png"
        write_png(path, stacked(sheets))
        keep_newest(folder, "parts-*.png", self.keep)
        show(trainer, "val/parts", path)


def _with(picked: list[PartBatch], batch: PartBatch, wanted: int) -> list[PartBatch]:
    """Add a picture while fewer than ``wanted`` are there; then in place of the last whose group is there twice."""
    if len(picked) < wanted:
        return [*picked, batch]
    groups = [one.group for one in picked]
    repeated = [place for place, group in enumerate(groups) if group in groups[:place]]
    if batch.group in groups or not repeated:
        return picked
    return [*picked[: repeated[-1]], *picked[repeated[-1] + 1 :], batch]


def _sheet(visuals: Mapping[str, Tensor], caption: str) -> Picture:
    heat = visuals["heat"][0, 0]
    row, column = divmod(int(heat.argmax()), heat.shape[1])
    rows, columns = _around(row, heat.shape[0]), _around(column, heat.shape[1])
    clips = {name: value[:, None, :, rows, columns] for name, value in visuals.items()}  # films of one frame
    return panel(to_pictures(clips), [caption])


def _around(place: int, length: int) -> slice:
    first = max(0, min(place - _LARGEST // 2, length - _LARGEST))
    return slice(first, min(first + _LARGEST, length))

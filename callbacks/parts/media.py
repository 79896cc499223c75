"""Inspected parts as the model sees them, with its visuals, as a picture at every validation."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor

from callbacks.colour_bar import Marks, with_bars
from callbacks.media import MediaCallback
from callbacks.panels import panel, to_pictures
from callbacks.picture_file import Picture, stacked
from callbacks.thresholds import pixel_threshold_of
from callbacks.visuals import visuals_of
from datamodules.batches import PartBatch, PartScores
from datamodules.png_file import write_png

_LARGEST = 1024  # pixels of a side


class PartMedia(MediaCallback):
    """Writes ``media/parts-<batches>.png`` after a validation, and sends it to Weights & Biases.

    It shows always the same pictures: the first of the judged ones, half of them (rounded up) defective, of as
    many groups as there are, pixel by pixel: what is larger than 1024 is cut to that around the hottest place.
    The model's ``visuals`` is called in evaluation mode, on rank 0 only; of a model without, the input and its heat
    are shown.

    Args:
        pictures: number of pictures.
        every_n_validations: 1 shows every validation.
        keep: number of validations whose files stay in the folder; the oldest are removed.
    """

    def __init__(self, pictures: int = 4, every_n_validations: int = 1, keep: int = 20) -> None:
        super().__init__(every_n_validations, keep, pictures=pictures)
        self.pictures = pictures
        self._picked: dict[bool, list[_Shown]] = {True: [], False: []}

    def media_names(self, model: Any) -> list[str]:
        """Return the name of what is shown."""
        return ["val/parts"]

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
            shown = _Shown(batch, outputs.heat.detach())
            self._picked[defective] = _with(self._picked[defective], shown, wanted)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw them, after the module has settled what it settles at the end of a validation."""
        picked = [*self._picked[True], *self._picked[False]]
        self._picked = {True: [], False: []}
        if trainer.sanity_checking or not picked:
            return
        if not self.is_due(trainer):
            return
        with torch.no_grad():
            shown = [_visuals(pl_module, one) for one in picked]
        sheets = [
            _sheet(visuals, f"{one.batch.name}, {one.batch.defect}")
            for (visuals, _), one in zip(shown, picked, strict=True)
        ]
        path = self.file(trainer, "parts", ".png")
        write_png(path, with_bars(stacked(sheets), shown[0][1]))
        self.publish(trainer, "val/parts", path)


class _Shown(NamedTuple):
    """A picture and the heat ``(H, W)`` of its scores."""

    batch: PartBatch
    heat: Tensor


def _visuals(pl_module: LightningModule, shown: _Shown) -> tuple[Mapping[str, Tensor], dict[str, Marks]]:
    image = shown.batch.image.expand(3, -1, -1)[None]
    return visuals_of(pl_module, shown.batch, image, shown.heat[None], pixel_threshold_of(pl_module))


def _with(picked: list[_Shown], shown: _Shown, wanted: int) -> list[_Shown]:
    """Add a picture while fewer than ``wanted`` are there; then in place of the last whose group is there twice."""
    if len(picked) < wanted:
        return [*picked, shown]
    groups = [one.batch.group for one in picked]
    repeated = [place for place, group in enumerate(groups) if group in groups[:place]]
    if shown.batch.group in groups or not repeated:
        return picked
    return [*picked[: repeated[-1]], *picked[repeated[-1] + 1 :], shown]


def _sheet(visuals: Mapping[str, Tensor], caption: str) -> Picture:
    heat = visuals["heat"][0, 0]
    row, column = divmod(int(heat.argmax()), heat.shape[1])
    rows, columns = _around(row, heat.shape[0]), _around(column, heat.shape[1])
    clips = {name: value[:, None, :, rows, columns] for name, value in visuals.items()}  # videos of one frame
    return panel(to_pictures(clips), [caption])


def _around(place: int, length: int) -> slice:
    first = max(0, min(place - _LARGEST // 2, length - _LARGEST))
    return slice(first, min(first + _LARGEST, length))

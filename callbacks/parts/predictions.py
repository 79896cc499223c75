"""Defects of the user's own parts: a heat map, a mask and boxes of every picture, written as they come."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import cv2
import numpy as np
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from callbacks.figures import figure, several
from callbacks.folder_writer import FolderWriter
from callbacks.parts.contact_sheet import ContactSheet, with_legend
from callbacks.parts.heat_picture import draw_heat, with_bar
from callbacks.parts.judged import Judged, judge
from callbacks.picture_file import Picture
from callbacks.results import write_record, write_rows
from callbacks.text import printable
from callbacks.thresholds import pixel_threshold_of, threshold_of
from datamodules.batches import PartBatch, PartScores
from datamodules.errors import InputError
from datamodules.pipeline import Behind
from datamodules.png_file import write_png

LEAST_PICTURES, NEARLY_ALL = 10, 0.9
"""Where so large a share of so many pictures is defective, the surface is another one."""
_ROOM = 2  # pictures that wait to be drawn and written


class PartPredictions(FolderWriter):
    """Writes ``predictions/<source>/`` at predict: where and how strongly each part is defective.

    - ``heat/<picture>.png``: the picture with its heat, boxes, and a bar that says what the colours mean;
    - ``mask/<picture>.png``: 255 where the heat lies above the module's ``pixel_threshold``, else 0;
    - ``boxes/<picture>.json``: the connected places of the mask (x, y, width, height and area in pixels of the
      picture, score: the largest heat), highest score first, beside the picture's own score and the thresholds;
    - ``scores.csv``: name, group, place of every tile, its raw score, and 0/1 for defective: above the module's
      ``threshold``;
    - ``pictures.csv``: name, group, raw score, 0/1 for defective (any tile is), number of boxes, their area;
    - ``contact_sheet.png``: the pictures with the highest scores, each enlarged at its hottest place.

    A thread draws and writes a picture while the network looks at the next ones. The tables and the sheet are written
    at the end; what is held until then are their lines alone.

    Args:
        worst: number of pictures on the contact sheet.
    """

    shown = "contact_sheet.png"

    def __init__(self, worst: int = 12) -> None:
        if worst < 1:
            raise InputError(f"PartPredictions: worst is {worst}; give at least 1.")
        super().__init__()
        self.worst = worst
        self._threshold = self._pixel_threshold = math.nan
        self._tiles: list[Sequence[Any]] = []
        self._pictures: list[Sequence[Any]] = []
        self._sheet = ContactSheet(worst)
        self._thread: Behind | None = None

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Look for what is needed before any work is done.

        Raises:
            InputError: if the module has no thresholds yet, or several processes share the work.
        """
        threshold, pixel_threshold = threshold_of(pl_module), pixel_threshold_of(pl_module)
        if threshold is None or pixel_threshold is None:
            raise InputError(
                f"{type(pl_module).__name__} has no thresholds: it was never validated, so nothing can be called a "
                "defect. Give --ckpt_path a checkpoint written after a validation, such as best."
            )
        super().on_predict_start(trainer, pl_module)
        self._threshold, self._pixel_threshold = threshold, pixel_threshold
        self._tiles, self._pictures, self._sheet = [], [], ContactSheet(self.worst)
        self._thread = Behind(_ROOM)

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Write heat map, mask and boxes of a picture, as soon as those before it are written.

        Raises:
            ValueError: if a score is not finite; names the picture, which may be one before this.
        """
        assert isinstance(outputs, PartScores)
        assert isinstance(batch, PartBatch)
        assert self._thread is not None  # a prediction has begun
        scores, image = outputs, batch.image
        self._thread.do(lambda: self._write(scores, image))

    def _write(self, scores: PartScores, image: Tensor) -> None:
        name, score, seen = scores.name, float(scores.score), to_rgb(image)
        judged = judge(scores, self._threshold, self._pixel_threshold)
        heat, boxes = judged.heat, judged.boxes
        verdict = "defective" if judged.defective else "faultless"
        caption = f"{name}   {verdict}, score {score:.4g}, places above the threshold: {len(boxes)}"
        drawn = draw_heat(seen, heat, boxes, self._pixel_threshold)
        write_png(self.path("heat", name, ".png"), with_bar(drawn, caption, self._pixel_threshold))
        write_png(self.path("mask", name, ".png"), judged.mask.astype(np.uint8) * 255)
        write_record(self.path("boxes", name, ".json"), self._record(scores, judged))
        self._tiles += [
            [name, scores.group, *place, value, int(flag)]
            for place, value, flag in zip(
                scores.tile.tolist(), judged.tile_score.tolist(), judged.tile_defective, strict=True
            )
        ]
        area = sum(box.area for box in boxes)
        self._pictures.append([name, scores.group, score, int(judged.defective), len(boxes), area])
        self._sheet.add(score, caption, seen, drawn, heat)

    def on_predict_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the tables and the contact sheet.

        Raises:
            ValueError: if a score is not finite; names the picture.
        """
        assert self._thread is not None
        self._thread.finish()
        places = ["top", "left", "height", "width"]
        write_rows(self.folder / "scores.csv", ["name", "group", *places, "score", "defective"], self._tiles)
        header = ["name", "group", "score", "defective", "boxes", "area"]
        write_rows(self.folder / "pictures.csv", header, self._pictures)
        sheet = with_legend(self._sheet.draw(), self._pixel_threshold)
        write_png(self.folder / "contact_sheet.png", sheet)
        super().on_predict_epoch_end(trainer, pl_module)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Write what was scored before, and leave all in the unfinished folder."""
        if self._thread is not None:
            self._thread.finish_after_error()
        super().on_exception(trainer, pl_module, exception)

    def found(self) -> str:
        """Return how many pictures are defective, and which is the worst."""
        defective = sum(row[3] for row in self._pictures)
        worst = max(self._pictures, key=lambda row: row[2])
        count = len(self._pictures)
        if count >= LEAST_PICTURES and defective > NEARLY_ALL * count:
            rank_zero_warn(
                f"{defective} of {count} pictures are called defective. Is it another surface, camera or light than "
                "the model was trained on? Then its scores say nothing: train on good pictures of that one."
            )
        return (
            f"{defective:,} of {several(count, 'picture')} defective, highest score {figure(worst[2])} of "
            f"{printable(worst[0])}"
        )

    def _record(self, scores: PartScores, judged: Judged) -> dict[str, Any]:
        height, width = scores.heat.shape
        return {
            "name": scores.name,
            "group": scores.group,
            "width": width,
            "height": height,
            "start": judged.start,
            "score": float(scores.score),
            "defective": judged.defective,
            "threshold": self._threshold,
            "pixel_threshold": self._pixel_threshold,
            "boxes": [asdict(box) for box in judged.boxes],
        }


def to_rgb(image: Tensor) -> Picture:
    """Bring a picture uint8 ``(1 or 3, H, W)`` to ``(H, W, 3)``."""
    channels = list(image.cpu().numpy())
    return np.asarray(cv2.merge(channels * 3 if len(channels) == 1 else channels), np.uint8)

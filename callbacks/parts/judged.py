"""What of a part lies above the thresholds: the one rule for files, screens and whoever asks from Python."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from callbacks.auc import Floats
from callbacks.parts.boxes import Box, find_boxes
from callbacks.parts.table import part_start
from datamodules.batches import PartScores


@dataclass(frozen=True, eq=False, slots=True)
class Judged:
    """A picture of a part, judged.

    Attributes:
        start: first column that was scored; left of it the heat is NaN.
        heat: float32 ``(H, W)``, raw score of every pixel.
        tile_score: float64 ``(N,)``, raw score of every tile.
        tile_defective: bool ``(N,)``: the tile's score lies above the threshold.
        mask: bool ``(H, W)``: the pixel's heat lies above the pixels' threshold.
        boxes: connected places of the mask, highest score first.
    """

    start: int
    heat: NDArray[np.float32]
    tile_score: Floats
    tile_defective: NDArray[np.bool_]
    mask: NDArray[np.bool_]
    boxes: list[Box]

    @property
    def defective(self) -> bool:
        """Whether any tile is."""
        return bool(self.tile_defective.any())


def judge(scores: PartScores, threshold: float, pixel_threshold: float) -> Judged:
    """Compare the scores of a picture with the thresholds of its model.

    Args:
        scores: of the picture.
        threshold: raw score above which a tile is defective.
        pixel_threshold: raw score above which a pixel of the heat is.

    Raises:
        ValueError: if a score is not finite; names the picture.
    """
    heat = scores.heat.float().cpu().numpy()
    start = part_start(scores.name, heat)
    tile_score = scores.tile_score.cpu().double().numpy()  # not every device has doubles
    for place, value in [*zip(scores.tile.tolist(), tile_score, strict=True), ("whole", float(scores.score))]:
        if not math.isfinite(value):
            raise ValueError(f"picture {scores.name!r}, tile {place}: score is {value}; weights or input have diverged")
    mask, boxes = find_boxes(heat, pixel_threshold)
    return Judged(start, heat, tile_score, tile_score > threshold, mask, boxes)

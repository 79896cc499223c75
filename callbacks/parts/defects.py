"""Connected places above a threshold, as boxes."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Box:
    """A connected place whose heat lies above the threshold, and the upright rectangle around it.

    Attributes:
        x: leftmost column, in pixels of the picture.
        y: topmost row.
        width: columns.
        height: rows.
        area: pixels above the threshold, at most ``width * height``.
        score: largest heat among them.
    """

    x: int
    y: int
    width: int
    height: int
    area: int
    score: float


def find_boxes(heat: NDArray[np.float32], threshold: float) -> tuple[NDArray[np.bool_], list[Box]]:
    """Find what lies strictly above a threshold; pixels that touch by a corner belong together.

    Args:
        heat: ``(H, W)``, NaN where nothing was scored.
        threshold: raw score.

    Returns:
        Mask ``(H, W)`` and its boxes, highest score first.
    """
    mask = heat > threshold  # never true of NaN
    count, found, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    label = np.asarray(found, np.int64)
    score = np.full(count, -np.inf)
    np.maximum.at(score, label[mask], heat[mask])
    boxes = [
        Box(x, y, width, height, area, highest)
        for (x, y, width, height, area), highest in zip(stats[1:].tolist(), score[1:].tolist(), strict=True)
    ]  # the first of both is the background
    return mask, sorted(boxes, key=lambda box: (-box.score, box.y, box.x))

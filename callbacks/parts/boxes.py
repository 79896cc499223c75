"""Connected places above a threshold, as boxes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from callbacks.parts.regions import find_regions


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
    region, area = find_regions(mask)
    score = np.full(len(area), -np.inf)
    np.maximum.at(score, region[mask], heat[mask])
    boxes = [
        Box(across.start, down.start, across.stop - across.start, down.stop - down.start, pixels, highest)
        for (down, across), pixels, highest in zip(
            ndimage.find_objects(region), area[1:].tolist(), score[1:].tolist(), strict=True
        )
    ]
    return mask, sorted(boxes, key=lambda box: (-box.score, box.y, box.x))

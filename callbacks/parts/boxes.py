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
    if not mask.any():
        return mask, []
    (top, *_, bottom), (left, *_, right) = (np.flatnonzero(mask.any(axis=axis))[[0, -1]] for axis in (1, 0))
    around = np.s_[top : bottom + 1, left : right + 1]  # the rest of a large picture need not be looked at again
    inner = mask[around]
    region, area = find_regions(inner)
    score = np.full(len(area), -np.inf)
    np.maximum.at(score, region[inner], heat[around][inner])
    boxes = [
        Box(
            int(left) + across.start,
            int(top) + down.start,
            across.stop - across.start,
            down.stop - down.start,
            pixels,
            highest,
        )
        for (down, across), pixels, highest in zip(
            ndimage.find_objects(region), area[1:].tolist(), score[1:].tolist(), strict=True
        )
    ]
    return mask, sorted(boxes, key=lambda box: (-box.score, box.y, box.x))

"""Where in a strip the fabric begins: what lies left of it is the bed of the machine, painted over or not.

Nothing here knows of defects or masks. A strip's own middle serves as the example of what its fabric looks like, and
the search goes leftwards from there, so that slow changes of the light are followed. Two properties of a block of
columns are compared: its grey level and its texture (mean absolute difference of neighbours, horizontal plus
vertical). A bed is smoother than a weave or of another grey; a selvage differs from the cloth as well.
"""

import math
from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from datamodules.picture_file import Frame

_BLOCK = 32  # columns
_MEMORY = 8  # blocks of fabric to the right that a block is compared with
_RUN = 2  # blocks in a row that must look like fabric
_GREY = 0.12  # largest relative difference of the grey level
_TEXTURE = 0.3  # largest difference of the natural logarithm of the texture


def margin_width(picture: Frame) -> int:
    """Return how many columns at the left of one picture are not fabric; a multiple of 32, at most half the width.

    Args:
        picture: grey levels, uint8 ``(H, W)``.
    """
    middle = picture.shape[1] // (2 * _BLOCK)
    grey, texture = _properties(picture[:, : (middle + _MEMORY) * _BLOCK])
    alike = np.ones(middle + _RUN, bool)
    fabric = list(range(middle, len(grey)))  # nearest first
    for block in reversed(range(middle)):
        level, roughness = np.median(grey[fabric]), np.median(texture[fabric])
        alike[block] = abs(grey[block] - level) <= _GREY * level and abs(texture[block] - roughness) <= _TEXTURE
        if alike[block]:
            fabric = [block, *fabric[: _MEMORY - 1]]
    runs = np.lib.stride_tricks.sliding_window_view(alike, _RUN).all(axis=1)
    return _BLOCK * int(runs.argmax())


def common_start(margins: Iterable[int], tile: int) -> int:
    """Return the first column that is clear of every margin and a multiple of ``tile``."""
    return tile * math.ceil(max(margins) / tile)


def _properties(picture: Frame) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return grey level and logarithm of the texture of every block of columns."""
    across = _column_means(cv2.absdiff(picture[:, 1:], picture[:, :-1]))
    along = _column_means(cv2.absdiff(picture[1:], picture[:-1]))
    texture = along + np.append(across, across[-1])  # the last column has no neighbour to the right
    whole = picture.shape[1] // _BLOCK
    levels, steps = (
        values[: whole * _BLOCK].reshape(whole, _BLOCK).mean(axis=1) for values in (_column_means(picture), texture)
    )
    return levels, np.log(steps + 0.5)


def _column_means(picture: Frame | cv2.typing.MatLike) -> NDArray[np.float64]:
    return np.asarray(cv2.reduce(picture, 0, cv2.REDUCE_AVG, dtype=cv2.CV_64F)[0], np.float64)

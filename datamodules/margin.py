"""Where in a strip the fabric begins: what lies left of it is the bed of the machine, painted over or not.

Nothing here knows of defects or masks. A strip's own middle serves as the example of what its fabric looks like, and
the search goes leftwards from there, so that slow changes of the light are followed. Two properties of a block of
columns are compared: its grey level and its texture (mean absolute difference of neighbours, horizontal plus
vertical). A bed is smoother than a weave or of another grey; a selvage differs from the cloth as well.
"""

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

_BLOCK = 32  # columns
_MEMORY = 8  # blocks of fabric to the right that a block is compared with
_RUN = 2  # blocks in a row that must look like fabric
_GREY = 0.12  # largest relative difference of the grey level
_TEXTURE = 0.3  # largest difference of the natural logarithm of the texture


def margin_width(picture: NDArray[np.floating] | NDArray[np.uint8]) -> int:
    """Return how many columns at the left of one picture are not fabric; a multiple of 32, at most half the width.

    Args:
        picture: grey levels ``(H, W)`` in [0, 255].
    """
    grey, texture = _properties(np.asarray(picture, np.float32))
    blocks = len(grey)
    alike = np.zeros(blocks, bool)
    alike[blocks // 2 :] = True
    fabric = list(range(blocks // 2, min(blocks // 2 + _MEMORY, blocks)))  # nearest first
    for block in reversed(range(blocks // 2)):
        level, roughness = np.median(grey[fabric]), np.median(texture[fabric])
        alike[block] = abs(grey[block] - level) <= _GREY * level and abs(texture[block] - roughness) <= _TEXTURE
        if alike[block]:
            fabric = [block, *fabric[: _MEMORY - 1]]
    runs = np.lib.stride_tricks.sliding_window_view(alike, _RUN).all(axis=1)
    return _BLOCK * int(runs.argmax())


def common_start(margins: Iterable[int], tile: int) -> int:
    """Return the first column that is clear of every margin and a multiple of ``tile``."""
    return tile * math.ceil(max(margins) / tile)


def _properties(picture: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return grey level and logarithm of the texture of every block of columns."""
    across = np.abs(np.diff(picture, axis=1, append=picture[:, -1:])).mean(axis=0)
    along = np.abs(np.diff(picture, axis=0)).mean(axis=0)
    whole = len(across) // _BLOCK * _BLOCK
    blocks = [columns[:whole].reshape(-1, _BLOCK).mean(axis=1) for columns in (picture.mean(axis=0), across + along)]
    return blocks[0], np.log(blocks[1] + 0.5)

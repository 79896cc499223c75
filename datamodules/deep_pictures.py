"""Pictures of more than eight bits: which values become black and white, and what is lost."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datamodules.errors import InputError
from datamodules.ranges import check_range
from datamodules.warn_once import warn_once

BitRange = tuple[int, int]
"""Values of black and of white; what lies beyond is black or white too."""

_FEW = 32  # grey levels


def checked_bit_range(given: object) -> BitRange | None:
    """Return a setting of ``data.bit_range``.

    Raises:
        InputError: if it is no pair of a darkest and a brightest value.
    """
    if given is None:
        return None
    if not isinstance(given, list | tuple) or len(given) != 2:
        raise InputError(f"data.bit_range: is {given}, must be the values of black and of white, e.g. [29000, 30600]")
    low, high = given
    for value in (low, high):
        check_range("data.bit_range", value, 0, 65_535)
    if low >= high:
        raise InputError(f"data.bit_range: is [{low}, {high}], the value of black must lie below that of white")
    return low, high


def to_eight_bits(
    values: NDArray[np.integer], path: Path, bit_range: BitRange | None, largest: int
) -> NDArray[np.uint8]:
    """Scale values of up to 16 bits to 0..255: over ``bit_range``, else over all that the file's depth allows.

    A warning tells, once, where next to nothing of the levels in a picture would remain.

    Args:
        values: of any shape, from 0 to ``largest``.
        path: of the file, for the warning.
        bit_range: black and white.
        largest: highest value of the depth, such as 65535.
    """
    low, high = bit_range or (0, largest)
    levels = np.rint((np.arange(largest + 1) - low) * (255 / (high - low))).clip(0, 255).astype(np.uint8)
    scaled: NDArray[np.uint8] = levels[values]
    there = np.flatnonzero(np.bincount(values.reshape(-1), minlength=1))
    left = np.count_nonzero(np.bincount(levels[there], minlength=1))
    if left < _FEW <= len(there):
        low, high = int(there[0]), int(there[-1])
        warn_once(
            f"{path}: of its {len(there)} grey levels, from {low} to {high}, {left} remain in 8 bits. Set "
            f"data.bit_range to the range of your training pictures, of this one [{low}, {high}], and train with it: a "
            "checkpoint keeps the range that it was trained with",
            about=__name__,  # of a folder with a thousand videos one is enough
        )
    return scaled

"""Connected regions of a mask; pixels that touch by a corner belong together."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from callbacks.auc import Ints

_EIGHT_NEIGHBOURS = np.ones((3, 3), bool)


def find_regions(mask: NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """Number the regions of a mask ``(H, W)``.

    OpenCV's function of this kind crashes on masks of a single row.

    Returns:
        Number of each pixel's region ``(H, W)``, 0 outside; and the pixels of every region ``(R + 1,)``, entry 0
        being what lies outside.
    """
    region, count = ndimage.label(mask, structure=_EIGHT_NEIGHBOURS)
    numbered = region.astype(np.int64)
    return numbered, np.bincount(numbered.ravel(), minlength=count + 1)

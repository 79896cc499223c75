"""Histograms of millions of pixel scores on a fine scale: small enough to keep, exact but for a known bound."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from callbacks.auc import Floats, Ints

_DROPPED_BITS = 11  # of the 23 of a float32's fraction: 4,096 steps from every power of two to the next
_SIGN = np.uint32(1 << 31)

AT_ONCE = 64
"""Pictures whose counts are added in one step."""

Counts = NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True)
class PixelCounts:
    """How many pixels have which score, by rising score.

    Scores are rounded down to 4,096 steps between two powers of two (a relative step of 2.4e-4), whatever their
    range, so that counts of several pictures can be added without knowing the range beforehand.

    Attributes:
        step: int ``(K,)``, rising numbers of the steps that occur.
        clean: int ``(K,)``, pixels without a defect.
        defective: int ``(K,)``, pixels on a defect.
        overlap: float64 ``(K,)``, share of its region that each defective pixel is, summed; all together it is
            the number of regions.
    """

    step: Counts
    clean: Counts
    defective: Counts
    overlap: Floats

    @property
    def nbytes(self) -> int:
        """Memory of the counts."""
        return self.step.nbytes + self.clean.nbytes + self.defective.nbytes + self.overlap.nbytes


def count_pixels(heat: NDArray[np.float32], mask: NDArray[np.bool_], region: Ints, size: Ints) -> PixelCounts:
    """Count the pixels of one picture.

    Args:
        heat: ``(N,)`` finite scores.
        mask: ``(N,)``, true on a defect.
        region: ``(N,)``, number of the pixel's connected region, 0 outside of the mask.
        size: ``(R + 1,)``, pixels of every region; entry 0 is not read.
    """
    if not heat.size:
        return add_counts([])
    step = _step_of(heat)
    lowest, highest = int(step.min()), int(step.max())
    place, length = step - lowest, highest - lowest + 1
    clean = np.bincount(place[~mask], minlength=length)
    defective = np.bincount(place[mask], minlength=length)
    overlap = np.bincount(place[mask], weights=1 / size[region[mask]], minlength=length).astype(np.float64)
    used = np.flatnonzero(clean + defective)
    return PixelCounts(_small(used + lowest), _small(clean[used]), _small(defective[used]), overlap[used])


def count_marked(heat: NDArray[Any], mask: NDArray[np.bool_]) -> PixelCounts:
    """Count pixels ``(N,)`` of which nothing is said about regions: all that ``pixel_auroc`` needs."""
    alone = mask.astype(np.int64)
    return count_pixels(heat.astype(np.float32), mask, alone, np.ones(2, np.int64))


def add_counts(parts: Sequence[PixelCounts]) -> PixelCounts:
    """Add the counts of several pictures, few at a time, since joining and sorting takes several times their memory."""
    total = _added(parts[:AT_ONCE])
    for first in range(AT_ONCE, len(parts), AT_ONCE):
        total = _added([total, *parts[first : first + AT_ONCE]])
    return total


def _added(parts: Sequence[PixelCounts]) -> PixelCounts:
    step, place = np.unique(_join([part.step for part in parts]), return_inverse=True)
    return PixelCounts(
        step,
        np.bincount(place, _join([part.clean for part in parts]), len(step)).astype(np.int64),
        np.bincount(place, _join([part.defective for part in parts]), len(step)).astype(np.int64),
        np.bincount(place, _join([part.overlap for part in parts]), len(step)).astype(np.float64),
    )


def exact_in_any_order(counts: PixelCounts) -> PixelCounts:
    """Round the shares of regions to whole parts of 2**-32, whose sum is exact below 2**21 regions.

    So what comes out does not depend on which process has added up which pictures, nor in which order.
    """
    return replace(counts, overlap=np.round(counts.overlap * 2.0**32) / 2.0**32)


def pixel_auroc(counts: PixelCounts) -> tuple[float, float] | None:
    """Area under the ROC curve of all pixels and how far it can be from that of the unrounded scores.

    Within a step the order is not known and counts as a tie: were it known, the area would differ by at most
    half of the pairs in a step. Returns None where one class is missing.
    """
    positives, negatives = int(counts.defective.sum()), int(counts.clean.sum())
    if not positives or not negatives:
        return None
    below = np.cumsum(counts.clean, dtype=np.float64) - counts.clean
    wins = float(np.sum(counts.defective * (below + counts.clean / 2)))
    tied = float(np.sum(counts.defective * counts.clean.astype(np.float64)))
    pairs = positives * negatives
    return wins / pairs, tied / 2 / pairs


def _small(values: NDArray[Any]) -> Counts:
    return values.astype(np.int32)  # half the memory: one picture's pixels are fewer than 2 ** 31


def _join(columns: Sequence[NDArray[Any]]) -> NDArray[Any]:
    return np.concatenate([np.empty(0, np.int64), *columns])


def _step_of(heat: NDArray[np.float32]) -> Ints:
    """Number float32 values in their own order: their bits do rise with the value, once the sign is dealt with."""
    bits = (heat.astype(np.float32) + np.float32(0)).view(np.uint32)  # adding 0 makes -0 the same as 0
    rising = np.where(bits & _SIGN, ~bits, bits | _SIGN)
    return (rising >> _DROPPED_BITS).astype(np.int64)

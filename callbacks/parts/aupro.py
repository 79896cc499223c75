"""Area under the per-region overlap: every defect counts the same, however small it is.

The measure of Bergmann et al., "The MVTec anomaly detection dataset", IJCV 2021, section 5.1.
"""

import numpy as np

from callbacks.auc import Floats
from callbacks.pixel_counts import PixelCounts

FPR_LIMIT = 0.3


def overlap_curve(counts: PixelCounts) -> tuple[Floats, Floats]:
    """Return false-positive rate and mean overlap, each ``(K + 1,)`` from 0 to 1, as the threshold falls.

    The overlap of a region is the share of its pixels at or above the threshold; the rate is the share of all
    clean pixels, of pictures with and without defects, that are.
    """
    false = np.append(0, np.cumsum(counts.clean[::-1], dtype=np.int64)) / counts.clean.sum()
    overlap = np.append(0, np.cumsum(counts.overlap[::-1])) / counts.overlap.sum()
    return false, overlap


def aupro(counts: PixelCounts, limit: float = FPR_LIMIT) -> tuple[float, float] | None:
    """Area under the overlap curve up to a false-positive rate of ``limit``, divided by ``limit``.

    The curve is drawn with straight lines and cut at ``limit``.

    Returns:
        The area in [0, 1], and how far it can be from that of the unrounded scores: within a step of the scale
        a rising curve lies between two corners of a rectangle, half of which the straight line leaves open.
        None without a region or without clean pixels.
    """
    if not counts.defective.sum() or not counts.clean.sum():
        return None
    false, overlap = overlap_curve(counts)
    end = int(np.argmax(false >= limit))  # the first point at or beyond the limit
    share = (limit - false[end - 1]) / (false[end] - false[end - 1])
    at_limit = overlap[end - 1] + share * (overlap[end] - overlap[end - 1])
    area = np.trapezoid(np.append(overlap[:end], at_limit), np.append(false[:end], limit)) / limit
    bound = np.sum(np.diff(false[: end + 1]) * np.diff(overlap[: end + 1])) / 2 / limit
    return float(area), float(bound)

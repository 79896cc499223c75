"""Long lines with few points, and numbers with few digits: no more than a screen can show, and no peak lost."""

from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

MOST_POINTS = 2000
"""Of one line; of a longer one the lowest and the highest of each of 1000 equal parts are drawn."""


def thinned(x: ArrayLike, y: ArrayLike, most: int = MOST_POINTS) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return a line of at most ``most`` points: of each of ``most / 2`` equal parts the lowest and the highest.

    No peak is lost, and each point is one of the line's own. A gap (a value that is not finite) is kept where a part
    has nothing else.

    Args:
        x: ``(N,)``, rising.
        y: ``(N,)``.
        most: an even number.
    """
    across, up = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if len(up) <= most:
        return across, up
    edges = np.linspace(0, len(up), most // 2 + 1).astype(int)
    rows: list[int] = []
    for begin, end in pairwise(edges.tolist()):
        part = np.where(np.isfinite(up[begin:end]), up[begin:end], np.nan)
        if np.isnan(part).all():
            rows.append(begin)
        else:
            rows += sorted({begin + int(np.nanargmin(part)), begin + int(np.nanargmax(part))})
    return across[rows], up[rows]


def numbers(values: NDArray[np.float64]) -> list[float | None]:
    """Return numbers with six digits, more than a screen can show; whole ones in full, None for a gap."""
    return [
        None if not np.isfinite(one) else int(one) if float(one).is_integer() else float(f"{one:.6g}") for one in values
    ]


def evenly(count: int) -> NDArray[np.int64]:
    """Return at most ``MOST_POINTS`` rows of a curve that rises all the way, both ends included."""
    return np.unique(np.linspace(0, count - 1, min(count, MOST_POINTS)).round().astype(np.int64))

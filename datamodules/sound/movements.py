"""How the pictures of clips move: the principal components of their change from the mean picture of their piece.

Where what matters is small, as lips in a face, components are found in pixels that count by how much they move: others
are mostly noise and the head's own movement, and take the first places by their number.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.sound.pieces import EvaluationPieces, Piece

Pieces = EvaluationPieces | Sequence[Piece]
Rows = NDArray[np.float32]

_LEAST = 1e-6
"""Length of a way, as a share of the longest, below which it is rounding: there are no more in which anything moves."""

_VALUES = 1 << 25  # of the pictures that components are found in: 134 MB


def find_movements(pieces: Pieces, chosen: Sequence[int], most: int) -> Any:
    """Return the principal components of pieces' changes, a fitted :class:`sklearn.decomposition.PCA`.

    Args:
        pieces: of clips.
        chosen: numbers of those that are looked at; of many an even sample of their pictures, in bounded memory.
        most: components; fewer where there are fewer pictures or pixels.
    """
    return _principal(_sample(pieces, chosen), most)


def find_weighed_movements(pieces: Pieces, chosen: Sequence[int], most: int, weights: Rows) -> Rows:
    """Return in which ways pixels move together that count by a weight.

    Args:
        pieces: of clips.
        chosen: numbers of those that are looked at, as of :func:`find_movements`.
        most: components; fewer where there are fewer pictures or pixels, or fewer ways in which they move.
        weights: of a pixel's three colours, ``(3 * H * W)``, at least 0.

    Returns:
        ``(K, 3 * H * W)``, each of the length 1: what every pixel, whatever its weight, does beside one principal
        component of the weighed pixels, by least squares.
    """
    seen = _sample(pieces, chosen)
    weighed = seen * weights
    amounts = _principal(weighed, most).transform(weighed)  # uncorrelated, so that each is fitted by itself
    ways = amounts.T @ seen
    lengths = np.linalg.norm(ways, axis=1, keepdims=True)
    moves = lengths[:, 0] > _LEAST * lengths.max()
    result: Rows = (ways[moves] / lengths[moves]).astype(np.float32)
    return result


def _sample(pieces: Pieces, chosen: Sequence[int]) -> Rows:
    step = -(-len(chosen) * math.prod(pieces[0].frames.shape) // _VALUES)
    return np.concatenate([changes(pieces[index])[order % step :: step] for order, index in enumerate(chosen)])


def _principal(rows: Rows, most: int) -> Any:
    from sklearn.decomposition import PCA  # a second to import, and needed once

    return PCA(min(most, len(rows) - 1, rows.shape[1]), svd_solver="randomized", random_state=0).fit(rows)


def changes(piece: Piece) -> Rows:
    """Return how each picture of a piece differs from their mean, ``(T, 3 * H * W)`` in [-1, 1], without padding."""
    shown = piece.frames[piece.valid].reshape(int(piece.valid.sum()), -1).astype(np.float32) / 255
    result: Rows = shown - shown.mean(axis=0)
    return result


def even(count: int, most: int) -> list[int]:
    """Return at most ``most`` of ``count`` numbers, evenly spread."""
    return [int(number) for number in np.unique(np.linspace(0, count - 1, min(count, most)).astype(int))]

"""How the pictures of clips move: the principal components of their change from the mean picture of their piece."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.sound.pieces import EvaluationPieces, Piece

Pieces = EvaluationPieces | Sequence[Piece]
Rows = NDArray[np.float32]

_VALUES = 1 << 25  # of the pictures that components are found in: 134 MB


def find_movements(pieces: Pieces, chosen: Sequence[int], most: int) -> Any:
    """Return the principal components of pieces' changes, a fitted :class:`sklearn.decomposition.PCA`.

    Args:
        pieces: of clips.
        chosen: numbers of those that are looked at; of many an even sample of their pictures, in bounded memory.
        most: components; fewer where there are fewer pictures or pixels.
    """
    from sklearn.decomposition import PCA  # a second to import, and needed once

    step = -(-len(chosen) * math.prod(pieces[0].frames.shape) // _VALUES)
    seen = np.concatenate([changes(pieces[index])[order % step :: step] for order, index in enumerate(chosen)])
    return PCA(min(most, len(seen) - 1, seen.shape[1]), svd_solver="randomized", random_state=0).fit(seen)


def changes(piece: Piece) -> Rows:
    """Return how each picture of a piece differs from their mean, ``(T, 3 * H * W)`` in [-1, 1], without padding."""
    shown = piece.frames[piece.valid].reshape(int(piece.valid.sum()), -1).astype(np.float32) / 255
    result: Rows = shown - shown.mean(axis=0)
    return result


def even(count: int, most: int) -> list[int]:
    """Return at most ``most`` of ``count`` numbers, evenly spread."""
    return [int(number) for number in np.unique(np.linspace(0, count - 1, min(count, most)).astype(int))]

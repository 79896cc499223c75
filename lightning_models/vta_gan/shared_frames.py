"""What overlapping windows have in common: the frames and the pairs of neighbours that a batch holds more than once.

What depends on a frame or on a pair alone is computed once for each distinct one, and then stands in all windows that
hold it. Windows of eight frames that begin every second frame hold each frame four times.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Distinct:
    """The distinct ones among the items of B windows of L items.

    Attributes:
        first: int64 ``(D,)``, where among the B * L items each distinct one comes first.
        which: int64 ``(B, L)``, number of the distinct item that stands there.
    """

    first: Tensor
    which: Tensor

    def once(self, function: Callable[[Tensor], Tensor], items: Tensor) -> Tensor:
        """Apply a function to every distinct item once.

        Args:
            function: takes ``(D, ...)``, and returns D rows that each depend on their own alone.
            items: ``(B, L, ...)``.

        Returns:
            Its rows in the places of their items, ``(B, L, ...)``.
        """
        return self.spread(function(self.take(items)))

    def take(self, items: Tensor) -> Tensor:
        """Return the distinct ones ``(D, ...)`` among the items ``(B, L, ...)``."""
        return items.flatten(0, 1)[self.first]

    def spread(self, rows: Tensor) -> Tensor:
        """Put D rows in the places of their items, ``(B, L, ...)``."""
        return rows[self.which]


@dataclass(frozen=True, slots=True)
class SharedFrames:
    """The distinct frames and pairs of a batch of B windows of T frames.

    Attributes:
        frames: of B times T.
        pairs: of neighbours, B times T - 1.
    """

    frames: Distinct
    pairs: Distinct


def shared_frames(video: Sequence[str], frame: Tensor) -> SharedFrames:
    """Find the distinct frames and pairs of windows by what identifies them.

    Args:
        video: B names; two windows of the same name are of the same video.
        frame: int64 ``(B, T)``, number of each frame in its video.
    """
    rows = [[(name, number) for number in numbers] for name, numbers in zip(video, frame.tolist(), strict=True)]
    pairs = [list(pairwise(row)) for row in rows]
    return SharedFrames(_distinct(rows, frame.device), _distinct(pairs, frame.device))


def _distinct(rows: Sequence[Sequence[Hashable]], device: torch.device) -> Distinct:
    number: dict[Hashable, int] = {}
    first: list[int] = []
    which = []
    for place, item in enumerate(item for row in rows for item in row):
        if item not in number:
            number[item] = len(first)
            first.append(place)
        which.append(number[item])
    return Distinct(
        torch.tensor(first, device=device), torch.tensor(which, device=device).reshape(len(rows), len(rows[0]))
    )

"""Overlapping windows of a stream, averaged frame by frame as soon as no later window can change a frame."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(slots=True)
class _Sum:
    score: float
    heat: NDArray[np.float64]
    windows: int


@dataclass(frozen=True, slots=True)
class Merged:
    """A frame whose windows have all been seen: its number, mean score, and mean heat ``(h, w)``."""

    frame: int
    score: float
    heat: NDArray[np.float32]


class WindowMerger:
    """Merges the windows of one video, which must come in the order of their first frames.

    Holds the frames of the windows still open, never more than a window spans.
    """

    def __init__(self, video: str) -> None:
        self._video = video
        self._open: dict[int, _Sum] = {}
        self._next = 0
        self._start = 0

    def __len__(self) -> int:
        return len(self._open)

    def add(self, frame: NDArray[np.int64], score: NDArray[np.float64], heat: NDArray[np.float32]) -> Iterator[Merged]:
        """Take in a window and yield the frames before it, which are final.

        Args:
            frame: ``(T,)``, rising frame numbers.
            score: ``(T,)``.
            heat: ``(T, h, w)``.

        Raises:
            RuntimeError: if the window begins before its predecessor, or frames are left out.
            ValueError: if a score is not finite; names the frame.
        """
        if frame[0] < self._start:
            raise RuntimeError(f"windows of {self._video!r} are out of order: {frame[0]} after {self._start}")
        for bad in np.flatnonzero(~np.isfinite(score))[:1]:
            raise ValueError(f"the score of video {self._video!r}, frame {frame[bad]}, is {score[bad]}")
        self._start = int(frame[0])
        yield from self._close(self._start)
        for number, value, grid in zip(frame.tolist(), score.tolist(), heat, strict=True):
            known = self._open.setdefault(number, _Sum(0.0, np.zeros(grid.shape), 0))
            known.score += value
            known.heat += grid
            known.windows += 1

    def rest(self) -> Iterator[Merged]:
        """Yield the frames that are still open; the video is over."""
        yield from self._close(max(self._open, default=-1) + 1)

    def _close(self, end: int) -> Iterator[Merged]:
        for number in sorted(self._open):
            if number >= end:
                break
            if number != self._next:
                raise RuntimeError(f"no window holds frame {self._next} of {self._video!r}")
            self._next += 1
            total = self._open.pop(number)
            yield Merged(number, total.score / total.windows, (total.heat / total.windows).astype(np.float32))

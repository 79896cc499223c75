"""Windows of frames that are watched, in batches, the same that a prediction makes of a file."""

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from datamodules.batches import VideoBatch
from datamodules.clips.live_stream import Shot, Stream
from datamodules.clips.video_stream import WindowCutter
from datamodules.clips.windows import Window, is_regular_start
from datamodules.letterbox import Region


class Watcher(Protocol):
    """Who waits for the scores of the frames."""

    def begin(self, first: Shot) -> None:
        """Know that a piece without a gap begins with this frame."""

    def take(self, shot: Shot) -> None:
        """Keep what is needed of a frame until its score is there."""

    def end(self) -> None:
        """Know that the piece is over, and that all of its windows have been scored."""


class LiveWindows:
    """Batches of a stream; each holds windows of one piece without a gap, whose frames are counted from 0.

    It has a length, which no stream ever reaches: without one Lightning would wait for the next batch before it hands
    out this one, so that every score came one batch late.

    Args:
        stream: the frames.
        cut: makes what cuts a piece, of its number and the place of the picture in the letterbox.
        batch_size: windows per batch; the last of a piece may have fewer.
        collate: makes a batch of windows.
        watcher: is told of the frames.
    """

    def __init__(
        self,
        stream: Stream,
        cut: Callable[[str, Region], WindowCutter],
        batch_size: int,
        collate: Callable[[Sequence[Window]], VideoBatch],
        watcher: Watcher,
    ) -> None:
        self._stream, self._cut, self._batch_size, self._collate = stream, cut, batch_size, collate
        self._watcher = watcher

    def __len__(self) -> int:
        return sys.maxsize

    def __iter__(self) -> Iterator[VideoBatch]:
        cutter: WindowCutter | None = None
        waiting: list[Window] = []
        pieces = 0
        for shot in self._stream:
            if shot is None:
                if cutter is not None:
                    yield from self._end(cutter, waiting)
                cutter, waiting = None, []
                continue
            if cutter is None:
                cutter = self._cut(str(pieces), shot.region)
                pieces += 1
                self._watcher.begin(shot)
            self._watcher.take(shot)
            waiting.extend(cutter.add(shot.small))
            if len(waiting) == self._batch_size:
                yield self._batch(waiting)
                waiting = []
        if cutter is not None:
            yield from self._end(cutter, waiting)

    def _end(self, cutter: WindowCutter, waiting: list[Window]) -> Iterator[VideoBatch]:
        windows = [*waiting, *cutter.end()]
        for first in range(0, len(windows), self._batch_size):
            yield self._batch(windows[first : first + self._batch_size])
        self._watcher.end()  # we are asked to go on when the batch before was scored

    def _batch(self, windows: Sequence[Window]) -> VideoBatch:
        for number, window in enumerate(windows):
            window.index = number
        return self._collate(windows)


def frames_until_final(num_frames: int, frame_step: int, stride: int, batch_size: int) -> int:
    """Return how many frames are read after a frame, at most, until no window can change its score any more.

    A frame is final when a window has been scored that begins behind it.
    """
    reach = (num_frames - 1) * frame_step + 1
    longest = done = 0  # ``done``: all frames before it are final
    waiting: list[int] = []
    for start in range(4 * frame_step * stride * (batch_size + 1)):  # the pattern repeats itself long before
        if not is_regular_start(start, frame_step, stride):
            continue
        waiting.append(start)
        if len(waiting) == batch_size:
            newest = start + reach + frame_step - 1  # frame with which the last window of the batch is complete
            longest = max(longest, newest - done) if start > done else longest
            done, waiting = max(done, start), []
    return longest

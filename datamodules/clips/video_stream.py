"""Windows of videos of any length, decoded while they are read: what ``predict`` runs on."""

import warnings
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from datamodules.batches import UNKNOWN_LABEL
from datamodules.clips.windows import Window, evaluation_starts, is_regular_start
from datamodules.deep_pictures import BitRange
from datamodules.errors import InputError
from datamodules.letterbox import Letterbox, Region
from datamodules.media import find_videos, probe, read_frames
from datamodules.named import source_name
from datamodules.picture_file import Frame
from datamodules.pipeline import ahead

_AHEAD = 64  # letterboxed frames that wait for the network


@dataclass(frozen=True)
class PredictSource:
    """One video to predict on.

    Attributes:
        name: unique among the sources; the ``video`` of its windows.
        path: file or folder of images, for ``media.read_frames``.
        fps: frames per second of what ``read_frames`` yields.
        height: of the frames, in pixels.
        width: of the frames, in pixels.
        frames: their number, None if it is known only at the end.
        bit_range: values of black and white in frames of more than 8 bits.
    """

    name: str
    path: Path
    fps: float
    height: int
    width: int
    frames: int | None
    bit_range: BitRange | None = None

    def read(self) -> Iterator[Frame]:
        """Yield its frames, uint8 RGB ``(height, width, 3)``."""
        return read_frames(self.path, self.bit_range)

    def letterboxed(self, letterbox: Letterbox) -> Iterator[Frame]:
        """Yield its frames as the model sees them, uint8 ``(3, H, W)``; a thread decodes ahead of the caller."""
        return ahead(map(letterbox.picture, self.read()), _AHEAD)


@dataclass(frozen=True, eq=False)
class GivenFrames(PredictSource):
    """Frames that a program hands over, in the place of a file.

    Attributes:
        given: the frames, uint8 RGB ``(height, width, 3)``; read once.
    """

    given: Iterable[Frame] = ()

    def read(self) -> Iterator[Frame]:
        """Yield the frames.

        Raises:
            InputError: if one has another size than the first.
        """
        for number, frame in enumerate(self.given):
            if frame.shape != (self.height, self.width, 3):
                raise InputError(
                    f"{self.name}: frame {number} measures {frame.shape[1]}x{frame.shape[0]}, the first one "
                    f"{self.width}x{self.height}; the frames of one video must have one size"
                )
            yield frame

    def letterboxed(self, letterbox: Letterbox) -> Iterator[Frame]:
        """Yield the frames as the model sees them, each asked for when it is needed, and in no other thread."""
        return map(letterbox.picture, self.read())


def find_predict_sources(
    root: Path, min_length: int, on_bad_file: Literal["error", "skip"], bit_range: BitRange | None = None
) -> list[PredictSource]:
    """Describe every video that ``root`` stands for, see ``media.find_videos``.

    Raises:
        InputError: if there is none, one is unreadable or shorter than ``min_length`` frames (unless those
            are skipped), or two have the same name.
    """
    found: dict[str, PredictSource] = {}
    for path in find_videos(root):
        try:
            source = _describe(path, min_length, bit_range)
        except InputError as error:
            if on_bad_file == "error":
                raise
            warnings.warn(f"left out: {error}", stacklevel=2)
            continue
        if source.name in found:
            raise InputError(
                f"{found[source.name].path} and {path} have the same name {source.name}; rename one of them"
            )
        found[source.name] = source
    if not found:
        raise InputError(f"data.source: no usable video in {root}")
    return list(found.values())


class StreamedWindows:
    """Windows of videos one after another, each in the order of its frames, every frame covered.

    Holds ``num_frames * frame_step + 1`` frames, and 64 that are decoded ahead, however long a video is. Has a length
    where all videos have one.

    Args:
        sources: the videos.
        letterbox: the size and the way of fitting.
        num_frames: T.
        frame_step: distance of a window's frames.
        stride: as in ``windows.evaluation_starts``.
    """

    def __init__(
        self, sources: Sequence[PredictSource], letterbox: Letterbox, num_frames: int, frame_step: int, stride: int
    ) -> None:
        self._sources = sources
        self._letterbox = letterbox
        self._num_frames = num_frames
        self._frame_step = frame_step
        self._stride = stride

    def __len__(self) -> int:
        total = 0
        for source in self._sources:
            if source.frames is None:
                raise TypeError(f"the number of frames of {source.path} is known only at its end")
            total += len(evaluation_starts(source.frames, self._num_frames, self._frame_step, self._stride))
        return total

    def __iter__(self) -> Iterator[Window]:
        index = 0
        for source in self._sources:
            for window in self._windows(source):
                window.index = index
                yield window
                index += 1

    def _windows(self, source: PredictSource) -> Iterator[Window]:
        region = self._letterbox.region(source.height, source.width)
        cutter = WindowCutter(source.name, region, self._num_frames, self._frame_step, self._stride)
        for frame in source.letterboxed(self._letterbox):
            yield from cutter.add(frame)
        _refuse_short(source.path, cutter.count, self._num_frames * self._frame_step)
        yield from cutter.end()


class WindowCutter:
    """Cuts windows out of frames that come one after another, each as soon as it is sure to be one.

    Holds ``num_frames * frame_step + 1`` frames.

    Args:
        name: ``video`` of the windows.
        region: top, left, height, width of the picture within the letterbox.
        num_frames: T.
        frame_step: distance of a window's frames.
        stride: as in ``windows.evaluation_starts``.

    Attributes:
        count: how many frames have come.
    """

    def __init__(self, name: str, region: Region, num_frames: int, frame_step: int, stride: int) -> None:
        self.count = 0
        self._name, self._region = name, region
        self._num_frames, self._step, self._stride = num_frames, frame_step, stride
        self._reach = (num_frames - 1) * frame_step + 1
        self._kept: deque[Frame] = deque(maxlen=self._reach + frame_step)

    def add(self, frame: Frame) -> Iterator[Window]:
        """Take in a letterboxed frame, uint8 ``(3, H, W)``, and yield the window that it completes, if it does."""
        self._kept.append(frame)
        self.count += 1
        start = self.count - self._reach - self._step  # later ones may belong to the last, whatever the stride
        if start >= 0 and is_regular_start(start, self._step, self._stride):
            yield self._window(start)

    def end(self) -> Iterator[Window]:
        """Yield the last windows; none where fewer frames came than windows need to cover all of them."""
        last = self.count - self._reach
        if last >= self._step - 1:
            yield from map(self._window, range(last - self._step + 1, last + 1))

    def _window(self, start: int) -> Window:
        numbers = start + self._step * np.arange(self._num_frames)
        return Window(
            frames=np.stack([self._kept[number - self.count] for number in numbers]),
            video=self._name,
            frame=numbers,
            label=np.full(self._num_frames, UNKNOWN_LABEL, np.int64),
            region=self._region,
            index=0,
        )


def _describe(path: Path, min_length: int, bit_range: BitRange | None) -> PredictSource:
    info = probe(path, bit_range)
    if info.frames is not None:
        _refuse_short(path, info.frames, min_length)
    return PredictSource(source_name(path), path, info.fps, info.height, info.width, info.frames, bit_range)


def _refuse_short(path: Path, frames: int, min_length: int) -> None:
    if frames < min_length:
        raise InputError(
            f"{path}: has {frames} frames, a window of data.num_frames x data.frame_step needs {min_length}"
        )

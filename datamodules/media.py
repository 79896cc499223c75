"""Reading and writing of moving pictures: video files through PyAV, folders of images as pictures are read.

A *video* is a file that PyAV decodes or a folder of images in natural order of their names. Both are read as
uint8 RGB frames ``(H, W, 3)``, one at a time, so that memory does not grow with the length.
"""

import os
import re
from array import array
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import numpy as np
from av.stream import Disposition
from numpy.typing import NDArray

from datamodules.atomic_file import atomic_file
from datamodules.cut_short import tell_if_cut
from datamodules.deep_pictures import BitRange
from datamodules.errors import InputError
from datamodules.listing import (
    COMPANIONS,
    IMAGE_SUFFIXES,
    VIDEO_SUFFIXES,
    children,
    list_images,
    other_files,
    tell_left_out,
)
from datamodules.picture_file import Frame, read_picture
from datamodules.warn_once import warn_once

FOLDER_FPS = 25.0
"""Rate assumed for a folder of images, which has no clock of its own."""

_BEHIND = 0  # grey level behind transparent pixels of a frame, that of the bars beside a letterboxed one
_IRREGULAR_SHARE = 0.02  # of the running time; a lone dropped frame does not make a rate variable
_LATE = 0.25  # seconds between the last frame and the end in a header that are no damage
_TOLERANCE = 0.02  # of the frames; containers other than MP4 also count frames dropped on recording


@dataclass(frozen=True)
class VideoInfo:
    """What is known of a video before it is decoded.

    Attributes:
        fps: frames per second of what ``read_frames`` yields; ``FOLDER_FPS`` for a folder of images.
        height: of the upright picture, in pixels.
        width: of the upright picture, in pixels.
        frames: how many frames ``read_frames`` will yield; None where the container has no usable index.
    """

    fps: float
    height: int
    width: int
    frames: int | None


def find_videos(path: Path) -> list[Path]:
    """Return the videos that ``path`` stands for, in natural order.

    Args:
        path: a video file, a folder of images (one video), or a folder of video files and folders of images.

    Raises:
        InputError: if ``path`` does not exist or holds no video.
    """
    if path.is_file():
        if path.suffix.lower() not in VIDEO_SUFFIXES:
            raise InputError(f"{path}: not a video file; known endings are {' '.join(VIDEO_SUFFIXES)}")
        return [path]
    if not path.is_dir():
        raise InputError(f"{path}: no such file or folder")
    found = children(path, lambda child: bool(list_images(child)) if child.is_dir() else _is_video_file(child))
    tell_left_out(path, other_files(path, (*VIDEO_SUFFIXES, *IMAGE_SUFFIXES, *COMPANIONS)), "video")
    if list_images(path):
        if found:
            raise InputError(
                f"{path}: holds images, which would be the frames of one video, and beside them {found[0].name}; put "
                "the images into a folder of their own"
            )
        return [path]
    if not found:
        raise InputError(
            f"{path}: holds no video; looked for files ending in {' '.join(VIDEO_SUFFIXES)}, "
            f"images ending in {' '.join(IMAGE_SUFFIXES)}, and folders of such images"
        )
    return found


def probe(path: Path, bit_range: BitRange | None = None) -> VideoInfo:
    """Describe a video without decoding more than its first frame.

    Args:
        path: of the video.
        bit_range: as in ``read_frames``.

    Raises:
        InputError: if it cannot be read, or its index promises more than the file holds.
    """
    if path.is_dir():
        images = _images_of(path)
        height, width = _frame_of(images[0], bit_range).shape[:2]
        return VideoInfo(FOLDER_FPS, height, width, len(images))
    timing = _read_timing(path)
    first = next(read_frames(path), None)
    if first is None:
        raise InputError(f"{path}: no frame could be decoded; the file is damaged or empty")
    return VideoInfo(timing.fps, first.shape[0], first.shape[1], timing.frames)


def read_frames(path: Path, bit_range: BitRange | None = None) -> Iterator[Frame]:
    """Yield every frame of a video as uint8 RGB ``(H, W, 3)``, upright, all of one size.

    The rotation noted in a file is applied. A file of constant rate yields each of its frames once, and again where
    its index or an empty packet says that it is shown on. Where more than 2 % of the running time lies between
    frames that are not one regular interval apart, the rate is variable: the frames are put on a grid of their mean
    rate by time, each instant showing the last frame begun (to half an interval), so that a movement keeps its
    speed; their number stays the same.

    Args:
        path: of the video.
        bit_range: values of black and white in a folder of images of more than 8 bits, see ``read_picture``.

    Raises:
        InputError: if the video is unreadable, truncated, or changes its size on the way.
    """
    frames: Iterator[Frame]
    if path.is_dir():
        frames = (_frame_of(image, bit_range) for image in _images_of(path))
    else:
        frames = map(upright, _decode(path, _read_timing(path)))
    size: tuple[int, ...] | None = None
    for number, frame in enumerate(frames):
        size = size or frame.shape
        if frame.shape != size:
            raise InputError(
                f"{path}: frame {number} measures {frame.shape[1]}x{frame.shape[0]}, the first one "
                f"{size[1]}x{size[0]}; the frames of one video must have one size"
            )
        yield frame


def read_timed_frames(path: Path) -> Iterator[tuple[float, Frame]]:
    """Yield every frame as uint8 RGB ``(H, W, 3)``, upright, with the time in seconds at which it is shown.

    None is repeated or left out, whatever the rate. The clock is the file's, which its sound shares and which
    need not begin at 0; a folder of images begins at 0 and has ``FOLDER_FPS``.

    Raises:
        InputError: if the video is unreadable or truncated.
    """
    if path.is_dir():
        for number, picture in enumerate(read_frames(path)):
            yield number / FOLDER_FPS, picture
        return
    timing = replace(_read_timing(path), variable=False)
    for number, frame in enumerate(_decode(path, timing)):
        time = timing.start + number / timing.fps if frame.time is None else frame.time
        yield time, upright(frame)


class VideoWriter:
    """Writes RGB frames to an H.264 MP4 that browsers play while it loads.

    The file appears under its name when the block is left without an error. Odd sizes are padded by one pixel, as the
    4:2:0 format demands. The same frames give the same bytes.

    >>> with VideoWriter(path, fps=25, size=(240, 360)) as video:  # doctest: +SKIP
    ...     video.write(frame)

    Args:
        path: where to write; ends in ``.mp4``.
        fps: frames per second.
        size: (height, width) of the frames in pixels.
        crf: H.264's quality, 0 lossless to 51 worst.
        preset: x264's way between speed and size, ``"ultrafast"`` to ``"placebo"``.
    """

    def __init__(self, path: Path, fps: float, size: tuple[int, int], crf: int = 20, preset: str = "veryfast") -> None:
        self._size = size
        self._file = ExitStack()  # leaving it puts the file in its place, or after an error removes it
        draft = self._file.enter_context(atomic_file(path))
        self._container: Any = av.open(draft.name, "w", format="mp4", options={"movflags": "+faststart"})
        rate = Fraction(fps).limit_denominator(1001)
        self._stream = self._container.add_stream("libx264", rate=rate)
        self._stream.height, self._stream.width = (side + side % 2 for side in size)
        self._stream.pix_fmt = "yuv420p"
        # Of more threads each codes a part of its own. x264's own arithmetic for one kind of processor (AVX-512) gave
        # other bytes from one call to the next. Both together cost a third more time.
        self._stream.codec_context.thread_count = 1
        self._stream.options = {"crf": str(crf), "preset": preset, "x264-params": "cpu-independent=1"}

    def write(self, frame: Frame) -> None:
        """Append one uint8 RGB frame ``(height, width, 3)``."""
        if frame.shape != (*self._size, 3) or frame.dtype != np.uint8:
            raise ValueError(f"expected uint8 {(*self._size, 3)}, got {frame.dtype} {frame.shape}")
        height, width = self._size
        if height % 2 or width % 2:
            frame = np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
        self._container.mux(self._stream.encode(picture))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with ExitStack() as stack:  # an error in here reaches the file, too
            stack.push(self._file)
            if kind is None:
                self._finish()
            self._container.close()
            if error is not None:
                raise error

    def _finish(self) -> None:
        """Write what the encoder still holds."""
        self._container.mux(self._stream.encode(None))


@dataclass(frozen=True)
class _Timing:
    """When the frames of a file are shown: ``start`` and ``fps``, and whether a grid of time is needed."""

    fps: float
    frames: int | None
    start: float
    variable: bool


def _is_video_file(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in VIDEO_SUFFIXES


def _images_of(folder: Path) -> list[Path]:
    images = list_images(folder)
    if not images:
        raise InputError(f"{folder}: holds no image ending in {' '.join(IMAGE_SUFFIXES)}")
    return images


def _frame_of(image: Path, bit_range: BitRange | None = None) -> Frame:
    return read_picture(image, 3, _BEHIND, bit_range=bit_range)


def open_container(path: Path) -> Any:
    """Open a file of video or sound with PyAV, whatever encoding its title has.

    Raises:
        InputError: if there is no such file.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if not os.access(path, os.R_OK):
        raise InputError(f"{path}: cannot be read (Permission denied); allow reading it")
    # A file may be a play list in disguise: never follow it to another protocol.
    return av.open(str(path), options={"protocol_whitelist": "file"}, metadata_errors="surrogateescape")


def shown_stream(path: Path, streams: Sequence[Any]) -> Any | None:
    """Return the stream of one kind that players choose: the default one, else the first; None where there is none.

    A picture of the cover is none. Where there are several, a warning says which it is.
    """
    moving = [stream for stream in streams if not stream.disposition & Disposition.attached_pic]
    chosen = next((stream for stream in moving if stream.disposition & Disposition.default), *moving[:1] or [None])
    if len(moving) > 1:
        why = "the default one" if chosen.disposition & Disposition.default else "the first"
        warn_once(f"{path}: has {len(moving)} {chosen.type} tracks; track {chosen.index} is taken, {why}")
    return chosen


@contextmanager
def _open_video(path: Path) -> Iterator[tuple[Any, Any]]:
    """Open the video stream of a file that players show; FFmpeg's errors inside the block name the file."""
    try:
        with open_container(path) as container:
            stream = shown_stream(path, container.streams.video)
            if stream is None:
                raise InputError(f"{path}: has no video stream")
            # Of damaged VP8, threads of frames make something else each time, and FFmpeg does not call it damaged.
            stream.thread_type = "SLICE" if stream.codec_context.name == "vp8" else "AUTO"
            yield container, stream
    except av.FFmpegError as error:
        raise InputError(f"{path}: unreadable video ({error.strerror}); it is damaged or not a video") from error


def _read_timing(path: Path) -> _Timing:
    """Read the time stamps of a file's packets (nothing is decoded) and compare their number to its index."""
    times, packets, repeats = array("d"), 0, 0
    with _open_video(path) as (container, stream):
        promised, nominal = stream.frames, stream.average_rate or stream.guessed_rate
        container_name, tag = container.format.name, stream.metadata.get("DURATION", "")
        is_mp4 = "mp4" in container_name
        for packet in container.demux(stream):
            packets += packet.size > 0
            repeats += packet.size == 0 and packet.dts is not None
            if packet.size > 0 and packet.pts is not None and not packet.is_discard:
                times.append(float(packet.pts * stream.time_base))
    moments = np.sort(np.asarray(times))
    # An index of others than MP4 also lists frames that were dropped on recording: the picture before is shown on.
    lasting = 0 if is_mp4 else _frames_until_the_last(moments, nominal)
    there = max(packets, lasting)
    declared = declared_seconds(container_name, tag)
    if declared and len(moments) and declared - (float(moments[-1]) + 1 / float(nominal or FOLDER_FPS)) > _LATE:
        warn_once(  # no error: a recording of a screen may show its last frame for as long
            f"{path}: its header says {declared:.2f} seconds and its last frame is at {moments[-1]:.2f}; if it was cut "
            "short, get it anew"
        )
    if promised - there > (0 if is_mp4 else max(1, _TOLERANCE * promised)):  # AVI with MP3 counts one more
        raise InputError(f"{path}: truncated, its index lists {promised} frames and {there} are there")
    start = float(moments[0]) if len(moments) else 0.0
    steps = np.diff(moments)
    regular = float(np.median(steps)) if len(steps) else 0.0
    if regular <= 0:
        return _Timing(float(nominal or FOLDER_FPS), packets or None, start, variable=False)
    length = float(steps.sum())
    odd = steps[np.abs(steps - regular) > 0.5 * regular]
    repeated = lasting - packets > max(1, _TOLERANCE * lasting) and (repeats or promised > packets)
    if repeated:  # the rate is constant, and pictures are shown on
        return _Timing(float(nominal), lasting, start, variable=True)
    if odd.sum() > _IRREGULAR_SHARE * length:
        return _Timing(len(steps) / length, len(moments), start, variable=True)
    return _Timing(float(nominal or 1 / regular), len(moments), start, variable=False)


def declared_seconds(container: str, tag: str) -> float | None:
    """Return when the last frame of a Matroska or WebM file ends, as its header has it; None where it does not say."""
    found = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", tag)
    if "matroska" not in container or found is None:
        return None
    hours, minutes, seconds = map(float, found.groups())
    return 3600 * hours + 60 * minutes + seconds


def _frames_until_the_last(moments: NDArray[np.float64], rate: Fraction | None) -> int:
    """Return how many frames of a constant rate there are up to the last one."""
    return round(float(moments[-1] - moments[0]) * float(rate)) + 1 if rate and len(moments) else 0


def _decode(path: Path, timing: _Timing) -> Iterator[Any]:
    """Yield PyAV's frames, on a grid of time where the rate is variable."""
    decoded = 0
    damaged: list[int] = []
    with _open_video(path) as (container, stream):
        tell_if_cut(path)
        # an empty packet says that the picture before is shown on; decoders take it for the end, or for damage
        coded = (packet for packet in container.demux(stream) if packet.size or packet.dts is None)
        frames = (frame for packet in coded for frame in packet.decode())
        for frame in _on_grid(frames, timing) if timing.variable else frames:
            if frame.is_corrupt:
                damaged.append(decoded)
            decoded += 1
            yield frame
    if damaged:
        warn_once(
            f"{path}: {len(damaged)} of its {decoded} frames are damaged (the first is frame {damaged[0]}), and "
            "guessed in part from those before; get it anew",
            about=(__name__, path),
        )
    if timing.frames is not None and timing.frames - decoded > _TOLERANCE * timing.frames:
        raise InputError(f"{path}: damaged, only {decoded} of its {timing.frames} frames could be decoded")


def upright(frame: Any) -> Frame:
    """Return a frame of PyAV's as uint8 RGB ``(H, W, 3)``, with the rotation applied that its file notes."""
    quarter_turns = round(frame.rotation / 90)
    picture: Frame = frame.to_ndarray(format="rgb24")
    return np.ascontiguousarray(np.rot90(picture, quarter_turns)) if quarter_turns % 4 else picture


def _on_grid(frames: Iterator[Any], timing: _Timing) -> Iterator[Any]:
    """Repeat or leave out frames so that they follow each other at ``timing.fps``."""
    shown, slot = None, 0
    for frame in frames:
        position = (frame.time - timing.start) * timing.fps - 1e-6  # ties despite rounding
        while shown is not None and slot + 0.5 < position:
            yield shown
            slot += 1
        shown = frame
    if shown is not None:
        yield shown

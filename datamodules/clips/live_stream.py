"""Frames of a source as they are watched: at the model's size, with their time, and with what has to be kept of them.

A file is read whole. What is live does not wait: where the model cannot keep up, frames are left out, always so many in
a row that what is looked at in one piece was one piece in front of the camera.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import cv2
import numpy as np

from datamodules.clips.live_source import TimedFrame
from datamodules.errors import InputError
from datamodules.letterbox import Letterbox, Region
from datamodules.picture_file import Frame

FIRST_WAIT, LONGEST_WAIT = 1.0, 30.0
"""Seconds until a lost source is tried again: the first time, and at most; each time is twice the one before."""
_RESUMED = 4  # part of the room that may still be taken when frames are taken in again
_JOIN = 2.0  # seconds that a reader gets to end; it may hang in the network
_QUALITY = 92  # of JPEG
_SHORTEST_STEP, _LONGEST_STEP = 0.001, 10.0  # seconds between two frames; a clock that says otherwise is not believed


@dataclass(frozen=True, slots=True)
class Shot:
    """A frame that was read.

    Attributes:
        number: of the frame in its source, from 0; those that were left out are counted.
        time: seconds since the first frame.
        small: uint8 ``(3, H, W)``, letterboxed.
        region: top, left, height, width of the picture within it.
        size: height and width of the original.
        jpeg: the original, for clips and the page; None where nobody needs it.
        at: when it came, UTC; None where it comes from a file.
    """

    number: int
    time: float
    small: Frame
    region: Region
    size: tuple[int, int]
    jpeg: bytes | None
    at: datetime | None


Shots = Iterable[Shot | None]
"""Frames in their order; None where some are missing in between."""


class Stream(Protocol):
    """Frames that are watched.

    Attributes:
        dropped: how many frames were left out so far.
    """

    dropped: int

    def __iter__(self) -> Iterator[Shot | None]:
        """Yield the frames; None where some are missing."""
        ...


class Prepare:
    """Makes a :class:`Shot` of a frame.

    Args:
        letterbox: the size and the way of fitting.
        keep_original: whether anybody needs it.
    """

    def __init__(self, letterbox: Letterbox, keep_original: bool) -> None:
        self._letterbox, self._keep = letterbox, keep_original

    def __call__(self, number: int, when: float, frame: Frame, at: datetime | None = None) -> Shot:
        """Return the shot of a frame, uint8 RGB ``(H, W, 3)``."""
        size = frame.shape[0], frame.shape[1]
        return Shot(
            number=number,
            time=when,
            small=self._letterbox.picture(frame),
            region=self._letterbox.region(*size),
            size=size,
            jpeg=to_jpeg(frame) if self._keep else None,
            at=at,
        )


def to_jpeg(frame: Frame) -> bytes:
    """Return a picture, uint8 RGB ``(H, W, 3)``, as JPEG."""
    done, data = cv2.imencode(".jpg", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    assert done
    return data.tobytes()


def from_jpeg(data: bytes) -> Frame:
    """Return a picture that :func:`to_jpeg` has written, uint8 RGB ``(H, W, 3)``."""
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)


class FileStream:
    """All frames of a file.

    Args:
        frames: with their times in seconds, rising.
        prepare: makes shots of them.
        is_over: whether to end before the file does.
        real_time: whether to wait for each until its time has come.
    """

    dropped = 0

    def __init__(
        self, frames: Iterable[tuple[float, Frame]], prepare: Prepare, is_over: Callable[[], bool], real_time: bool
    ) -> None:
        self._frames, self._prepare, self._is_over, self._real_time = frames, prepare, is_over, real_time

    def __iter__(self) -> Iterator[Shot | None]:
        began = time.monotonic()
        size: tuple[int, ...] | None = None
        for number, (when, frame) in enumerate(self._frames):
            while self._real_time and (wait := began + when - time.monotonic()) > 0 and not self._is_over():
                time.sleep(min(wait, 0.1))
            if self._is_over():
                return
            if size not in (None, frame.shape):
                yield None
            size = frame.shape
            yield self._prepare(number, when, frame)


class Clock:
    """The time of frames that come in, in seconds from the first, always rising.

    The clock of the source says how far apart two frames are: they come in bursts, above all at the beginning. Where it
    stands still, goes back, jumps, or there is none, it is how far apart they came.
    """

    def __init__(self) -> None:
        self._time = self._came = 0.0
        self._moment: float | None = None
        self._is_first = True

    def time_of(self, moment: float | None, came: float) -> float:
        """Return the time of a frame.

        Args:
            moment: seconds by the clock of the source; None where it has none.
            came: seconds by ours.
        """
        step = came - self._came
        if moment is not None and self._moment is not None and 0 < moment - self._moment < _LONGEST_STEP:
            step = moment - self._moment
        self._time = 0.0 if self._is_first else self._time + max(step, _SHORTEST_STEP)
        self._came, self._moment, self._is_first = came, moment, False
        return self._time

    def forget_source(self) -> None:
        """Know that the clock of the source may begin anew."""
        self._moment = None


class LiveStream:
    """The frames of a camera or an address, read beside the work; a source that is lost is tried again.

    Args:
        name: of the source, for messages.
        open_source: opens it and yields its frames, each with its time by the clock of the source, if that has one.
        prepare: makes shots of them.
        room: how many may wait. When so many do, frames are left out until a quarter is left.
        tell: gets a sentence when the source is lost, and when it is back.
        is_over: whether to end.

    Attributes:
        dropped: how many frames were left out.
        losses: how often the source was lost.
    """

    def __init__(
        self,
        name: str,
        open_source: Callable[[], Iterator[TimedFrame]],
        prepare: Prepare,
        room: int,
        tell: Callable[[str], None],
        is_over: Callable[[], bool],
    ) -> None:
        self.dropped = self.losses = 0
        self._name, self._open, self._prepare, self._room = name, open_source, prepare, room
        self._tell, self._is_over = tell, is_over
        self._waiting: deque[Shot | None] = deque()
        self._there = threading.Condition()
        self._ended = threading.Event()
        self._error: BaseException | None = None
        self._dropping = False
        self._number = 0
        self._size: tuple[int, ...] | None = None
        self._clock = Clock()

    def __iter__(self) -> Iterator[Shot | None]:
        reader = threading.Thread(target=self._read, name="camera", daemon=True)  # it may hang in the network
        reader.start()
        try:
            while not self._is_over():
                with self._there:
                    if not self._waiting and self._error is not None:
                        raise self._error
                    if not self._waiting:
                        self._there.wait(0.1)
                        continue
                    shot = self._waiting.popleft()
                yield shot
        finally:
            self._ended.set()
            reader.join(_JOIN)

    def _read(self) -> None:
        try:
            self._read_on()
        except BaseException as problem:  # it is raised where the frames are waited for
            with self._there:
                self._error = problem
                self._there.notify()

    def _read_on(self) -> None:
        wait, lost = FIRST_WAIT, 0.0
        while not self._ended.is_set():
            reason = "it has ended"
            try:
                for moment, frame in self._open():
                    if lost:
                        self._tell(f"{self._name} is back after {time.monotonic() - lost:.1f} seconds")
                    wait, lost = FIRST_WAIT, 0.0
                    self._offer(moment, frame)
                    if self._ended.is_set():
                        return
            except InputError as problem:
                reason = str(problem)
            if not self._number:
                raise InputError(f"--source {self._name}: {reason}. See that it is the right one, and that it sends")
            if not lost:
                lost = time.monotonic()
                self.losses += 1
                self._tell(f"{self._name} is lost: {reason}. Trying again")
                self._put(None)
                self._clock.forget_source()
            self._ended.wait(wait)
            wait = min(2 * wait, LONGEST_WAIT)

    def _offer(self, moment: float | None, frame: Frame) -> None:
        when = self._clock.time_of(moment, time.monotonic())
        number, self._number = self._number, self._number + 1
        if len(self._waiting) >= self._room:
            self._dropping = True
        if self._dropping and len(self._waiting) > self._room // _RESUMED:
            self.dropped += 1
            return
        if self._dropping or self._size not in (None, frame.shape):
            self._put(None)
        self._dropping, self._size = False, frame.shape
        self._put(self._prepare(number, when, frame, datetime.now(UTC)))

    def _put(self, shot: Shot | None) -> None:
        with self._there:
            self._waiting.append(shot)
            self._there.notify()

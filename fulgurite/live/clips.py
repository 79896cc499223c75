"""Clips of alarms, with some seconds before and after; encoded beside the work."""

import queue
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av

from datamodules.atomic_file import DiskError
from datamodules.clips.live_stream import from_jpeg
from datamodules.media import VideoWriter

ROOM = 256
"""Frames that may wait to be encoded; where more come, the watch waits for the encoder."""
_RATE = 25.0  # frames a second, of a clip that is too short to tell


@dataclass(frozen=True, slots=True)
class Kept:
    """A frame whose score is final: number, time in seconds, picture as JPEG, height and width."""

    number: int
    time: float
    jpeg: bytes
    size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Begin:
    path: Path
    fps: float
    size: tuple[int, int]
    done: Callable[[Path | None], None]


class ClipRecorder:
    """Holds the last seconds, and writes a clip from them on when it is told to.

    Args:
        before: seconds before an alarm that belong to its clip.
        shortest: seconds after which a beginning is known to be an alarm.
        longest: seconds after which a clip ends, however long its alarm goes on.
        tell: gets a sentence where a clip cannot be written.

    Attributes:
        failed: how many clips could not be written.
    """

    def __init__(self, before: float, shortest: float, longest: float, tell: Callable[[str], None]) -> None:
        self.failed = 0
        self._before, self._held, self._longest, self._tell = before, before + shortest, longest, tell
        self._last: deque[Kept] = deque()
        self._work: queue.Queue[_Begin | Kept | None] = queue.Queue(ROOM)
        self._until: float | None = None  # end of the open clip, as far as is known
        self._limit = 0.0
        self._size = (0, 0)
        self._error: BaseException | None = None
        self._encoder = threading.Thread(target=self._encode, name="clips", daemon=True)
        self._encoder.start()

    def begin(self, path: Path, start: float, done: Callable[[Path | None], None]) -> None:
        """Begin a clip with what is held from some seconds before an alarm on; one that is open ends.

        Args:
            path: of the clip.
            start: time of the alarm in seconds.
            done: called from another thread when it is finished, with its path, or None where it could not be written.
        """
        self.end()
        frames = [one for one in self._last if one.time >= start - self._before and one.size == self._last[-1].size]
        lasts = frames[-1].time - frames[0].time
        self._size = frames[0].size
        self._put(_Begin(path, (len(frames) - 1) / lasts if lasts > 0 else _RATE, self._size, done))
        for frame in frames:
            self._put(frame)
        self._until, self._limit = float("inf"), frames[0].time + self._longest

    def add(self, frame: Kept) -> None:
        """Take in a frame, for the clip that is open, and for the next."""
        self._last.append(frame)
        while self._last[0].time < frame.time - self._held:
            self._last.popleft()
        if self._until is None:
            return
        if frame.time > min(self._until, self._limit) or frame.size != self._size:
            self.end()
        else:
            self._put(frame)

    def end_at(self, when: float) -> None:
        """Let the open clip end at a time, in seconds."""
        self._until = None if self._until is None else when

    def end(self) -> None:
        """End the open clip."""
        if self._until is not None:
            self._until = None
            self._put(None)

    def close(self) -> None:
        """End the open clip, and wait until all are written."""
        self.end()
        self._work.join()
        if self._error is not None:
            raise self._error

    def _put(self, item: _Begin | Kept | None) -> None:
        if self._error is not None:
            raise self._error
        self._work.put(item)

    def _encode(self) -> None:
        writer = _Writer(self._failed)
        while True:
            item = self._work.get()
            try:
                if self._error is None:
                    writer.do(item)
            except BaseException as problem:  # a defect: it is raised where the frames come from
                self._error = problem
            finally:
                self._work.task_done()

    def _failed(self, path: Path, problem: Exception) -> None:
        self.failed += 1
        reason = getattr(problem, "reason", None) or getattr(problem, "strerror", None) or problem
        self._tell(f"{path} cannot be written: {reason}. The watch goes on without it")


class _Writer:
    """Encodes one clip after the other."""

    def __init__(self, failed: Callable[[Path, Exception], None]) -> None:
        self._failed = failed
        self._clip: _Begin | None = None
        self._video: Any = None

    def do(self, item: _Begin | Kept | None) -> None:
        """Begin a clip, write a frame, or end the clip."""
        try:
            if isinstance(item, _Begin):
                self._clip = item
                self._video = VideoWriter(item.path, item.fps, item.size).__enter__()
            elif self._video is not None and item is not None:
                self._video.write(from_jpeg(item.jpeg))
            elif self._video is not None:
                video, self._video = self._video, None
                video.__exit__(None, None, None)
        except (DiskError, OSError, av.FFmpegError) as problem:
            assert self._clip is not None
            self._give_up(problem)
            self._failed(self._clip.path, problem)
            self._clip.done(None)
            self._clip = None
        if item is None and self._clip is not None:
            clip, self._clip = self._clip, None
            clip.done(clip.path)

    def _give_up(self, problem: Exception) -> None:
        """Let the writer remove what it has begun; it raises the error once more."""
        video, self._video = self._video, None
        if video is not None:
            try:
                video.__exit__(type(problem), problem, problem.__traceback__)
            except (DiskError, OSError, av.FFmpegError):
                return

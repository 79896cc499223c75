"""Where live video comes from: a camera of this machine, an address in the network, a file that still grows."""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

import av
import cv2
import numpy as np

from datamodules.errors import InputError
from datamodules.media import upright
from datamodules.picture_file import Frame

_UDP, _TCP = "udp,rtp", "tcp,tls"
# A stream may be a play list that names others: it is followed to no file, and to no protocol that it has no need of.
PROTOCOLS = {
    "rtsp": f"rtsp,{_UDP},{_TCP}",
    "rtsps": f"rtsp,rtsps,{_UDP},{_TCP}",
    "http": f"http,https,httpproxy,{_TCP}",
    "https": f"http,https,httpproxy,{_TCP}",
    "rtmp": f"rtmp,{_TCP}",
    "udp": _UDP,
    "rtp": _UDP,
    "tcp": _TCP,
    "srt": "srt,udp",
}
"""Addresses that can be watched, and the protocols that FFmpeg may use for each."""
TimedFrame = tuple[float | None, Frame]
"""A frame, uint8 RGB ``(H, W, 3)``, and its time in seconds by the clock of the source, where it has one."""
PATIENCE = 10.0
"""Seconds without an answer or a frame after which a stream counts as lost."""
_LOOKS = 0.2  # seconds between two looks at a file that grows


@dataclass(frozen=True)
class LiveSource:
    """A source of live video.

    Attributes:
        kind: ``camera`` of this machine, ``address`` in the network, or ``file``.
        text: what opens it; of an address it may hold a password.
        shown: what may be printed and written: without password and query.
    """

    kind: Literal["camera", "address", "file"]
    text: str
    shown: str

    @property
    def is_live(self) -> bool:
        """Whether it goes on whether or not anybody looks."""
        return self.kind != "file"


def read_source(text: str) -> LiveSource:
    """Return the source that a user names by ``0``, ``/dev/video0``, ``rtsp://...`` or a path.

    Raises:
        InputError: if it is an address of a kind that cannot be read, or a path that leads nowhere.
    """
    device = re.fullmatch(r"(?:/dev/video)?(\d+)", text)
    if device:
        return LiveSource("camera", device[1], f"camera {device[1]}")
    if "://" in text:
        scheme = text.partition("://")[0].lower()
        if scheme not in PROTOCOLS:
            raise InputError(f"--source {without_secrets(text)}: give an address of {', '.join(PROTOCOLS)}, or a file")
        return LiveSource("address", text, without_secrets(text))
    if not Path(text).expanduser().exists():
        raise InputError(
            f"--source {text}: there is no such file; give a video, the number of a camera, or an address such as "
            "rtsp://camera.local/stream"
        )
    return LiveSource("file", str(Path(text).expanduser()), text)


def without_secrets(address: str) -> str:
    """Return an address without user, password and query, which may hold a key."""
    parts = urlsplit(address)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(
        (parts.scheme, f"***@{host}" if "@" in parts.netloc else host, parts.path, parts.query and "***", "")
    )


def open_live(source: LiveSource) -> Iterator[TimedFrame]:
    """Yield the frames of a camera or an address as they come, until it ends.

    Raises:
        InputError: if it cannot be opened, or breaks off; says why, without the address.
    """
    return _camera(int(source.text)) if source.kind == "camera" else _address(source.text)


def _camera(number: int) -> Iterator[TimedFrame]:
    capture = cv2.VideoCapture(number)
    try:
        if not capture.isOpened():
            raise InputError("it cannot be opened; is it plugged in, not in use, and may you read it?")
        while (read := capture.read())[0]:
            yield None, np.asarray(cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB), np.uint8)
    finally:
        capture.release()


def _address(address: str) -> Iterator[TimedFrame]:
    scheme = address.partition("://")[0].lower()
    options = {"protocol_whitelist": PROTOCOLS[scheme]}
    options |= {"rtsp_transport": "tcp"} if scheme == "rtsp" else {}  # over UDP lost packets smear the picture
    try:
        with av.open(address, options=options, timeout=PATIENCE, metadata_errors="surrogateescape") as container:
            for frame in _frames(container):
                yield frame.time, upright(frame)
    except av.FFmpegError as problem:
        late = isinstance(problem, av.error.ExitError)
        why = f"no answer for {PATIENCE:g} seconds" if late else problem.strerror
        raise InputError(str(why)) from problem


def _frames(container: Any) -> Iterator[Any]:
    stream = container.streams.best("video")
    if stream is None:
        raise InputError("it has no video")
    stream.thread_type = "SLICE"  # threads of frames would hold back one frame each
    for packet in container.demux(stream):
        yield from packet.decode()


class GrowingFile:
    """A file that somebody is still writing, for PyAV to read: its end is where it has not grown for a while.

    Args:
        path: of the file.
        idle: seconds without growth after which it counts as finished.
        is_over: whether to end at once.
    """

    def __init__(self, path: Path, idle: float, is_over: Callable[[], bool]) -> None:
        self._file = path.open("rb")
        self._idle, self._is_over = idle, is_over

    def read(self, count: int) -> bytes:
        """Return the next bytes, at most ``count``; waits for them; empty at the end."""
        until = time.monotonic() + self._idle
        while not (found := self._file.read(count)) and time.monotonic() < until and not self._is_over():
            time.sleep(_LOOKS)
        return found

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def follow(source: LiveSource, idle: float, is_over: Callable[[], bool]) -> Iterator[tuple[float, Frame]]:
    """Yield the frames of a file that grows, each with its time in seconds from the first.

    Args:
        source: the file.
        idle: seconds without growth after which it counts as finished.
        is_over: whether to end at once.

    Raises:
        InputError: if it is of a kind that can only be read when it is finished, or damaged.
    """
    file = GrowingFile(Path(source.text), idle, is_over)
    first = None
    try:
        options = {"protocol_whitelist": "file"}  # as of a file that is whole
        with av.open(file, "r", options=options, metadata_errors="surrogateescape") as container:
            rate = float(container.streams.video[0].average_rate or 25) if container.streams.video else 25.0
            for number, frame in enumerate(_frames(container)):
                at = number / rate if frame.time is None else frame.time
                first = at if first is None else first
                yield at - first, upright(frame)
    except (av.FFmpegError, InputError) as problem:
        reason = problem.strerror if isinstance(problem, av.FFmpegError) else problem
        raise InputError(
            f"--source {source.shown}: cannot be read while it grows ({reason}); record as .ts or .mkv, or leave out "
            "--follow once it is finished"
        ) from problem
    finally:
        file.close()

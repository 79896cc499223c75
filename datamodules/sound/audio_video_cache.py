"""Every clip with sound is decoded once, into memory-mapped arrays.

A cached clip is a folder with ``frames.raw`` (uint8 ``(length, 3, H, W)``, pictures at an even rate from the first
one on), ``sound.raw`` (float32, mono, from the same instant on) and ``clip.json``. It is built under another name
and renamed when complete, as in :mod:`datamodules.clips.cache`.
"""

import hashlib
import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from datamodules.errors import InputError
from datamodules.file_identity import file_edges
from datamodules.letterbox import Letterbox
from datamodules.media import Frame, read_timed_frames
from datamodules.sound.audio_video_sources import Pair
from datamodules.sound.sound import Sound, read_sound

FORMAT = 1
"""Raised whenever the same source and settings would be stored differently."""

_SILENT_END = 0.1  # seconds by which sound may end before the pictures: codecs work in blocks
_LONGEST_GAP = 60.0  # seconds between two pictures; a longer one is a broken clock


@dataclass(frozen=True)
class Settings:
    """How clips are stored.

    Attributes:
        sample_rate: samples per second.
        fps: pictures per second.
        letterbox: size of the pictures.
    """

    sample_rate: int
    fps: float
    letterbox: Letterbox

    def sample(self, frame: int) -> int:
        """Return the sample at which picture ``frame`` begins."""
        return round(frame * self.sample_rate / self.fps)


@dataclass(frozen=True, eq=False)
class CachedPair:
    """A clip that can be read anywhere without decoding; pickles as its path.

    Attributes:
        name: of the clip.
        folder: of the cache.
        length: number of pictures.
        settings: how it is stored.
    """

    name: str
    folder: Path
    length: int
    settings: Settings

    def frames(self, start: int, count: int) -> Frame:
        """Return uint8 ``(count, 3, H, W)`` from picture ``start`` on; 0 after the end."""
        size = (3, self.settings.letterbox.height, self.settings.letterbox.width)
        stored = _map(self.folder / "frames.raw", "uint8").reshape(-1, *size)[start : min(start + count, self.length)]
        result = np.zeros((count, *size), np.uint8)
        result[: len(stored)] = stored
        return result

    def sound(self, start: int, samples: int) -> Sound:
        """Return float32 ``(1, samples)`` from the instant of picture ``start`` on; 0 after the end."""
        first = self.settings.sample(start)
        end = min(first + samples, self.settings.sample(self.length))
        stored = _map(self.folder / "sound.raw", "float32")[first:end]
        result = np.zeros((1, samples), np.float32)
        result[0, : len(stored)] = stored
        return result


def cache_pairs(
    pairs: Sequence[Pair], settings: Settings, folder: Path, min_length: int, on_bad_file: Literal["error", "skip"]
) -> list[CachedPair]:
    """Open clips from the cache; those that are not there are decoded, several at a time.

    Args:
        pairs: what to open.
        settings: how to store them.
        folder: of the cache.
        min_length: pictures below which a clip is of no use.
        on_bad_file: whether a clip that cannot be used ends the run or is left out with a warning.

    Raises:
        InputError: naming the first unusable clip, unless those are skipped.
    """

    def open_or_build(pair: Pair) -> CachedPair | InputError:
        try:
            target = folder / _fingerprint(pair, settings)
            if not target.is_dir():
                _build(pair, settings, target)
            return _open(pair, settings, target, min_length)
        except InputError as error:
            return error

    console = Console(stderr=True)
    opened = []
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        results = pool.map(open_or_build, pairs)
        hidden = not console.is_terminal
        for result in track(results, "decoding", len(pairs), console=console, transient=True, disable=hidden):
            if isinstance(result, CachedPair):
                opened.append(result)
            elif on_bad_file == "error":
                pool.shutdown(cancel_futures=True)
                raise InputError(f"{result}\n(data.on_bad_file: skip leaves such clips out)") from result
            else:
                warnings.warn(f"left out: {result}", stacklevel=2)
    return opened


def _fingerprint(pair: Pair, settings: Settings) -> str:
    digest = hashlib.blake2b(repr((FORMAT, settings)).encode(), digest_size=8)
    for path in (pair.video, pair.sound):
        try:
            status = path.stat()
            digest.update(repr((str(path.resolve()), status.st_size, status.st_mtime_ns)).encode())
            digest.update(file_edges(path))
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    return digest.hexdigest()


def _open(pair: Pair, settings: Settings, folder: Path, min_length: int) -> CachedPair:
    length = json.loads((folder / "clip.json").read_text())["frames"]
    if length < min_length:
        raise InputError(
            f"{pair.video}: sound and pictures last {length / settings.fps:.2f} s together, at least half of "
            f"data.duration is needed, {min_length / settings.fps:.2f} s"
        )
    return CachedPair(pair.name, folder, length, settings)


def _build(pair: Pair, settings: Settings, target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".building-", dir=target.parent))
        try:
            _decode(pair, settings, draft)
            try:
                draft.rename(target)
            except OSError:
                if not target.is_dir():  # else another process was faster, and its result is the same
                    raise
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as error:
        raise InputError(
            f"data.cache_dir: cannot write to {target.parent} ({error.strerror}); name a folder with room"
        ) from error


def _decode(pair: Pair, settings: Settings, folder: Path) -> None:
    timed = ((time, settings.letterbox.picture(frame)) for time, frame in read_timed_frames(pair.video))
    first = next(timed, None)
    if first is None:
        raise InputError(f"{pair.video}: no frame could be decoded; the file is damaged or empty")
    length = 0
    with (folder / "frames.raw").open("wb") as file:
        for picture in _on_grid(pair.video, first, timed, settings.fps):
            file.write(picture.tobytes())
            length += 1
    heard, wanted = 0, settings.sample(length)
    origin = first[0] if pair.sound == pair.video else None
    with (folder / "sound.raw").open("wb") as file:
        for piece in read_sound(pair.sound, settings.sample_rate, origin=origin):
            if heard < wanted:  # all of it is decoded, to know whether it is damaged
                file.write(piece[0].tobytes())
                heard += piece.shape[1]
    audible = int((heard / settings.sample_rate + _SILENT_END) * settings.fps)
    facts = {"video": str(pair.video), "sound": str(pair.sound), "frames": min(length, audible)}
    (folder / "clip.json").write_text(json.dumps(facts))


def _on_grid(
    path: Path, first: tuple[float, Frame], rest: Iterator[tuple[float, Frame]], fps: float
) -> Iterator[Frame]:
    """Yield what is shown in the middle of every interval of ``1 / fps`` seconds, counted from the first picture.

    The last picture is held as long as one lasts on average.
    """
    origin, shown = first
    time, slot, count = 0.0, 0, 1
    for moment, picture in rest:
        if moment - origin - time > _LONGEST_GAP:
            raise InputError(
                f"{path}: no picture for {moment - origin - time:.0f} s from {time:.1f} s on; cut it there"
            )
        time, count = moment - origin, count + 1
        while (slot + 0.5) / fps < time - 1e-6:  # ties despite rounding
            yield shown
            slot += 1
        shown = picture
    end = max(slot + 1, round(time * count / max(count - 1, 1) * fps))
    for _ in range(slot, end):
        yield shown


@lru_cache(maxsize=256)  # each mapping holds a file descriptor, of which a process may have 1,024
def _map(path: Path, kind: str) -> NDArray[Any]:
    return np.memmap(path, kind, "r")

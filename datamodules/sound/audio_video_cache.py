"""Every clip with sound is decoded once, into memory-mapped arrays.

A cached clip is a folder with ``frames.npy`` (uint8 ``(length, C, H, W)``, C = 1 where all is grey, else 3, pictures
at an even rate from the first one on), ``sound.npy`` (float32 ``(n,)``, mono, from the same instant on) and
``clip.json``; see :mod:`datamodules.decode_cache`.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datamodules.arrays import GrowingArray, GrowingPictures, mapped
from datamodules.decode_cache import open_all
from datamodules.errors import BadFile, InputError
from datamodules.letterbox import Letterbox
from datamodules.media import read_timed_frames
from datamodules.picture_file import Frame
from datamodules.sound.audio_video_sources import Pair
from datamodules.sound.sound import Sound, read_sound

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
        stored = mapped(self.folder / "frames.npy")[start : min(start + count, self.length)]
        result = np.zeros((count, *size), np.uint8)
        result[: len(stored)] = stored  # a grey clip into three channels
        return result

    def sound(self, start: int, samples: int) -> Sound:
        """Return float32 ``(1, samples)`` from the instant of picture ``start`` on; 0 after the end."""
        first = self.settings.sample(start)
        end = min(first + samples, self.settings.sample(self.length))
        stored = mapped(self.folder / "sound.npy")[first:end]
        result = np.zeros((1, samples), np.float32)
        result[0, : len(stored)] = stored
        return result


def cache_pairs(
    pairs: Sequence[Pair], settings: Settings, cache: Path, min_length: int, on_bad_file: BadFile
) -> list[CachedPair]:
    """Open clips from the cache; those that are not there are decoded, several at a time.

    Args:
        pairs: what to open.
        settings: how to store them.
        cache: its folder.
        min_length: pictures below which a clip is of no use.
        on_bad_file: whether a clip that cannot be used ends the run or is left out with a warning.

    Raises:
        InputError: naming the first unusable clip, unless those are skipped.
    """
    return open_all(pairs, _PairRoom(settings, min_length), cache, on_bad_file)


@dataclass(frozen=True)
class _PairRoom:
    """How clips with sound are decoded and opened."""

    stored: Settings
    min_length: int
    name = "audio_video"
    kind = "clips"
    format = 2

    def settings(self, item: Pair) -> Settings:
        return self.stored

    def sources(self, item: Pair) -> list[Path]:
        return [item.video, item.sound]

    def decode(self, item: Pair, folder: Path) -> None:
        box = self.stored.letterbox
        timed = ((time, box.picture(frame)) for time, frame in read_timed_frames(item.video))
        first = next(timed, None)
        if first is None:
            raise InputError(f"{item.video}: no frame could be decoded; the file is damaged or empty")
        with GrowingPictures(folder / "frames.npy", box.height, box.width) as frames:
            for picture in _on_grid(item.video, first, timed, self.stored.fps):
                frames.append(picture[None])
        wanted = self.stored.sample(frames.length)
        origin = first[0] if item.sound == item.video else None
        with GrowingArray(folder / "sound.npy", np.float32, ()) as sound:
            for piece in read_sound(item.sound, self.stored.sample_rate, origin=origin):
                if sound.length < wanted:  # all of it is decoded, to know whether it is damaged
                    sound.append(piece[0])
        audible = int((sound.length / self.stored.sample_rate + _SILENT_END) * self.stored.fps)
        facts = {"video": str(item.video), "sound": str(item.sound), "frames": min(frames.length, audible)}
        (folder / "clip.json").write_text(json.dumps(facts))

    def open(self, item: Pair, folder: Path) -> CachedPair:
        length = json.loads((folder / "clip.json").read_text())["frames"]
        if length < self.min_length:
            fps = self.stored.fps
            raise InputError(
                f"{item.video}: sound and pictures last {length / fps:.2f} s together, at least half of "
                f"data.duration is needed, {self.min_length / fps:.2f} s"
            )
        return CachedPair(item.name, folder, length, self.stored)


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

"""Overlapping pieces of sounds of any length, decoded while they are read: what ``predict`` draws to."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from datamodules.errors import InputError
from datamodules.listing import VIDEO_SUFFIXES, children, tell_left_out
from datamodules.named import source_name
from datamodules.picture_file import Frame
from datamodules.sound.audio_video_cache import Settings
from datamodules.sound.pieces import Piece, PieceShape
from datamodules.sound.sound import SOUND_SUFFIXES, Sound, count_samples, read_sound, resampled


@dataclass(frozen=True)
class SoundSource:
    """One sound to draw to.

    Attributes:
        name: unique among the sources; the ``name`` of its pieces.
        path: sound or video file.
        fps: pictures per second to be generated.
        frames: number of pictures to be generated: the sound's length, to half a picture.
    """

    name: str
    path: Path
    fps: float
    frames: int

    def read(self, rate: int) -> Iterator[Sound]:
        """Yield it in pieces of float32 ``(1, n)``, at ``rate`` samples per second."""
        return read_sound(self.path, rate)


@dataclass(frozen=True, eq=False)
class GivenSound(SoundSource):
    """A sound that a program hands over, in the place of a file.

    Attributes:
        samples: float32 ``(channels, n)`` in [-1, 1].
        rate: samples per second.
    """

    samples: Sound = field(default_factory=lambda: np.zeros((1, 0), np.float32))
    rate: int = 1

    def read(self, rate: int) -> Iterator[Sound]:
        """Yield it in pieces, as of a file with these samples."""
        return resampled(self.name, self.samples, self.rate, rate)


def find_sound_sources(
    paths: Sequence[Path], sample_rate: int, fps: float, on_bad_file: Literal["error", "skip"]
) -> list[SoundSource]:
    """Describe every sound that ``paths`` stand for, each decoded once to know its exact length.

    Args:
        paths: sound files, videos with sound, or folders of either. A file named itself may have any ending; of a
            folder the files known by theirs are read, and a warning names the rest, subfolders too.
        sample_rate: samples per second.
        fps: pictures per second.
        on_bad_file: whether a file without usable sound ends the run or is left out with a warning.

    Raises:
        InputError: if there is none, or one is unusable (unless those are skipped).
    """
    files = [file for root in paths for file in _files(root)]
    names = [source_name(file) for file in files]
    if len(set(names)) < len(names):  # song.mp3 beside song.wav
        names = [file.name for file in files]
    found = []
    for name, path in zip(names, files, strict=True):
        try:
            seconds = count_samples(path, sample_rate) / sample_rate
        except InputError as error:
            if on_bad_file == "error":
                remedy = "\n(data.on_bad_file: skip leaves such sounds out)" if len(files) > 1 else ""
                raise InputError(f"{error}{remedy}") from error
            warnings.warn(f"left out: {error}", stacklevel=2)
            continue
        found.append(SoundSource(name, path, fps, max(1, round(seconds * fps))))
    if not found:
        raise InputError(f"data.source: no usable sound in {', '.join(map(str, paths))}")
    return found


class StreamedPieces:
    """Pieces of sounds one after another, one every ``stride`` pictures until all of a sound is covered.

    The last piece is filled up with silence. Pictures and the other sound are zero. Holds a piece, a stride and a
    second of sound, however long a sound is.

    Args:
        sources: the sounds.
        settings: rates and the size of the pictures.
        shape: length and distance of the pieces.
        still: uint8 ``(3, H, W)``, the picture to draw on; None: the one that the model knows.
    """

    def __init__(
        self, sources: Sequence[SoundSource], settings: Settings, shape: PieceShape, still: Frame | None = None
    ) -> None:
        self._sources, self._settings, self._shape, self._still = sources, settings, shape, still

    def __len__(self) -> int:
        return sum(len(self._starts(source)) for source in self._sources)

    def __iter__(self) -> Iterator[Piece]:
        index = 0
        for source in self._sources:
            pieces = source.read(self._settings.sample_rate)
            kept, first = np.zeros((1, 0), np.float32), 0  # ``first``: number of the first sample kept
            for start in self._starts(source):
                begin = self._settings.sample(start)
                end = begin + self._shape.samples
                while first + kept.shape[1] < end and (piece := next(pieces, None)) is not None:
                    kept = np.concatenate([kept, piece], axis=1)
                kept, first = kept[:, begin - first :], begin  # only now: a stride can be longer than what was kept
                yield self._piece(source, start, kept[:, : self._shape.samples], index)
                index += 1

    def _starts(self, source: SoundSource) -> range:
        uncovered = max(0, source.frames - self._shape.frames)
        return range(0, uncovered + self._shape.stride, self._shape.stride)

    def _piece(self, source: SoundSource, start: int, sound: Sound, index: int) -> Piece:
        frames, size = self._shape.frames, self._settings.letterbox
        return Piece(
            audio=np.pad(sound, ((0, 0), (0, self._shape.samples - sound.shape[1]))),
            frames=np.zeros((frames, 3, size.height, size.width), np.uint8),
            valid=start + np.arange(frames) < source.frames,
            other=np.zeros((1, self._shape.samples), np.float32),
            name=source.name,
            start=start / source.fps,
            index=index,
            still=self._still,
        )


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    suffixes = (*SOUND_SUFFIXES, *VIDEO_SUFFIXES)
    found = children(path, lambda child: child.suffix.lower() in suffixes and child.is_file())
    tell_left_out(path, [child for child in children(path) if child not in found], "sound or video")
    return found

"""Pieces of clips with sound: where they begin, and whose sound is put beside them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch.utils.data import Dataset

from datamodules.batches import AudioVideoBatch
from datamodules.picture_file import Frame
from datamodules.seeding import derive_seed
from datamodules.sound.audio_video_cache import CachedPair
from datamodules.sound.sound import Sound
from datamodules.sound.still import mean_picture


@dataclass(frozen=True)
class PieceShape:
    """How long a piece is.

    Attributes:
        frames: T, pictures per piece.
        samples: N, samples of sound per piece.
        stride: distance between the starts of pieces, in pictures.
    """

    frames: int
    samples: int
    stride: int


@dataclass(slots=True)
class Piece:
    """One row of an ``AudioVideoBatch``, as arrays."""

    audio: Sound
    frames: Frame
    valid: NDArray[np.bool_]
    other: Sound
    name: str
    start: float
    index: int
    still: Frame | None = None


class EvaluationPieces(Dataset[Piece]):
    """Pieces that begin every ``stride`` pictures, and a last one that ends with the clip; always the same.

    The sound of a different clip that is put beside a piece depends on nothing but its index.

    Args:
        clips: what to cut, at least two.
        shape: how.
    """

    def __init__(self, clips: Sequence[CachedPair], shape: PieceShape) -> None:
        self._clips, self._shape = clips, shape
        self._places = [
            (number, start) for number, clip in enumerate(clips) for start in evaluation_starts(clip.length, shape)
        ]

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> Piece:
        random = np.random.default_rng(derive_seed("other", index))
        return _cut(self._clips, *self._places[index], self._shape, index, random)


class TrainingPieces(Dataset[Piece]):
    """About a piece a stride of each clip; each begins anywhere within its part of the clip.

    Where it begins, and whose sound is put beside it, are functions of (seed, epoch, index).

    Args:
        clips: what to cut, at least two.
        shape: how.
        seed: of the run.
    """

    def __init__(self, clips: Sequence[CachedPair], shape: PieceShape, seed: int) -> None:
        self._clips, self._shape, self._seed = clips, shape, seed
        self._places = [(number, *part) for number, clip in enumerate(clips) for part in _parts(clip.length, shape)]

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, key: tuple[int, int]) -> Piece:
        epoch, index = key
        number, low, high = self._places[index]
        random = np.random.default_rng(derive_seed(self._seed, "piece", epoch, index))
        return _cut(self._clips, number, int(random.integers(low, high)), self._shape, index, random)


def evaluation_starts(length: int, shape: PieceShape) -> list[int]:
    """First pictures of pieces that together cover a clip of ``length`` pictures, ascending; 0 if it is short."""
    last = max(0, length - shape.frames)
    return [*range(0, last, shape.stride), last]


def _parts(length: int, shape: PieceShape) -> list[tuple[int, int]]:
    """Divide the places where a piece can begin into equal parts (end exclusive), none longer than a stride."""
    places = max(1, length - shape.frames + 1)
    count = -(-places // shape.stride)
    bounds = [places * part // count for part in range(count + 1)]
    return [*pairwise(bounds)]


def collate(pieces: Sequence[Piece]) -> AudioVideoBatch:
    """Stack pieces into a batch."""

    def stack(name: str) -> torch.Tensor:
        return torch.from_numpy(np.stack([getattr(piece, name) for piece in pieces]))

    return AudioVideoBatch(
        audio=stack("audio"),
        frames=stack("frames"),
        valid=stack("valid"),
        other=stack("other"),
        name=[piece.name for piece in pieces],
        start=torch.tensor([piece.start for piece in pieces], dtype=torch.float64),
        index=torch.tensor([piece.index for piece in pieces]),
        still=None if any(piece.still is None for piece in pieces) else stack("still"),
    )


def _cut(
    clips: Sequence[CachedPair], number: int, start: int, shape: PieceShape, index: int, random: Generator
) -> Piece:
    clip = clips[number]
    stranger = int(random.integers(len(clips) - 1))
    other = clips[stranger + (stranger >= number)]
    elsewhere = int(random.integers(max(1, other.length - shape.frames + 1)))
    frames, valid = clip.frames(start, shape.frames), start + np.arange(shape.frames) < clip.length
    return Piece(
        audio=clip.sound(start, shape.samples),
        frames=frames,
        valid=valid,
        other=other.sound(elsewhere, shape.samples),
        name=clip.name,
        start=start / clip.settings.fps,
        index=index,
        still=mean_picture(frames[valid]),
    )

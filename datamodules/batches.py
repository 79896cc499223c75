"""The typed form in which data travel to a model, and what it makes of them back to whoever reads it.

Every row carries its identity (video and frame, or name and index), so that duplicates can be dropped, windows
merged and a bad value named.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

import torch
from torch import Tensor

UNKNOWN_LABEL = -1


class _Movable:
    """A dataclass of tensors that moves between devices and into pinned memory as a whole."""

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Self:
        """Return a copy with every tensor on ``device``."""
        return self._map(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> Self:
        """Return a copy with every tensor in page-locked memory."""
        return self._map(lambda tensor: tensor.pin_memory())

    def _map(self, change: Callable[[Tensor], Tensor]) -> Self:
        changed: dict[str, Any] = {}
        for slot in fields(self):  # type: ignore[arg-type]  # every subclass is a dataclass
            value = getattr(self, slot.name)
            if isinstance(value, Tensor):
                changed[slot.name] = change(value)
            elif isinstance(value, dict):
                changed[slot.name] = {name: change(tensor) for name, tensor in value.items()}
        return replace(self, **changed)  # type: ignore[type-var]


@dataclass(slots=True)
class VideoBatch(_Movable):
    """B windows of T frames each.

    Attributes:
        frames: uint8 ``(B, T, 3, H, W)``, RGB, letterboxed to H x W.
        video: B names, unique within a split, e.g. ``"Test001"``.
        frame: int64 ``(B, T)``, number of the frame in its video, from 0.
        label: int64 ``(B, T)``: 1 anomalous, 0 normal, -1 unknown.
        region: int64 ``(B, 4)``: top, left, height, width in pixels of the picture within the letterbox.
        index: int64 ``(B,)``, number of the window in its dataset.
        mask: uint8 ``(B, T, H, W)``, 1 on anomalous pixels; None where the source has no masks.
        pseudo: uint8 ``(B, T, 3, H, W)``, the same windows with CutPaste and Cutout applied; training only.
        pseudo_mask: uint8 ``(B, T, H, W)``, 1 where ``pseudo`` was changed; training only.
    """

    frames: Tensor
    video: list[str]
    frame: Tensor
    label: Tensor
    region: Tensor
    index: Tensor
    mask: Tensor | None = None
    pseudo: Tensor | None = None
    pseudo_mask: Tensor | None = None

    def __len__(self) -> int:
        return len(self.video)


@dataclass(slots=True)
class FrameScores(_Movable):
    """What a model says of every frame of B windows; overlapping windows repeat a frame and are averaged.

    Attributes:
        video: B names, as in the batch.
        frame: int64 ``(B, T)``, number of the frame in its video.
        label: int64 ``(B, T)``: 1 anomalous, 0 normal, -1 unknown.
        index: int64 ``(B,)``, number of the window in its dataset: with ``frame`` the key of a score.
        score: float32 ``(B, T)``, raw, unbounded, larger is more anomalous.
        heat: float32 ``(B, T, h, w)``, score of every place on a grid that spans the H x W picture.
        region: int64 ``(B, 4)``: top, left, height, width in pixels of the picture within the letterbox.
        alternatives: named float32 ``(B, T)`` scores reported beside ``score``: the rule without any learning
            (``"baseline"``) and single parts of the score, for the ablation table.
        mask: uint8 ``(B, T, H, W)``, 1 on anomalous pixels, or None.
    """

    video: list[str]
    frame: Tensor
    label: Tensor
    index: Tensor
    score: Tensor
    heat: Tensor
    region: Tensor
    alternatives: dict[str, Tensor] = field(default_factory=dict)
    mask: Tensor | None = None

    def __len__(self) -> int:
        return len(self.video)


@dataclass(slots=True)
class ImageBatch(_Movable):
    """B pictures of one size.

    Attributes:
        images: uint8 ``(B, C, H, W)``, grey (C 1) or RGB (C 3).
        name: B names, unique within a split: the path below the source.
        label: int64 ``(B,)``, number of the class; 0 where the folder has no classes.
        index: int64 ``(B,)``, number of the picture in its dataset.
    """

    images: Tensor
    name: list[str]
    label: Tensor
    index: Tensor

    def __len__(self) -> int:
        return len(self.name)


@dataclass(slots=True)
class Reconstructions(_Movable):
    """What a variational autoencoder makes of B pictures, without noise: z is the posterior's mean.

    Attributes:
        name: B names, as in the batch.
        index: int64 ``(B,)``, as in the batch.
        images: float32 ``(B, C, H, W)``, the pictures in [0, 1].
        reconstructed: float32 ``(B, C, H, W)``, their reconstructions in [0, 1].
        mean: float32 ``(B, D)``, mean of the posterior.
        kl: float32 ``(B, D)``, KL divergence of every dimension from the standard normal, in nats.
    """

    name: list[str]
    index: Tensor
    images: Tensor
    reconstructed: Tensor
    mean: Tensor
    kl: Tensor

    def __len__(self) -> int:
        return len(self.name)


@dataclass(slots=True)
class TileBatch(_Movable):
    """B square tiles to train on, cut from pictures of faultless parts.

    Attributes:
        images: uint8 ``(B, C, S, S)``.
        group: B names of what is inspected, e.g. the fabric ``"03"``.
        index: int64 ``(B,)``, number of the tile in its dataset.
    """

    images: Tensor
    group: list[str]
    index: Tensor

    def __len__(self) -> int:
        return len(self.group)


@dataclass(slots=True)
class PartBatch(_Movable):
    """One whole picture of an inspected part, of any size; the model cuts it into tiles itself.

    Attributes:
        image: uint8 ``(C, H, W)``.
        name: unique within a split, e.g. ``"0044_019_04"``.
        group: what is inspected, e.g. the fabric ``"04"``; calibration and tables are per group.
        defect: kind of defect, e.g. ``"019"``; ``"good"`` without, ``"unknown"`` where nobody says.
        label: 1 defective, 0 faultless, -1 unknown.
        start: first column of the part; what lies left of it is machine, and neither scored nor counted.
        index: number of the picture in its dataset.
        mask: uint8 ``(H, W)``, 1 on the defect; None where nobody says.
    """

    image: Tensor
    name: str
    group: str
    defect: str
    label: int
    start: int
    index: int
    mask: Tensor | None = None

    def __len__(self) -> int:
        return 1


@dataclass(slots=True)
class PartScores(_Movable):
    """What a model says of one picture of a part.

    Attributes:
        name, group, defect, label, index, mask: as in the batch.
        heat: float32 ``(H, W)``, raw score of every pixel, larger is more anomalous; NaN left of the part's start.
        tile: int64 ``(N, 4)``: top, left, height, width in pixels of the tiles of a grid without overlap.
        tile_score: float32 ``(N,)``.
        tile_label: int64 ``(N,)``: 1 where the mask marks a pixel of the tile, 0 where not, -1 unknown.
        score: float32, 0-dim, of the whole picture.
        alternatives: named float32 ``(N,)`` tile scores reported beside ``tile_score``, such as rules without learning.
    """

    name: str
    group: str
    defect: str
    label: int
    index: int
    heat: Tensor
    tile: Tensor
    tile_score: Tensor
    tile_label: Tensor
    score: Tensor
    alternatives: dict[str, Tensor] = field(default_factory=dict)
    mask: Tensor | None = None

    def __len__(self) -> int:
        return 1


@dataclass(slots=True)
class AudioVideoBatch(_Movable):
    """B pieces of sound and the pictures that belong to them.

    Attributes:
        audio: float32 ``(B, 1, N)``, mono in [-1, 1]; zero where a piece is shorter.
        frames: uint8 ``(B, T, 3, H, W)``, RGB; 0 where a piece is shorter.
        valid: bool ``(B, T)``, False on the padding.
        other: float32 ``(B, 1, N)``, sound of a different clip: what the pictures do not belong to.
        name: B names of the clips, unique within a split.
        start: float64 ``(B,)``, where in the clip the piece begins, in seconds.
        index: int64 ``(B,)``, number of the piece in its dataset.
        still: uint8 ``(B, 3, H, W)``, the mean of each piece's own pictures; in prediction what ``data.still`` names,
            None where it names nothing.
    """

    audio: Tensor
    frames: Tensor
    valid: Tensor
    other: Tensor
    name: list[str]
    start: Tensor
    index: Tensor
    still: Tensor | None = None

    def __len__(self) -> int:
        return len(self.name)


@dataclass(slots=True)
class GeneratedClips(_Movable):
    """What a model generates to B pieces of sound; the batch beside it holds the pictures that belong to it.

    Attributes:
        frames: float32 ``(B, T, 3, H, W)`` in [0, 1], to the clip's own sound.
        shuffled: the same to the sound of a different clip; None in prediction.
        silent: the same to silence; None in prediction.
    """

    frames: Tensor
    shuffled: Tensor | None = None
    silent: Tensor | None = None

    def __len__(self) -> int:
        return len(self.frames)


@dataclass(slots=True)
class Samples(_Movable):
    """What a model decodes of B latent vectors.

    Attributes:
        latents: float ``(B, D)``.
        images: float ``(B, C, H, W)`` in [0, 1].
        clips: float ``(B, T, C, H, W)`` in [0, 1]; None of a model that makes pictures only.
    """

    latents: Tensor
    images: Tensor
    clips: Tensor | None = None

    def __len__(self) -> int:
        return len(self.images)

"""The typed form in which clips travel to a model, and its scores back to whoever reads them.

Every row carries its identity (video, frame), so that duplicates can be dropped, windows merged and a bad
value named.
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

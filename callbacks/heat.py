"""Heat, drawn alike everywhere: as colours on a scale, and over the picture it belongs to."""

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

Picture = NDArray[np.uint8]

_OPACITY = 0.65  # of the hottest places
_COLD, _OPAQUE = 255 / 4, 255 * 3 / 4  # strengths at which opacity begins and ends to grow


def heat_scale(threshold: float | None) -> tuple[float, float]:
    """Return the scores of the darkest and the brightest colour; a threshold lies half way between.

    From 0 to twice the threshold where it is positive, from 1 below to 1 above it otherwise, from 0 to 2 without one.
    """
    if threshold is None:
        return 0.0, 2.0
    return (0.0, 2 * threshold) if threshold > 0 else (threshold - 1, threshold + 1)


def heat_maps(heat: Tensor, size: Sequence[int], threshold: float | None) -> Tensor:
    """Bring heat ``(..., h, w)`` to maps ``(..., H, W)`` in [0, 1], where a place as strong as the threshold is 0.5."""
    low, high = heat_scale(threshold)
    flat = heat.detach().float().nan_to_num(low).flatten(0, -3)
    full = F.interpolate(flat[:, None], (size[0], size[1]), mode="bilinear")[:, 0]
    return ((full - low) / (high - low)).clamp(0, 1).unflatten(0, heat.shape[:-2])


def heat_colours(strength: Picture) -> Picture:
    """Turn strengths 0..255 ``(H, W)`` into RGB ``(H, W, 3)``: from black over red to bright yellow."""
    coloured = cv2.cvtColor(cv2.applyColorMap(strength, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)
    return np.ascontiguousarray(coloured, np.uint8)


def heat_over(picture: Picture, heat: NDArray[np.float32], scale: tuple[float, float]) -> Picture:
    """Return a copy of a picture with its heat drawn in.

    Up to a quarter of the scale nothing is drawn; from there on the colour runs from dark red to bright yellow and
    grows opaque up to three quarters. What a strength does to a pixel stands in a table of 256.

    Args:
        picture: uint8 RGB ``(H, W, 3)``.
        heat: ``(H, W)``; NaN is drawn as the lowest score.
        scale: scores of the darkest and the brightest colour.
    """
    low, high = scale
    steps = 255 / (high - low)
    # strength 7 stands for all from 7 up to 8
    strength = cv2.convertScaleAbs(np.fmax(heat, low), alpha=steps, beta=-steps * low - 0.5)
    kept, added = (cv2.merge([cv2.LUT(strength, column) for column in table]) for table in _tables())
    return np.asarray(cv2.add(cv2.multiply(picture, kept, scale=1 / 255), added), np.uint8)


def is_drawn(heat: NDArray[np.float32], scale: tuple[float, float]) -> NDArray[np.bool_]:
    """Return where heat is so high that :func:`heat_over` changes a picture."""
    low, high = scale
    return heat > low + (high - low) * _COLD / 255


@lru_cache
def _tables() -> tuple[Picture, Picture]:
    """Return of every strength the share in 255 that is kept of a pixel, and what is added, both uint8 ``(3, 256)``."""
    strength = np.arange(256, dtype=np.uint8)
    opacity = _OPACITY * np.clip((strength + 0.5 - _COLD) / (_OPAQUE - _COLD), 0, 1)
    added = (opacity[:, None] * heat_colours(strength[None])[0]).round().astype(np.uint8)
    return np.tile((255 * (1 - opacity)).round().astype(np.uint8), (3, 1)), np.ascontiguousarray(added.T)

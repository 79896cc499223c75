"""Synthetic defects that a model learns to take away: it is given the falsified tile and has to draw the clean one.

As DRAEM (Zavrtanik et al. 2021) and NSA (Schlüter et al. 2022) do. One to three of four kinds to a tile:

- ``cloth``: within an irregular region other cloth shows, partly or wholly.
- ``noise``: within such a region noise of some grain lies on the picture.
- ``yarn``: along a row or column yarns are thicker than they should be, or thinner.
- ``seam``: some rows or columns are absent, and the cloth on both sides has closed the gap, through the whole tile or
  from a place on to its edge.

None of them is a kind that models are selected on (``synthetic_defects.py``), and no code is shared with those: a model
that has learned its own falsifications by heart gains nothing there. Strengths are in standard deviations of the tile.
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from datamodules.picture_file import Frame

MOST = 3
"""Defects of a tile."""

_Field = NDArray[np.float32]


def falsified(tile: Frame, other: Frame, random: Generator) -> Frame:
    """Return a copy of a tile with defects.

    Args:
        tile: uint8 ``(C, S, S)``.
        other: of the same shape, another tile, of the same cloth or of other cloth.
        random: the only source of chance.
    """
    picture = tile.transpose(1, 2, 0).astype(np.float32)  # (S, S, C), as OpenCV has it
    spread = float(tile.std(axis=(1, 2)).mean())
    for number in random.integers(0, len(_KINDS), random.integers(1, MOST + 1)):
        picture = _KINDS[number](picture, other, spread, random).reshape(picture.shape)
    return np.rint(picture).clip(0, 255).astype(np.uint8).transpose(2, 0, 1)


def _cloth(picture: _Field, other: Frame, spread: float, random: Generator) -> _Field:
    shown = np.rot90(other.transpose(1, 2, 0), int(random.integers(4))).astype(np.float32)
    # of about the same light, so that the weave has to tell
    shown = shown + random.uniform(0.5, 1.0) * (picture.mean(axis=(0, 1)) - shown.mean(axis=(0, 1)))
    region = random.uniform(0.3, 1.0) * _region(len(picture), random)
    return np.asarray(picture + region * (shown - picture), np.float32)


def _noise(picture: _Field, other: Frame, spread: float, random: Generator) -> _Field:
    grain = _smooth_noise(len(picture), np.exp(random.uniform(np.log(1), np.log(32))), random)
    return np.asarray(picture + random.uniform(0.5, 2.0) * spread * _region(len(picture), random) * grain, np.float32)


def _yarn(picture: _Field, other: Frame, spread: float, random: Generator) -> _Field:
    turned, size = random.random() < 0.5, len(picture)
    width, length = random.uniform(3, 16), random.uniform(0.2, 2.0) * size
    along, across = np.arange(size, dtype=np.float32) - random.uniform(0, size, (2, 1)).astype(np.float32)
    reach = np.clip((0.5 * length - np.abs(along)) / 16, 0, 1)[:, None]
    # the cloth is stretched about the line, or squeezed, and unmoved farther away
    moved = random.uniform(-0.8, 0.8) * across * np.exp(-0.5 * (across / width) ** 2)
    return _turned(_shifted(_turned(picture, turned), reach * moved), turned)


def _seam(picture: _Field, other: Frame, spread: float, random: Generator) -> _Field:
    turned, size = random.random() < 0.5, len(picture)
    place, gap = random.uniform(0, size), random.uniform(1, 8)
    row = np.arange(size, dtype=np.float32)[:, None]
    begin = 0.0 if random.random() < 0.5 else random.uniform(0, size)
    closed = np.clip((row - begin) / 48, 0, 1) if begin else np.ones_like(row)  # (S, 1)
    aside = np.arange(size, dtype=np.float32)[None] - place  # (1, S)
    moved = closed * gap * 0.5 * np.sign(aside) * np.exp(-np.abs(aside) / random.uniform(8, 64))
    line = closed * np.exp(-0.5 * (aside / random.uniform(0.6, 1.5)) ** 2)
    shade = random.uniform(-0.6, 0.6) * spread
    closed_up = _shifted(_turned(picture, turned), moved) + (shade * line)[..., None]
    return _turned(np.asarray(closed_up, np.float32), turned)


_KINDS: tuple[Callable[[_Field, Frame, float, Generator], _Field], ...] = (_cloth, _noise, _yarn, _seam)


def _region(size: int, random: Generator) -> _Field:
    """Return an irregular region ``(S, S, 1)``, 1 inside and 0 outside with a soft edge."""
    radius = np.exp(random.uniform(np.log(4), np.log(0.3 * size)))
    x, y = np.arange(size, dtype=np.float32) - random.uniform(0, size, (2, 1)).astype(np.float32)
    stretch = np.exp(random.uniform(-1, 1))
    distance = np.hypot(x[None] * stretch, y[:, None] / stretch) / radius
    inside = 1 - distance + 0.4 * _smooth_noise(size, 0.5 * radius, random)[..., 0]
    return np.asarray(np.clip(0.5 + inside * radius / 3, 0, 1), np.float32)[..., None]


def _smooth_noise(size: int, grain: float, random: Generator) -> _Field:
    """Return noise ``(S, S, 1)`` of deviation about 1, whose grain is so many pixels wide."""
    coarse = max(2, round(size / grain))
    noise = random.normal(0, 1, (coarse, coarse)).astype(np.float32)
    return np.asarray(cv2.resize(noise, (size, size), interpolation=cv2.INTER_CUBIC), np.float32)[..., None]


def _turned(picture: _Field, turned: bool) -> _Field:
    return np.ascontiguousarray(picture.transpose(1, 0, 2)) if turned else picture


def _shifted(picture: _Field, moved: _Field) -> _Field:
    """Return ``(S, S, C)`` whose pixels come from so many columns farther right, ``moved`` ``(S, S)``."""
    size = len(picture)
    row, column = np.mgrid[:size, :size].astype(np.float32)
    seen = cv2.remap(picture, np.asarray(column + moved, np.float32), row, cv2.INTER_LINEAR, None, cv2.BORDER_REFLECT)
    return np.asarray(seen, np.float32).reshape(picture.shape)

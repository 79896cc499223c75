"""Synthetic defects for validation: copies of held-out faultless pictures with something wrong in them.

Models are selected on them, so that no test label takes part in the selection. Four kinds, one to a copy:

- ``blob``: a soft irregular spot, darker or brighter, as of dirt or a knot.
- ``thread``: a curved line of even width, as of a loose fibre.
- ``missing_yarn``: along a row or column the weave is smoothed away and darkened or brightened.
- ``patch``: within a soft box the contrast of the weave is lower or higher.

Strengths are in units of the picture's own standard deviation, so that a rough weave gets stronger defects than a
smooth one. The mask marks where a defect has at least half of its strength and the picture changed.
"""

from typing import Literal

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from datamodules.picture_file import Frame

Kind = Literal["blob", "thread", "missing_yarn", "patch"]
KINDS: tuple[Kind, ...] = ("blob", "thread", "missing_yarn", "patch")

_HALF = 0.5  # of a defect's strength, from which on a pixel is marked
_REACH = 160  # pixels from its centre, farther than any defect goes
_Field = NDArray[np.floating]


def add_defects(picture: Frame, kind: Kind, start: int, tile: int, random: Generator) -> tuple[Frame, Frame]:
    """Return a copy of a picture with defects of one kind, and their mask.

    The part is divided into cells of the size of a tile; every third cell, at least one, gets a defect, which may
    reach into its neighbours.

    Args:
        picture: uint8 ``(C, H, W)``.
        kind: what goes wrong.
        start: first column of the part.
        tile: edge of the cells in pixels.
        random: the only source of chance.

    Returns:
        uint8 ``(C, H, W)``, and uint8 ``(H, W)`` of 0 and 1.
    """
    changed, mask = picture.copy(), np.zeros(picture.shape[1:], np.uint8)
    part, marked = changed[:, :, start:], mask[:, start:]
    _, height, width = part.shape
    spread = float(part.std(axis=(1, 2)).mean())
    rows, columns = max(1, height // tile), max(1, width // tile)
    chosen = random.permutation(rows * columns)[: max(1, rows * columns // 3)]
    for cell in sorted(int(number) for number in chosen):
        row, column = divmod(cell, columns)
        x = (column + random.uniform(0.2, 0.8)) * width / columns
        y = (row + random.uniform(0.2, 0.8)) * height / rows
        left, top = max(0, round(x) - _REACH), max(0, round(y) - _REACH)
        near = np.s_[top : round(y) + _REACH, left : round(x) + _REACH]
        piece = part[:, *near].astype(np.float32)
        strength = _DRAW[kind](piece, (x - left, y - top), spread, random)
        part[:, *near] = np.rint(piece).clip(0, 255)
        marked[near] |= strength >= _HALF
    return changed, mask & (changed != picture).any(axis=0)


def _blob(part: _Field, centre: tuple[float, float], spread: float, random: Generator) -> _Field:
    radius, elongation, angle = np.exp(random.uniform(np.log(3), np.log(30))), random.uniform(1, 2.5), _angle(random)
    x, y = _around(part, centre, angle)
    bearing = np.arctan2(y, x / elongation)
    outline = sum(random.uniform(0, 0.3 / wave) * np.cos(wave * bearing + _angle(random)) for wave in (2, 3, 5))
    distance = np.hypot(x / elongation, y) / (radius * (1 + outline))
    strength = _soft(1 - distance, 0.15)
    part += _sign(random) * random.uniform(0.8, 2.5) * spread * strength
    return strength


def _thread(part: _Field, centre: tuple[float, float], spread: float, random: Generator) -> _Field:
    length, bend, width = random.uniform(30, 180), random.uniform(-0.4, 0.4), random.uniform(1.5, 4.0)
    way = np.linspace(-0.5, 0.5, 33)
    along, aside = length * way, length * bend * np.cos(np.pi * way) + 3 * np.sin(9 * way + _angle(random))
    angle = _angle(random)
    x = centre[0] + along * np.cos(angle) - aside * np.sin(angle)
    y = centre[1] + along * np.sin(angle) + aside * np.cos(angle)
    canvas = np.zeros(part.shape[1:], np.uint8)
    points = np.rint(16 * np.stack((x, y), axis=-1)).astype(np.int32)
    cv2.polylines(canvas, [points], False, 255, max(1, round(width)), cv2.LINE_AA, 4)
    strength = canvas / np.float32(255)
    part += _sign(random) * random.uniform(1.5, 3.0) * spread * strength
    return strength


def _missing_yarn(part: _Field, centre: tuple[float, float], spread: float, random: Generator) -> _Field:
    x, y = _around(part, centre, 0.5 * np.pi * random.integers(2))
    length, width = random.uniform(60, 256), random.uniform(2, 5)
    strength = _soft(0.5 * width - np.abs(y), 0.5) * _soft(0.5 * length - np.abs(x), 2.0)
    smooth = np.stack([cv2.GaussianBlur(channel, (0, 0), 6) for channel in part])
    shift = _sign(random) * random.uniform(0.5, 1.5) * spread
    part += strength * (smooth + shift - part)
    return strength


def _patch(part: _Field, centre: tuple[float, float], spread: float, random: Generator) -> _Field:
    x, y = _around(part, centre, random.uniform(-0.3, 0.3))
    width, height = random.uniform(24, 128, 2)
    strength = _soft(0.5 * width - np.abs(x), 2.0) * _soft(0.5 * height - np.abs(y), 2.0)
    smooth = np.stack([cv2.GaussianBlur(channel, (0, 0), 6) for channel in part])
    gain = random.uniform(0.2, 0.5) if random.random() < 0.5 else random.uniform(1.6, 2.2)
    part += strength * (gain - 1) * (part - smooth)
    return strength


_DRAW = {"blob": _blob, "thread": _thread, "missing_yarn": _missing_yarn, "patch": _patch}


def _around(part: _Field, centre: tuple[float, float], angle: float) -> tuple[_Field, _Field]:
    """Return coordinates ``(H, W)`` in pixels in a frame turned by ``angle`` about ``centre`` (column, row)."""
    height, width = part.shape[1:]
    x = np.arange(width, dtype=np.float32)[None] - centre[0]
    y = np.arange(height, dtype=np.float32)[:, None] - centre[1]
    return x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)


def _soft(inside: _Field, width: float) -> _Field:
    """Return 1 well inside, 0 well outside and a half on the edge, where ``inside`` is 0."""
    return np.asarray(0.5 * (1 + np.tanh(inside / width)), np.float32)


def _sign(random: Generator) -> float:
    return 1.0 if random.random() < 0.5 else -1.0


def _angle(random: Generator) -> float:
    return random.uniform(0, 2 * np.pi)

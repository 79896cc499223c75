"""Synthetic defects for validation: copies of held-out faultless pictures with something wrong in them.

Models are selected on them, so that no test label takes part in the selection. Four kinds, one to a copy:

- ``blob``: a soft irregular spot, darker or brighter, as of dirt or a knot.
- ``thread``: a curved line of even width, as of a loose fibre.
- ``missing_yarn``: along a row or column the weave is smoothed away and darkened or brightened.
- ``patch``: within a soft box the contrast of the weave is lower or higher.

Evidence of lines is judged on two more (``benchmarks/trainings/aitex_lines.py``):

- ``missing_pick``: a faint line through the part, a pixel or two wide, towards which the yarns beside it have moved,
  as where one of them is missing.
- ``thick_pick``: the same where one is too thick and pushes the others aside.

What is wider than anything that a network has to draw is judged on one (``benchmarks/trainings/aitex_map.py``):

- ``band``: along a row or column the part is darker or brighter, the weave as it is.

Strengths are in units of the picture's own standard deviation, so that a rough weave gets stronger defects than a
smooth one. The mask marks where a defect has at least half of its strength and the picture changed.
"""

from typing import Literal

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from datamodules.picture_file import Frame

Kind = Literal["blob", "thread", "missing_yarn", "patch", "missing_pick", "thick_pick", "band"]
KINDS: tuple[Kind, ...] = ("blob", "thread", "missing_yarn", "patch")
"""On which models are selected."""
LINES: tuple[Kind, ...] = ("missing_pick", "thick_pick")
"""Through the whole part, on which evidence of lines is judged."""
WIDE: tuple[Kind, ...] = ("band",)
"""On which a map of latent dimensions is judged."""

_HALF = 0.5  # of a defect's strength, from which on a pixel is marked
_REACH = 160  # pixels from its centre, farther than any defect goes
_LONG = 512  # the same of a line through the part
_LONGEST_PERIOD = 32  # pixels from yarn to yarn
_NEAR = 0.8  # of the largest autocorrelation
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
        reach = _LONG if kind in LINES else _REACH
        left, top = max(0, round(x) - reach), max(0, round(y) - reach)
        near = np.s_[top : round(y) + reach, left : round(x) + reach]
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


def _band(part: _Field, centre: tuple[float, float], spread: float, random: Generator) -> _Field:
    x, y = _around(part, centre, 0.5 * np.pi * random.integers(2))
    length, width = random.uniform(100, 300), random.uniform(20, 70)
    strength = _soft(0.5 * width - np.abs(y), 4.0) * _soft(0.5 * length - np.abs(x), 4.0)
    part += _sign(random) * random.uniform(0.5, 1.5) * spread * strength
    return strength


def _missing_pick(part: _Field, centre: tuple[float, float], spread: float, random: Generator) -> _Field:
    return _pick(part, centre, spread, random, towards=1)


def _thick_pick(part: _Field, centre: tuple[float, float], spread: float, random: Generator) -> _Field:
    return _pick(part, centre, spread, random, towards=-1)


def _pick(part: _Field, centre: tuple[float, float], spread: float, random: Generator, towards: int) -> _Field:
    """Draw a line down the part, or along it; the yarns beside it have moved ``towards`` it (1) or away (-1)."""
    if random.random() < 0.5:  # along
        turned = np.ascontiguousarray(part.transpose(0, 2, 1))
        strength = _pick_down(turned, centre[1], spread, random, towards).T
        part[:] = turned.transpose(0, 2, 1)
        return strength
    return _pick_down(part, centre[0], spread, random, towards)


def _pick_down(part: _Field, x: float, spread: float, random: Generator, towards: int) -> _Field:
    _, height, width = part.shape
    period = yarn_period(part)
    row = np.arange(height, dtype=np.float32)[:, None]
    path = x + 0.5 * np.sin(2 * np.pi * row / random.uniform(300, 900) + _angle(random))  # (H, 1)
    aside = np.arange(width, dtype=np.float32)[None] - path  # (H, W)
    moved = towards * random.uniform(0.2, 0.5) * period * np.sign(aside) * np.exp(-np.abs(aside) / (0.75 * period))
    seen = (np.asarray(aside + path + moved, np.float32), np.repeat(row, width, axis=1))
    for channel in part:
        channel[:] = cv2.remap(channel, *seen, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    strength = np.exp(-0.5 * (aside / random.uniform(0.5, 1.0)) ** 2)
    part += _sign(random) * random.uniform(0.3, 0.9) * spread * strength
    return np.asarray(strength, np.float32)


def yarn_period(part: _Field) -> int:
    """Return the distance in columns after which a weave ``(C, H, W)`` is like itself again, from its autocorrelation.

    Looked for behind the first dip, since every picture is like itself nearby, and up to 32 pixels: the first distance
    that comes near the best one, of which all multiples are as good.
    """
    grey = part.mean(axis=0)
    fine = grey - cv2.GaussianBlur(grey, (0, 0), 12)
    power = np.square(np.abs(np.fft.rfft(fine, axis=1))).mean(axis=0)
    alike = np.fft.irfft(power)[: _LONGEST_PERIOD + 2]
    dips = np.flatnonzero(np.diff(alike) > 0)
    behind = alike[int(dips[0]) if len(dips) else 1 :]
    peaks = np.flatnonzero((behind[1:-1] >= behind[:-2]) & (behind[1:-1] >= behind[2:])) + 1
    near = [peak for peak in peaks if behind[peak] >= _NEAR * behind[peaks].max()]
    return len(alike) - len(behind) + int(near[0] if near else behind.argmax())


_DRAW = {
    "blob": _blob,
    "thread": _thread,
    "missing_yarn": _missing_yarn,
    "patch": _patch,
    "missing_pick": _missing_pick,
    "thick_pick": _thick_pick,
    "band": _band,
}


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

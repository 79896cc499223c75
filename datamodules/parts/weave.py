"""The embedded default data: a generated weave with known defects, written once as a small set in the AITEX layout.

Cloth is drawn thread by thread: a pattern says which of warp and weft lies on top, every thread has its own width,
path and brightness, and light falls off along the strip. Defects are faults of this making, such as an end that is
absent or picks that lie too close, and things that lie on the cloth. They share no code and no parameters with the
synthetic defects that models are selected on (``synthetic_defects.py``).
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from datamodules.decode_cache import made_once
from datamodules.picture_file import Frame
from datamodules.png_file import write_png

WEAVE_VERSION = 1
"""Raised whenever the recipe draws something else."""
HEIGHT, WIDTH = 256, 1024
NORMAL_STRIPS = 12
"""Faultless strips of each fabric."""
DEFECTS: dict[str, str] = {
    "002": "broken end",
    "006": "broken yarn",
    "010": "broken pick",
    "019": "fuzzyball",
    "027": "knot",
    "029": "contamination",
}
"""Codes of the defects that are drawn, as AITEX numbers them; every fabric has one strip of each."""

_Field = NDArray[np.float32]
_Span = tuple[int, int]


@dataclass(frozen=True)
class _Fabric:
    """How a fabric is made; periods in pixels, ``over[weft, warp]`` tells where the warp lies on top."""

    over: NDArray[np.bool_]
    warp_period: float
    weft_period: float
    warp_grey: float
    weft_grey: float
    margin: _Span  # least and most columns of the machine's bed
    painted: bool  # whether the bed is painted white


_TWILL = np.array([[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1], [1, 0, 0, 1]], bool)
_PLAIN = np.array([[1, 0], [0, 1]], bool)
_SATIN = np.array([[(3 * row + column) % 5 == 0 for column in range(5)] for row in range(5)])
_FABRICS = {
    "00": _Fabric(_TWILL, 6.0, 7.5, 118, 84, (150, 230), True),
    "01": _Fabric(_PLAIN, 8.0, 8.0, 132, 112, (60, 180), False),
    "02": _Fabric(_SATIN, 7.0, 5.0, 96, 74, (0, 0), True),
}


def weave_folder(cache: Path) -> Path:
    """Return the folder of the generated set; it is written on the first call, in a few seconds.

    Raises:
        InputError: if it cannot be written.
    """
    return made_once(cache / f"weave-v{WEAVE_VERSION}", write_weave, "the weave")


def write_weave(folder: Path) -> None:
    """Write all strips and masks below ``folder``; every call draws the same."""
    for part in ("NoDefect_images", "Defect_images", "Mask_images"):
        (folder / part).mkdir()
    number = 0
    for code, fabric in _FABRICS.items():
        (folder / "NoDefect_images" / f"fabric-{code}").mkdir()
        for strip in range(NORMAL_STRIPS):
            picture, _ = _draw(fabric, "", np.random.default_rng((0, int(code), strip)))
            write_png(folder / "NoDefect_images" / f"fabric-{code}" / f"{strip + 1:04d}_000_{code}.png", picture)
        for defect in DEFECTS:
            number += 1
            picture, mask = _draw(fabric, defect, np.random.default_rng((1, int(code), int(defect))))
            write_png(folder / "Defect_images" / f"{number:04d}_{defect}_{code}.png", picture)
            write_png(folder / "Mask_images" / f"{number:04d}_{defect}_{code}_mask.png", 255 * mask)


def _draw(fabric: _Fabric, defect: str, random: Generator) -> tuple[Frame, Frame]:
    """Return a strip and its mask, uint8 ``(HEIGHT, WIDTH)``; a defect lies two thirds of a tile from the bed."""
    margin = int(random.integers(fabric.margin[0], fabric.margin[1] + 1))
    centre = int(random.integers(WIDTH // 4 + 170, WIDTH - 90)), int(random.integers(60, HEIGHT - 60))
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    cloth = _weave(fabric, defect, centre, mask, random)
    if defect in _LYING:
        _LYING[defect](cloth, centre, mask, random)
    place = np.linspace(-1, 1, WIDTH, dtype=np.float32)
    light = 1 + random.uniform(-0.06, 0.06) * place + random.uniform(0.0, 0.08) * place**2
    picture = cv2.GaussianBlur(cloth, (0, 0), 0.7) * light + random.normal(0, 2.5, cloth.shape)
    picture[:, :margin] = _bed(fabric.painted, margin, random)
    return np.rint(picture).clip(0, 255).astype(np.uint8), mask


def _weave(fabric: _Fabric, defect: str, centre: _Span, mask: Frame, random: Generator) -> _Field:
    """Return cloth in grey levels; the defects of the threads themselves are woven in and marked."""
    row, column = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    across = column + random.uniform(0, 64) + _wander(HEIGHT, random)[:, None]
    down = row + random.uniform(0, 64) + _wander(WIDTH, random)[None, :]
    if defect == "010":  # picks crowd together within a stretch, and leave a gap beside it
        half = int(random.integers(40, 90))
        near = (np.abs(column - centre[0]) < half) * np.exp(-(((row - centre[1]) / 7) ** 2))
        down = down + 0.9 * fabric.weft_period * np.asarray(near, np.float32)
        mask[near > 0.2] = 1
    warp, weft = np.floor(across / fabric.warp_period).astype(int), np.floor(down / fabric.weft_period).astype(int)
    warp -= warp.min()
    weft -= weft.min()
    over = fabric.over[weft % fabric.over.shape[0], warp % fabric.over.shape[1]]
    warp_shade = _bulge(across / fabric.warp_period) * random.normal(1, 0.03, warp.max() + 1)[warp]
    weft_shade = _bulge(down / fabric.weft_period) * random.normal(1, 0.03, weft.max() + 1)[weft]
    warp_grey, weft_grey = fabric.warp_grey * warp_shade, fabric.weft_grey * weft_shade
    if defect == "002":  # an end stops: what it covered shows the weft, or nothing
        absent = (warp == warp[centre[1], centre[0]]) & (row > centre[1] - random.integers(50, 120))
        absent &= row < centre[1] + random.integers(50, 120)
        warp_grey, mask[absent] = np.where(absent, 0.55 * weft_grey, warp_grey), 1
    if defect == "006":  # a pick is missing over a stretch
        absent = (weft == weft[centre[1], centre[0]]) & (np.abs(column - centre[0]) < random.integers(30, 100))
        weft_grey, mask[absent] = np.where(absent, 0.5 * warp_grey, weft_grey), 1
    return np.where(over, warp_grey, weft_grey).astype(np.float32)


def _fuzzyball(cloth: _Field, centre: _Span, mask: Frame, random: Generator) -> None:
    """A ball of fibres: short random walks, bright or dark."""
    canvas = np.zeros_like(mask)
    for _ in range(int(random.integers(12, 30))):
        steps = random.normal(0, 2.0, (14, 2)).cumsum(axis=0) + centre + random.normal(0, 4, 2)
        cv2.polylines(canvas, [np.rint(16 * steps).astype(np.int32)], False, 255, 1, cv2.LINE_AA, 4)
    cover = cv2.GaussianBlur(canvas, (0, 0), 0.8).astype(np.float32) / 255
    cloth += cover * (random.choice([35.0, 205.0]) - cloth)
    mask[cover > 0.2] = 1


def _knot(cloth: _Field, centre: _Span, mask: Frame, random: Generator) -> None:
    """A bright knob with its shadow at the lower right."""
    size = int(random.integers(4, 8))
    for offset, grey in ((size // 2, 30.0), (0, 210.0)):
        shape = np.zeros_like(mask)
        cv2.ellipse(shape, (centre[0] + offset, centre[1] + offset), (size, size - 1), 30, 0, 360, 1, -1)
        cover = cv2.GaussianBlur(shape.astype(np.float32), (0, 0), 1.0)
        cloth += 0.8 * cover * (grey - cloth)
        mask |= shape


def _stain(cloth: _Field, centre: _Span, mask: Frame, random: Generator) -> None:
    """Oil that darkens the cloth within a ragged outline and lets the weave show through."""
    noise = cv2.GaussianBlur(random.normal(0, 1, cloth.shape).astype(np.float32), (0, 0), 7)
    row, column = np.mgrid[:HEIGHT, :WIDTH]
    wide, high = random.uniform(18, 45), random.uniform(10, 25)
    reach = 1 - ((column - centre[0]) / wide) ** 2 - ((row - centre[1]) / high) ** 2 + 0.5 * noise / noise.std()
    near = (np.abs(column - centre[0]) < 1.6 * wide) & (np.abs(row - centre[1]) < 1.6 * high)
    stain = ((reach > 0) & near).astype(np.uint8)
    cloth *= 1 - random.uniform(0.18, 0.32) * cv2.GaussianBlur(stain.astype(np.float32), (0, 0), 1.5)
    mask |= stain


_LYING = {"019": _fuzzyball, "027": _knot, "029": _stain}


def _bed(painted: bool, margin: int, random: Generator) -> _Field | int:
    """Return the machine's bed ``(HEIGHT, margin)``: white, or grey with streaks along the direction of travel."""
    if painted:
        return 255
    streaks = cv2.GaussianBlur(random.normal(0, 40, (HEIGHT, margin)).astype(np.float32), (0, 0), 30, sigmaY=2)
    return np.asarray(168 + streaks + random.normal(0, 1.5, streaks.shape), np.float32)


def _bulge(position: _Field) -> _Field:
    """Return how light a thread is across its width: 1 on its back, less at its sides."""
    return np.asarray(0.72 + 0.28 * np.sin(np.pi * (position % 1)), np.float32)


def _wander(length: int, random: Generator) -> _Field:
    """Return a slow wandering of threads along their way, about a pixel."""
    walk = cv2.GaussianBlur(random.normal(0, 1, (1, length)).astype(np.float32), (0, 0), 24)[0]
    return np.asarray(walk / walk.std(), np.float32)

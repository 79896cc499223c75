"""A generated surface that is no cloth: brushed metal with known defects, written once in the layout of MVTec AD.

Metal is drawn by its working: a tool leaves streaks along its way, long or short, coarse or fine, and between them the
sheet is a little uneven. Nothing of it repeats, as a weave does. Defects are what happens to sheets: a scratch, a dent,
a stain, pits, a stretch that the tool has missed, and marks where it has chattered. They share no code and no
parameters with the synthetic defects that models are selected on.
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

METAL_VERSION = 1
"""Raised whenever the recipe draws something else."""
HEIGHT, WIDTH = 256, 1024
TRAINING_SHEETS, TEST_SHEETS = 9, 3
"""Faultless sheets of each finish, to learn from and to test on."""
DEFECTS = ("scratch", "dent", "stain", "pits", "missed", "chatter")
"""Every finish has one sheet of each, with its mask."""

_Field = NDArray[np.float32]
_Spot = tuple[int, int]


@dataclass(frozen=True)
class _Finish:
    """How a sheet is worked; lengths in pixels, grey levels and their deviations.

    Attributes:
        grey: mean.
        streaks: length, thickness and strength of each kind of streak.
        uneven: strength of the slow unevenness.
    """

    grey: float
    streaks: tuple[tuple[float, float, float], ...]
    uneven: float


_FINISHES = {
    "brushed": _Finish(150, ((120, 0.6, 9), (40, 1.5, 5)), 2.0),
    "ground": _Finish(110, ((14, 0.8, 14), (30, 2.5, 4)), 3.0),
    "rolled": _Finish(175, ((200, 3.0, 5), (3, 3.0, 5)), 1.5),
}


def metal_folder(cache: Path) -> Path:
    """Return the folder of the generated sheets; it is written on the first call, in a few seconds.

    Raises:
        InputError: if it cannot be written.
    """
    return made_once(cache / f"metal-v{METAL_VERSION}", write_metal, "the metal")


def write_metal(folder: Path) -> None:
    """Write all sheets and masks below ``folder``; every call draws the same."""
    for number, (name, finish) in enumerate(_FINISHES.items()):
        for split, count in (("train", TRAINING_SHEETS), ("test", TEST_SHEETS)):
            for sheet in range(count):
                random = np.random.default_rng((2, number, split == "test", sheet))
                picture, _ = _draw(finish, "", random)
                write_png(folder / name / split / "good" / f"{sheet:03d}.png", picture)
        for kind, defect in enumerate(DEFECTS):
            picture, mask = _draw(finish, defect, np.random.default_rng((3, number, kind)))
            write_png(folder / name / "test" / defect / "000.png", picture)
            write_png(folder / name / "ground_truth" / defect / "000_mask.png", 255 * mask)


def _draw(finish: _Finish, defect: str, random: Generator) -> tuple[Frame, Frame]:
    """Return a sheet and its mask, uint8 ``(HEIGHT, WIDTH)``."""
    centre = int(random.integers(90, WIDTH - 90)), int(random.integers(60, HEIGHT - 60))
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    sheet = finish.uneven * _noise(48, 48, random)
    for length, thickness, strength in finish.streaks:
        sheet += strength * _noise(length, thickness, random)
    place = np.linspace(-1, 1, WIDTH, dtype=np.float32)
    light = 1 + random.uniform(-0.05, 0.05) * place - random.uniform(0.0, 0.06) * place**2
    camera = random.normal(0, 1.5, sheet.shape)
    if defect:
        sheet = _DRAW[defect](sheet, centre, mask, random)
    picture = (finish.grey + sheet) * light + camera
    return np.rint(picture).clip(0, 255).astype(np.uint8), mask


def _scratch(sheet: _Field, centre: _Spot, mask: Frame, random: Generator) -> _Field:
    """A bright furrow across the streaks with a dark lip, slightly bent."""
    way = np.linspace(-1, 1, 17)
    angle, length, bend = random.uniform(0.3, 1.2), random.uniform(25, 60), random.uniform(-8, 8)
    x = centre[0] + length * way * np.cos(angle)
    y = centre[1] + length * way * np.sin(angle) + bend * way**2
    for offset, grey in ((1.2, -25.0), (0.0, 45.0)):
        points = np.rint(16 * np.stack((x + offset, y), axis=-1)).astype(np.int32)
        line = np.zeros_like(mask)
        cv2.polylines(line, [points], False, 255, 1, cv2.LINE_AA, 4)
        sheet = np.asarray(sheet + grey / 255 * line, np.float32)
        mask[line > 60] = 1
    return sheet


def _dent(sheet: _Field, centre: _Spot, mask: Frame, random: Generator) -> _Field:
    """A hollow: one slope in the light, the other in the shade."""
    x, y = _around(centre)
    size = random.uniform(9, 22)
    hollow = np.exp(-(x**2 + y**2) / (2 * size**2))
    mask[hollow > 0.3] = 1
    return np.asarray(sheet + random.uniform(28, 40) * (x - 0.5 * y) / size * hollow, np.float32)


def _stain(sheet: _Field, centre: _Spot, mask: Frame, random: Generator) -> _Field:
    """A dried drop: a little darker, with a darker rim."""
    x, y = _around(centre)
    radius = random.uniform(16, 40) * (1 + 0.15 * np.cos(3 * np.arctan2(y, x) + random.uniform(0, 6)))
    inside = radius - np.hypot(x, y)
    mask[inside > -1.5] = 1
    drop = -4 * (1 + np.tanh(inside / 2)) - 16 * np.exp(-0.5 * (inside / 1.5) ** 2)
    return np.asarray(sheet + drop, np.float32)


def _pits(sheet: _Field, centre: _Spot, mask: Frame, random: Generator) -> _Field:
    """A dozen dark points of corrosion close together."""
    for x, y in random.normal(0, 14, (12, 2)) + centre:
        distance = np.hypot(*_around((x, y))) / random.uniform(0.9, 2.2)
        mask[distance < 1.3] = 1
        sheet = np.asarray(sheet - 60 * np.exp(-0.5 * distance**2), np.float32)
    return sheet


def _missed(sheet: _Field, centre: _Spot, mask: Frame, random: Generator) -> _Field:
    """A stretch without streaks, as dull as the sheet below."""
    x, y = _around(centre)
    half, high = random.uniform(35, 80), random.uniform(6, 14)
    cover = 0.5 * (1 - np.tanh(1.5 * ((x / half) ** 4 + (y / high) ** 4 - 1)))
    mask[cover > 0.5] = 1
    return np.asarray(sheet * (1 - cover) + cover * 3 * _noise(2, 2, random), np.float32)


def _chatter(sheet: _Field, centre: _Spot, mask: Frame, random: Generator) -> _Field:
    """Ripples across the way of a tool that trembled."""
    x, y = _around(centre)
    half, high = random.uniform(40, 80), random.uniform(14, 30)
    near = np.exp(-((x / half) ** 4) - (y / high) ** 4)
    mask[near > 0.4] = 1
    ripple = np.sin(2 * np.pi * x / random.uniform(7, 12))
    return np.asarray(sheet + random.uniform(9, 13) * near * ripple, np.float32)


_DRAW = {
    "scratch": _scratch,
    "dent": _dent,
    "stain": _stain,
    "pits": _pits,
    "missed": _missed,
    "chatter": _chatter,
}


def _around(centre: tuple[float, float]) -> tuple[_Field, _Field]:
    """Return how far every pixel lies right of the centre ``(1, WIDTH)``, and below it ``(HEIGHT, 1)``."""
    x = np.arange(WIDTH, dtype=np.float32)[None] - centre[0]
    return x, np.arange(HEIGHT, dtype=np.float32)[:, None] - centre[1]


def _noise(along: float, across: float, random: Generator) -> _Field:
    """Return noise ``(HEIGHT, WIDTH)`` of deviation 1, smooth over so many pixels along the rows and across them."""
    smooth: cv2.typing.MatLike = random.normal(0, 1, (HEIGHT, WIDTH)).astype(np.float32)
    box = [max(1, round(2.45 * length)) for length in (along, across)]  # two of these have that deviation
    for _ in range(2):
        smooth = cv2.blur(smooth, box, borderType=cv2.BORDER_REFLECT)
    return np.asarray(smooth / np.std(smooth), np.float32)

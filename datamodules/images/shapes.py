"""The embedded default pictures: cars seen from the side, drawn by a fixed recipe and written as real PNG files.

Every car follows from a few continuous factors, which are kept beside the pictures in ``factors.csv``: whoever
looks at a latent space knows what there is to find in it.
"""

import csv
from colorsys import hsv_to_rgb
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator

from datamodules.decode_cache import made_once
from datamodules.picture_file import Frame
from datamodules.png_file import write_png

VERSION = 1
"""Raised whenever the recipe draws something else."""
COUNT = 1500
SIZE = 128
"""Height and width of the pictures, in pixels."""

_OVERSAMPLING = 2  # drawn larger and averaged, so that edges move smoothly
_DARK, _RIM, _LAMP = (24, 24, 28), (176, 178, 184), (250, 236, 170)

Colour = tuple[int, int, int]
Point = tuple[float, float]


@dataclass(frozen=True)
class Factors:
    """What a picture follows from; lengths in shares of the picture's side.

    Attributes:
        length: of the car.
        height: of its body without the wheels' clearance.
        hood: share of the length before the cabin.
        cabin: share of the length that the roof takes.
        slope: how far the windscreens lean, in shares of the length.
        wheel: radius.
        x: middle of the car.
        ground: row on which it stands.
        hue: of its paint, 0 to 1.
        saturation: of its paint.
        brightness: of its paint.
        daylight: brightness of the sky.
        facing: -1 looks to the left, 1 to the right; the one factor that is not continuous.
    """

    length: float
    height: float
    hood: float
    cabin: float
    slope: float
    wheel: float
    x: float
    ground: float
    hue: float
    saturation: float
    brightness: float
    daylight: float
    facing: int

    @classmethod
    def draw(cls, random: Generator) -> "Factors":
        """Draw independent factors, all but ``facing`` uniformly from their ranges."""
        ranges = {
            "length": (0.66, 0.88),
            "height": (0.14, 0.2),
            "hood": (0.08, 0.26),
            "cabin": (0.26, 0.46),
            "slope": (0.04, 0.13),
            "wheel": (0.07, 0.095),
            "x": (0.46, 0.54),
            "ground": (0.74, 0.84),
            "hue": (0.0, 1.0),
            "saturation": (0.2, 0.95),
            "brightness": (0.35, 0.95),
            "daylight": (0.45, 1.0),
        }
        drawn = {name: float(random.uniform(*limits)) for name, limits in ranges.items()}
        return cls(**drawn, facing=int(random.choice((-1, 1))))


def shapes_folder(cache: Path) -> Path:
    """Return the folder of the pictures; it is written on the first call, in a few seconds.

    Raises:
        InputError: if it cannot be written.
    """
    return made_once(cache / f"shapes-v{VERSION}", write_shapes, "the pictures")


def write_shapes(folder: Path) -> None:
    """Write all pictures and ``factors.csv`` into ``folder``; every call writes the same."""
    with (folder / "factors.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["picture", *(field.name for field in fields(Factors))])
        for number in range(COUNT):
            name = f"car_{number + 1:04d}.png"
            factors = Factors.draw(np.random.default_rng((2, number)))
            write_png(folder / name, draw_car(factors))
            table.writerow([name, *(round(value, 4) for value in asdict(factors).values())])


def draw_car(factors: Factors) -> Frame:
    """Draw one car as uint8 RGB ``(SIZE, SIZE, 3)``."""
    side = SIZE * _OVERSAMPLING
    canvas = _scene(factors, side)
    _draw(canvas, factors, side)
    return np.asarray(cv2.resize(canvas, (SIZE, SIZE), interpolation=cv2.INTER_AREA), np.uint8)


def _scene(factors: Factors, side: int) -> Frame:
    """Return sky and ground; both fade towards the horizon."""
    horizon = round(side * (factors.ground - 0.12))
    rows = np.empty((side, 3), np.float32)
    high, low = np.array((110, 160, 225)), np.array((205, 220, 235))
    rows[:horizon] = factors.daylight * (high + np.linspace(0, 1, horizon)[:, None] * (low - high))
    rows[horizon:] = (0.55 + 0.45 * factors.daylight) * np.linspace(148, 92, side - horizon)[:, None]
    return np.repeat(rows.astype(np.uint8)[:, None], side, axis=1)


def _draw(canvas: Frame, factors: Factors, side: int) -> None:
    """Draw the car over the scene, from the shadow to the lamps."""

    def place(x: float, y: float) -> Point:
        """Turn (share of the length from the front, height above the ground) into pixels."""
        across = factors.x + factors.facing * (0.5 - x) * factors.length
        return side * across, side * (factors.ground - y)

    red, green, blue = hsv_to_rgb(factors.hue, factors.saturation, factors.brightness)
    paint = (round(255 * red), round(255 * green), round(255 * blue))
    shade = (round(190 * red), round(190 * green), round(190 * blue))
    light = factors.daylight
    glass = (round(150 * light), round(185 * light), round(205 * light))
    floor, belt = 0.7 * factors.wheel, 0.7 * factors.wheel + factors.height
    roof, front = belt + 0.72 * factors.height, factors.hood
    back = min(0.97, front + 2 * factors.slope + factors.cabin)
    _ellipse(canvas, place(0.5, 0.0), (side * 0.53 * factors.length, side * 0.02), (58, 58, 62))
    _polygon(
        canvas,
        [place(x, y) for x, y in ((0.0, floor), (0.0, belt - 0.04), (0.04, belt - 0.01))]
        + [place(x, y) for x, y in ((front, belt), (back, belt), (0.99, belt - 0.01), (1.0, floor))],
        paint,
    )
    _polygon(
        canvas, [place(x, y) for x, y in ((0.0, floor), (0.0, floor + 0.03), (1.0, floor + 0.03), (1.0, floor))], shade
    )
    top = (front + factors.slope, back - factors.slope)
    _polygon(canvas, [place(front, belt), place(top[0], roof), place(top[1], roof), place(back, belt)], paint)
    inset, middle = 0.022, (top[0] + top[1]) / 2
    for left, right, lean_left, lean_right in (
        (front, middle, factors.slope, 0.0),
        (middle, back, 0.0, -factors.slope),
    ):
        corners = (
            (left + inset, belt),
            (left + inset + 0.85 * lean_left, roof - 0.02),
            (right - inset + 0.85 * lean_right, roof - 0.02),
            (right - inset, belt),
        )
        _polygon(canvas, [place(x, y) for x, y in corners], glass)
    for x in (0.2, 0.8):
        _ellipse(canvas, place(x, factors.wheel), (side * factors.wheel,) * 2, _DARK)
        _ellipse(canvas, place(x, factors.wheel), (side * 0.5 * factors.wheel,) * 2, _RIM)
    _ellipse(canvas, place(0.03, belt - 0.06), (side * 0.014, side * 0.018), _LAMP)
    _ellipse(canvas, place(0.98, belt - 0.06), (side * 0.01, side * 0.018), (200, 30, 30))


def _ellipse(canvas: Frame, centre: Point, axes: Point, colour: Colour) -> None:
    cv2.ellipse(canvas, _fine(centre), _fine(axes), 0, 0, 360, colour, -1, cv2.LINE_AA, 4)


def _polygon(canvas: Frame, corners: list[Point], colour: Colour) -> None:
    cv2.fillPoly(canvas, [np.array([_fine(corner) for corner in corners], np.int32)], colour, cv2.LINE_AA, 4)


def _fine(point: Point) -> tuple[int, int]:
    """Round to 1/16 of a pixel."""
    return round(16 * point[0]), round(16 * point[1])

"""The embedded default data: a small labelled street scene, drawn by a fixed recipe and written as real video.

People walk on a pavement in two lanes, to the right on the near one and to the left on the far one, each smaller
and slower the farther away. In the test clips something else happens for a while: a runner or a cyclist (speed),
a cart at walking pace (shape), or somebody who walks against the lane or across it (direction). Speed alone
therefore does not tell them all.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator

from datamodules.decode_cache import made_once
from datamodules.media import VideoWriter
from datamodules.picture_file import Frame
from datamodules.png_file import write_png

DEMO_VERSION = 1
"""Raised whenever the recipe draws something else."""
TRAINING_CLIPS = 12
TEST_CLIPS: tuple[tuple[str, ...], ...] = (
    ("runner",),
    ("cyclist",),
    ("cart",),
    ("wrong way",),
    ("crossing",),
    ("cart", "runner"),
)
FRAMES = 100
FPS = 15

Colour = tuple[int, int, int]
Point = tuple[float, float]

_SIZE = 128  # height and width of the picture, in pixels
_HORIZON = 44
_LANES = ((58.0, -1), (66.0, -1), (92.0, 1), (108.0, 1))  # row of the feet, direction
_WALK = 0.042  # of the body's height per frame
_SKIN, _CART = (206, 164, 138), (214, 176, 40)
_LEAST_VISIBLE = 12  # pixels from which on a frame is labelled


@dataclass
class _Actor:
    """Somebody or something in the scene; ``x`` and ``y`` are where the feet are."""

    kind: str
    x: float
    y: float
    dx: float
    dy: float
    shirt: Colour
    trousers: Colour
    way: float = 0.0  # walked so far, which moves the legs

    @property
    def height(self) -> float:
        return 8 + 0.30 * (self.y - _HORIZON)

    def step(self) -> None:
        """Move on by one frame."""
        self.x += self.dx
        self.y += self.dy
        self.way += abs(self.dx) + abs(self.dy)


def demo_folder(cache: Path) -> Path:
    """Return the demo's folder, in the plain layout; it is written on the first call, in a few seconds.

    Raises:
        InputError: if it cannot be written.
    """
    return made_once(cache / f"demo-v{DEMO_VERSION}", write_demo, "the demo")


def write_demo(folder: Path) -> None:
    """Write all clips, masks and labels below ``folder``; every call draws the same pictures."""
    (folder / "train").mkdir()
    for number in range(TRAINING_CLIPS):
        _write_clip(folder / "train" / f"street_{number + 1:02d}.mp4", (), np.random.default_rng((0, number)))
    (folder / "test" / "masks").mkdir(parents=True)
    with (folder / "test" / "labels.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("video", "start", "end"))
        for number, events in enumerate(TEST_CLIPS):
            name = f"street_{number + 1:02d}"
            masks = _write_clip(folder / "test" / f"{name}.mp4", events, np.random.default_rng((1, number)))
            (folder / "test" / "masks" / name).mkdir()
            for frame, mask in enumerate(masks):
                write_png(folder / "test" / "masks" / name / f"{frame:03d}.png", 255 * mask)
            for start, end in _spans(np.array([mask.any() for mask in masks])):
                table.writerow((name, start, end))


def _write_clip(path: Path, events: tuple[str, ...], random: Generator) -> list[Frame]:
    """Write one clip and return its masks, uint8 0/1 ``(H, W)``."""
    background = _background()
    actors = [_walker(random, random.uniform(-10, _SIZE + 10)) for _ in range(6)]
    light = random.uniform(-6, 6)
    strangers = [_stranger(kind, len(events) > 1, random) for kind in events]
    masks = []
    with VideoWriter(path, FPS, (_SIZE, _SIZE), crf=16) as video:
        for frame in range(FRAMES):
            if random.random() < 0.06 and len(actors) < 9:
                actors.append(_walker(random, None))
            present = actors + [actor for start, actor in strangers if frame >= start]
            picture, mask = background.copy(), np.zeros((_SIZE, _SIZE), np.uint8)
            for actor in sorted(present, key=lambda actor: actor.y):
                _draw(picture, mask, actor)
                actor.step()
            actors = [actor for actor in actors if -15 < actor.x < _SIZE + 15]
            noise = random.normal(light, 2.0, (_SIZE, _SIZE, 1))
            video.write((picture + noise).clip(0, 255).astype(np.uint8))
            masks.append(mask if mask.sum() >= _LEAST_VISIBLE else np.zeros_like(mask))
    return masks


def _background() -> Frame:
    """Return the street without people: a wall with windows, slabs in perspective, and rough ground."""
    random = np.random.default_rng(7)
    scene = np.empty((_SIZE, _SIZE, 3), np.float32)
    scene[:_HORIZON] = (150, 128, 112)
    scene[_HORIZON:] = (128, 128, 124)
    scene[_HORIZON:] += np.linspace(-14, 14, _SIZE - _HORIZON)[:, None, None]
    scene += cv2.GaussianBlur(random.normal(0, 22, (_SIZE, _SIZE, 1)).astype(np.float32), (0, 0), 1.2)[..., None]
    picture = np.ascontiguousarray(scene.clip(0, 255).astype(np.uint8))
    for left in range(8, _SIZE, 24):
        cv2.rectangle(picture, (left, 10), (left + 11, 28), (70, 82, 98), -1)
        cv2.rectangle(picture, (left, 10), (left + 11, 28), (190, 184, 172), 1)
    for row in (_HORIZON, 50, 60, 76, 100):
        cv2.line(picture, (0, row), (_SIZE, row), (100, 100, 98), 1)
    for foot in range(-192, 2 * _SIZE, 32):
        cv2.line(picture, (_SIZE // 2 + (foot - 64) // 3, _HORIZON), (foot, _SIZE), (106, 106, 104), 1)
    return picture


def _colours(random: Generator) -> tuple[Colour, Colour]:
    """Return the colours of shirt and trousers."""
    red, green, blue = (int(level) for level in random.integers(30, 220, 3))
    dark = int(random.integers(20, 100))
    return (red, green, blue), (dark, dark, dark + 20)


def _walker(random: Generator, x: float | None) -> _Actor:
    """Return somebody who walks along a lane, at ``x`` or about to come in."""
    row, direction = _LANES[int(random.integers(len(_LANES)))]
    start = x if x is not None else (-8.0 if direction > 0 else _SIZE + 8.0)
    actor = _Actor("walker", start, row + random.uniform(-3, 3), 0.0, 0.0, *_colours(random))
    actor.dx = direction * _WALK * actor.height * random.uniform(0.85, 1.15)
    actor.way = random.uniform(0, 9)
    return actor


def _stranger(kind: str, brief: bool, random: Generator) -> tuple[int, _Actor]:
    """Return the frame at which an anomaly sets in, and who brings it; ``brief`` leaves time for another."""
    row, direction = _LANES[3 if kind == "runner" else 2]
    actor = _Actor(kind, 0.0, row, 0.0, 0.0, *_colours(random))
    pace = direction * _WALK * actor.height
    if kind == "crossing":  # from the middle towards the camera, out of the picture by frame 60
        actor.x, actor.y, actor.dy = random.uniform(40, 88), 88.0, 1.5
        return 0, actor
    actor.dx = pace * {"runner": 3.0, "cyclist": 2.4, "cart": 0.9, "wrong way": -1.0}[kind]
    entrance, exit_ = (-12.0, _SIZE + 12.0) if actor.dx > 0 else (_SIZE + 12.0, -12.0)
    if kind == "cart":  # there from the start, gone later
        actor.x = exit_ - actor.dx * (35 if brief else 58)
        return 0, actor
    actor.x = entrance
    begin = {"runner": 22, "cyclist": 14, "wrong way": 30}[kind]
    return (52 if brief else begin) + int(random.integers(6)), actor


def _draw(picture: Frame, mask: Frame, actor: _Actor) -> None:
    """Draw an actor over what is there; the mask gets 1 under an anomalous one, 0 under a walker."""
    tall, x, y = actor.height, actor.x, actor.y
    pen = _Pen(picture, mask, int(actor.kind != "walker"))
    if actor.kind == "cart":
        for side in (-0.4, 0.4):
            pen.ellipse((x + side * tall, y - 0.12 * tall), (0.13 * tall, 0.13 * tall), (30, 30, 30))
        low, high = y - 0.2 * tall, y - 0.85 * tall
        pen.polygon(
            [(x - 0.6 * tall, low), (x + 0.6 * tall, low), (x + 0.7 * tall, high), (x - 0.7 * tall, high)], _CART
        )
        return
    lean = 0.0
    if actor.kind == "cyclist":
        for side in (-0.32, 0.32):
            pen.ring((x + side * tall, y - 0.22 * tall), 0.22 * tall, (25, 25, 25))
        pen.line((x - 0.32 * tall, y - 0.22 * tall), (x + 0.32 * tall, y - 0.3 * tall), 0.07 * tall, (160, 30, 30))
    swing = 0.2 * tall * np.sin(2 * np.pi * actor.way / (0.8 * tall))
    lean = 0.12 * tall * np.sign(actor.dx) if actor.kind in ("runner", "cyclist") else 0.0
    for foot in (swing, -swing):
        pen.line((x, y - 0.45 * tall), (x + foot, y), 0.1 * tall, actor.trousers)
    pen.ellipse((x + 0.5 * lean, y - 0.6 * tall), (0.15 * tall, 0.23 * tall), actor.shirt)
    pen.ellipse((x + lean, y - 0.89 * tall), (0.1 * tall, 0.11 * tall), _SKIN)


@dataclass
class _Pen:
    """Draws the same shape into the picture, smoothly and to 1/16 of a pixel, and into the mask."""

    picture: Frame
    mask: Frame
    value: int

    def ellipse(self, centre: Point, axes: Point, colour: Colour) -> None:
        for canvas, ink, way in self._canvases(colour):
            cv2.ellipse(canvas, _fine(centre), _fine(axes), 0, 0, 360, ink, -1, way, 4)

    def ring(self, centre: Point, radius: float, colour: Colour) -> None:
        for canvas, ink, way in self._canvases(colour):
            cv2.circle(canvas, _fine(centre), round(16 * radius), ink, 1, way, 4)

    def line(self, start: Point, end: Point, width: float, colour: Colour) -> None:
        for canvas, ink, way in self._canvases(colour):
            cv2.line(canvas, _fine(start), _fine(end), ink, max(1, round(width)), way, 4)

    def polygon(self, corners: list[Point], colour: Colour) -> None:
        for canvas, ink, way in self._canvases(colour):
            cv2.fillPoly(canvas, [np.array([_fine(corner) for corner in corners], np.int32)], ink, way, 4)

    def _canvases(self, colour: Colour) -> tuple[tuple[Frame, Colour, int], tuple[Frame, Colour, int]]:
        ink = (self.value, self.value, self.value)
        return (self.picture, colour, cv2.LINE_AA), (self.mask, ink, cv2.LINE_8)


def _fine(point: Point) -> tuple[int, int]:
    return round(16 * point[0]), round(16 * point[1])


def _spans(anomalous: "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]") -> list[tuple[int, int]]:
    """Return start and end (exclusive) of every run of True."""
    edges = np.flatnonzero(np.diff(np.r_[False, anomalous, False].astype(np.int8)))
    return [(int(start), int(end)) for start, end in zip(edges[::2], edges[1::2], strict=True)]

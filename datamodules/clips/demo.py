"""The embedded default data: a small labelled scene, drawn by a fixed recipe and written as real video.

People walk in lanes, each smaller and slower the farther away: in the street to the right on the near lanes and to the
left on the far ones; :mod:`datamodules.clips.scenes` has the other places. In the test clips something else happens for
a while: a runner or a cyclist (speed), a cart or, in the other places, a cyclist at walking pace (shape), or somebody
who walks against the lane or across it (direction). Speed alone therefore does not tell them all.
"""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from datamodules.clips.boxes import COLUMNS
from datamodules.clips.scenes import SCENES, Colour, Scene, SceneName
from datamodules.decode_cache import made_once
from datamodules.media import VideoWriter
from datamodules.picture_file import Frame
from datamodules.png_file import write_png

DEMO_VERSION = 2
"""Raised whenever the recipe draws something else."""
TRAINING_CLIPS = 12
FRAMES = 100
FPS = 15

Point = tuple[float, float]

_SKIN, _CART = (206, 164, 138), (214, 176, 40)
_LEAST_VISIBLE = 12  # pixels from which on a frame is labelled
_PACE = {"runner": 3.0, "cyclist": 2.4, "slow cyclist": 1.0, "cart": 0.9, "wrong way": -1.0}  # of a walker's
_BEGINS = {"runner": 22, "cyclist": 14, "slow cyclist": 34, "wrong way": 30}  # frame in which they come in
_CYCLISTS = ("cyclist", "slow cyclist")
_LAMP = 30.0  # pixels to where a lamp is weaker by the factor exp(-1/2)


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
    scene: Scene
    way: float = 0.0  # walked so far, which moves the legs

    @property
    def height(self) -> float:
        return self.scene.far + self.scene.growth * (self.y - self.scene.horizon)

    def step(self) -> None:
        """Move on by one frame."""
        self.x += self.dx
        self.y += self.dy
        self.way += abs(self.dx) + abs(self.dy)


class _Truth(NamedTuple):
    """What is anomalous in a clip: masks uint8 0/1 ``(H, W)`` of all frames, and lines of a file of boxes."""

    masks: list[Frame]
    boxes: list[tuple[int, ...]]


def demo_folder(cache: Path, name: SceneName = "street") -> Path:
    """Return the folder of a scene, in the plain layout; it is written on the first call, in a few seconds.

    Raises:
        InputError: if it cannot be written.
    """
    called = "demo" if name == "street" else f"demo-{name}"
    return made_once(cache / f"{called}-v{DEMO_VERSION}", lambda folder: write_demo(folder, name), "the demo")


def write_demo(folder: Path, name: SceneName = "street") -> None:
    """Write all clips, masks, boxes and labels of a scene below ``folder``; every call draws the same pictures."""
    scene = SCENES[name]
    (folder / "train").mkdir()
    for number in range(TRAINING_CLIPS):
        _write_clip(folder / "train" / f"{name}_{number + 1:02d}.mp4", scene, (), (0, number))
    (folder / "test" / "masks").mkdir(parents=True)
    (folder / "test" / "tracks").mkdir()
    with (folder / "test" / "labels.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("video", "start", "end"))
        for number, events in enumerate(scene.tests):
            clip = f"{name}_{number + 1:02d}"
            masks, boxes = _write_clip(folder / "test" / f"{clip}.mp4", scene, events, (1, number))
            (folder / "test" / "masks" / clip).mkdir()
            for frame, mask in enumerate(masks):
                write_png(folder / "test" / "masks" / clip / f"{frame:03d}.png", 255 * mask)
            with (folder / "test" / "tracks" / f"{clip}.csv").open("w", newline="") as tracks:
                csv.writer(tracks).writerows([COLUMNS, *boxes])
            for start, end in _spans(np.array([mask.any() for mask in masks])):
                table.writerow((clip, start, end))


def _write_clip(path: Path, scene: Scene, events: tuple[str, ...], seed: tuple[int, int]) -> _Truth:
    """Write one clip and return what is anomalous in it; every stranger is a track."""
    random = np.random.default_rng((*scene.seed, *seed))
    background, lit = _background(scene), _lit(scene)
    shape, beyond = (scene.height, scene.width), scene.margin + 3
    present, most = scene.crowd
    actors = [
        _walker(scene, random, random.uniform(2 - scene.margin, scene.width + scene.margin - 2)) for _ in range(present)
    ]
    light = random.uniform(*scene.light)
    strangers = [_stranger(scene, kind, len(events) > 1, random) for kind in events]
    truth = _Truth([], [])
    with VideoWriter(path, FPS, shape, crf=16) as video:
        for frame in range(FRAMES):
            if random.random() < scene.arrivals and len(actors) < most:
                actors.append(_walker(scene, random, None))
            shown = [(0, actor) for actor in actors]
            shown += [(track, actor) for track, (start, actor) in enumerate(strangers, start=1) if frame >= start]
            picture, mask = background.copy(), np.zeros(shape, np.uint8)
            for track, actor in sorted(shown, key=lambda one: one[1].y):
                _draw(picture, mask, track, actor)
                actor.step()
            actors = [actor for actor in actors if -beyond < actor.x < scene.width + beyond]
            noise = random.normal(light, scene.noise, (*shape, 1))
            video.write((lit * picture + noise).clip(0, 255).astype(np.uint8))
            if np.count_nonzero(mask) < _LEAST_VISIBLE:
                mask[:] = 0
            truth.masks.append((mask > 0).astype(np.uint8))
            truth.boxes.extend((frame, *box) for box in _boxes(mask))
    return truth


def _boxes(mask: Frame) -> list[tuple[int, ...]]:
    """Return track, x, y, width and height of what is seen of every track; a mask has its number, or 0."""
    return [(int(track), *cv2.boundingRect((mask == track).astype(np.uint8))) for track in np.unique(mask[mask > 0])]


def _background(scene: Scene) -> Frame:
    """Return the place without people: a wall with windows, slabs in perspective, and rough ground."""
    random = np.random.default_rng((7, *scene.seed) if scene.seed else 7)
    height, width, horizon = scene.height, scene.width, scene.horizon
    colours = np.empty((height, width, 3), np.float32)
    colours[:horizon] = scene.wall
    colours[horizon:] = scene.ground
    colours[horizon:] += np.linspace(-14, 14, height - horizon)[:, None, None]
    colours += cv2.GaussianBlur(random.normal(0, 22, (height, width, 1)).astype(np.float32), (0, 0), 1.2)[..., None]
    picture = np.ascontiguousarray(colours.clip(0, 255).astype(np.uint8))
    top, bottom = horizon - 34, horizon - 16
    for left in range(8, width, 24) if top >= 0 else ():
        cv2.rectangle(picture, (left, top), (left + 11, bottom), (70, 82, 98), -1)
        cv2.rectangle(picture, (left, top), (left + 11, bottom), (190, 184, 172), 1)
    for row in (horizon, *scene.kerbs):
        cv2.line(picture, (0, row), (width, row), (100, 100, 98), 1)
    for foot in range(-3 * width // 2, 2 * width, 32):
        cv2.line(picture, (width // 2 + (foot - width // 2) // 3, horizon), (foot, height), (106, 106, 104), 1)
    return picture


def _lit(scene: Scene) -> NDArray[Any]:
    """Return which share of its light each pixel sends to the camera, ``(H, W, 1)``; full below a lamp."""
    y, x = np.mgrid[: scene.height, : scene.width]
    dark = np.ones((scene.height, scene.width))
    for row, column in scene.lamps:
        dark *= 1 - np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * _LAMP**2))
    return (1 - (1 - scene.exposure) * dark)[..., None]


def _colours(random: Generator) -> tuple[Colour, Colour]:
    """Return the colours of shirt and trousers."""
    red, green, blue = (int(level) for level in random.integers(30, 220, 3))
    dark = int(random.integers(20, 100))
    return (red, green, blue), (dark, dark, dark + 20)


def _walker(scene: Scene, random: Generator, x: float | None) -> _Actor:
    """Return somebody who walks along a lane, at ``x`` or about to come in."""
    row, direction = scene.lanes[int(random.integers(len(scene.lanes)))]
    outside = scene.margin - 4
    start = x if x is not None else (-outside if direction > 0 else scene.width + outside)
    actor = _Actor("walker", start, row + random.uniform(-3, 3), 0.0, 0.0, *_colours(random), scene)
    actor.dx = direction * scene.walk * actor.height * random.uniform(0.85, 1.15)
    actor.way = random.uniform(0, 9)
    return actor


def _stranger(scene: Scene, kind: str, brief: bool, random: Generator) -> tuple[int, _Actor]:
    """Return the frame at which an anomaly sets in, and who brings it; ``brief`` leaves time for another."""
    row, direction = scene.lanes[-1 if kind == "runner" else -2]
    actor = _Actor(kind, 0.0, row, 0.0, 0.0, *_colours(random), scene)
    if kind == "crossing":  # from the middle towards the camera, and out of the picture
        middle, (actor.y, actor.dy) = scene.width / 2, scene.crossing
        actor.x = random.uniform(middle - 24, middle + 24)
        return 0, actor
    actor.dx = direction * scene.walk * actor.height * _PACE[kind]
    entrance, exit_ = -scene.margin, scene.width + scene.margin
    if actor.dx < 0:
        entrance, exit_ = exit_, entrance
    if kind == "cart" or (kind == "slow cyclist" and brief):  # there from the start, gone later
        actor.x = exit_ - actor.dx * (35 if brief else 58)
        return 0, actor
    actor.x = entrance
    return (52 if brief else _BEGINS[kind]) + int(random.integers(6)), actor


def _draw(picture: Frame, mask: Frame, track: int, actor: _Actor) -> None:
    """Draw an actor over what is there; the mask gets the track of an anomalous one, and 0 under a walker."""
    tall, x, y = actor.height, actor.x, actor.y
    pen = _Pen(picture, mask, track)
    if actor.kind == "cart":
        for side in (-0.4, 0.4):
            pen.ellipse((x + side * tall, y - 0.12 * tall), (0.13 * tall, 0.13 * tall), (30, 30, 30))
        low, high = y - 0.2 * tall, y - 0.85 * tall
        pen.polygon(
            [(x - 0.6 * tall, low), (x + 0.6 * tall, low), (x + 0.7 * tall, high), (x - 0.7 * tall, high)], _CART
        )
        return
    lean = 0.0
    if actor.kind in _CYCLISTS:
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


def _spans(anomalous: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return start and end (exclusive) of every run of True."""
    edges = np.flatnonzero(np.diff(np.r_[False, anomalous, False].astype(np.int8)))
    return [(int(start), int(end)) for start, end in zip(edges[::2], edges[1::2], strict=True)]

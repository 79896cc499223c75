"""Pseudo-anomalies for validation: copies of held-out normal clips in which something goes wrong for a while.

Models are selected on them, so that no test label takes part in the selection. Four kinds:

- ``speed``: time runs twice as fast; the copy is shorter by the frames that are left out.
- ``paste``: a patch from elsewhere crosses the picture at an unusual speed (CutPaste in motion).
- ``reverse``: within a box, time runs backwards.
- ``freeze``: within a box, time stands still.

Only what visibly differs is labelled: a pixel is anomalous where the copy differs from the clip by more than
``VISIBLE`` grey levels (for ``speed``: where the picture moves), a frame where at least ``SHARE`` of its
picture is. Hence a frozen wall is normal; boxes are put where there is movement.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from datamodules.clips.labels import Labels
from datamodules.clips.windows import FrameNumbers, Frames
from datamodules.letterbox import Region
from datamodules.picture_file import Frame
from datamodules.seeding import derive_seed, global_seed

Kind = Literal["speed", "paste", "reverse", "freeze"]
KINDS: tuple[Kind, ...] = ("speed", "paste", "reverse", "freeze")
VISIBLE = 20
"""Grey levels of 255 above which a difference counts; above a camera's noise."""
SHARE = 0.002
"""Share of the picture's pixels from which on a frame counts as anomalous."""

_FASTER = 2
_PLACES = 16  # looked at when a box with movement is sought
_MOST_EVENTS = 4


@dataclass(frozen=True)
class Event:
    """What happens in frames ``start`` up to ``end`` of the copy.

    ``box`` is top, left, height, width within the letterboxed picture; of a ``paste`` it is the place the patch
    comes from, ``place`` (row, column) where it is at ``start``, ``speed`` its movement in pixels a frame.
    """

    kind: Kind
    start: int
    end: int
    box: Region
    place: tuple[float, float] = (0.0, 0.0)
    speed: tuple[float, float] = (0.0, 0.0)


class PseudoAnomalousClip:
    """A copy of a normal clip with up to four events; its frames are made when they are read.

    The clip is divided into equal parts of at least four windows; an event takes the middle half of a part, so
    that normal frames lie before, between and after events. Kinds that would not be visible are passed over.

    Args:
        clip: the normal clip.
        turn: the kind to begin with, so that several clips show all kinds.
        window: frames that a window spans; the copy keeps at least that many.

    Attributes:
        source: int64 ``(length,)``, the clip's frame that each frame of the copy is made from.
        events: what happens when.
    """

    def __init__(self, clip: Frames, turn: int, window: int) -> None:
        self._clip = clip
        self.name = f"{clip.name}-pseudo"
        self.region = clip.region
        self.source: NDArray[np.int64] = np.arange(clip.length)
        self.events: list[Event] = []
        self.label: Labels = np.zeros(clip.length, np.int8)
        random = np.random.default_rng(derive_seed(global_seed(), "pseudo-anomalies", clip.name))
        parts = min(max(clip.length // (4 * window), 1), _MOST_EVENTS)
        for number in reversed(range(parts)):  # from the end, since a speed-up moves what follows it
            start = round((number + 0.25) * clip.length / parts)
            end = round((number + 0.75) * clip.length / parts)
            for offset in range(len(KINDS)):
                kind = KINDS[(turn + number + offset) % len(KINDS)]
                if self._insert(kind, start, end, window, random):
                    break

    @property
    def length(self) -> int:
        """Number of frames of the copy."""
        return len(self.source)

    @property
    def kinds(self) -> NDArray[np.str_]:
        """Return str ``(length,)``, the kind of what is anomalous in each frame, empty on normal ones."""
        found = np.zeros(self.length, f"U{max(map(len, KINDS))}")
        for event in self.events:
            found[event.start : event.end] = event.kind
        found[self.label == 0] = ""
        return found

    def frames(self, numbers: FrameNumbers) -> Frame:
        """Return uint8 ``(T, C, H, W)``."""
        chosen = np.arange(self.length)[numbers]
        made = self._clip.frames(self.source[chosen]).copy()
        for event in self.events:
            inside = np.flatnonzero((chosen >= event.start) & (chosen < event.end))
            if len(inside):
                made[inside] = self._make(event, chosen[inside], made[inside])
        return made

    def masks(self, numbers: FrameNumbers) -> Frame:
        """Return uint8 ``(T, H, W)``, 1 on the pixels that are visibly anomalous in anomalous frames."""
        chosen = np.arange(self.length)[numbers]
        masks = np.zeros((len(chosen), *self._clip.frames(slice(0, 1)).shape[2:]), np.uint8)
        for event in self.events:
            inside = np.flatnonzero((chosen >= event.start) & (chosen < event.end) & (self.label[chosen] == 1))
            if len(inside):
                masks[inside] = self._visible(event, chosen[inside])
        return masks

    def _insert(self, kind: Kind, start: int, end: int, window: int, random: Generator) -> bool:
        """Add an event if it can be seen; ``start`` and ``end`` count frames of the copy so far."""
        source, label = self.source, self.label
        if kind == "speed":
            kept = np.r_[:start, start:end:_FASTER, end : self.length]
            if len(kept) < window:
                return False
            self.source, self.label = source[kept], label[kept]
            shift = self.length - len(source)
            event = Event(kind, start, end + shift, self.region)
            later = [_moved(other, shift) for other in self.events]
        else:
            event, later = self._place(kind, start, end, random), self.events
        visible = self._visible(event, np.arange(event.start, event.end))
        shares = visible.sum(axis=(1, 2)) / (self.region[2] * self.region[3])
        if (shares >= SHARE).mean() < 0.5:
            self.source, self.label = source, label
            return False
        self.label[event.start : event.end] = shares >= SHARE
        self.events = [event, *later]
        return True

    def _place(self, kind: Kind, start: int, end: int, random: Generator) -> Event:
        """Choose a box with much movement, and for a patch a path that stays within the picture."""
        top, left, height, width = self.region
        shown = self._clip.frames(self.source[start:end])
        moving = differs(shown[1:], shown[:-1]).mean(axis=0)
        boxes = []
        for _ in range(_PLACES):
            area = random.uniform(0.02, 0.06 if kind == "paste" else 0.12) * height * width
            aspect = random.uniform(0.5, 1.0)  # width over height, as of people
            rows = min(max(2, round(np.sqrt(area / aspect))), height)
            columns = min(max(2, round(np.sqrt(area * aspect))), width)
            row, column = random.integers(height - rows + 1), random.integers(width - columns + 1)
            boxes.append((top + int(row), left + int(column), rows, columns))
        box = max(boxes, key=lambda box: float(moving[_within(box)].sum()))
        if kind != "paste":
            return Event(kind, start, end, box)
        frames, angle = end - start, random.uniform(0, 2 * np.pi)
        pace = random.uniform(0.02, 0.04) * max(height, width)
        place, speed = [], []
        for room, edge, direction in (
            (height - box[2], top, np.sin(angle)),
            (width - box[3], left, np.cos(angle)),
        ):
            way = float(np.clip(direction * pace * frames, -room, room))
            place.append(edge + random.uniform(max(0.0, -way), room - max(0.0, way)))
            speed.append(way / frames)
        return Event(kind, start, end, box, (place[0], place[1]), (speed[0], speed[1]))

    def _make(self, event: Event, numbers: NDArray[np.int64], frames: Frame) -> Frame:
        """Return ``frames``, the clip's at ``numbers`` of the copy, with the event in them."""
        rows, columns = _within(event.box)
        if event.kind == "speed":
            return frames
        made = frames.copy()
        if event.kind == "paste":
            _, _, height, width = event.box
            for target, number, frame in zip(made, numbers, frames, strict=True):
                row, column = (
                    round(place + speed * float(number - event.start))
                    for place, speed in zip(event.place, event.speed, strict=True)
                )
                target[:, row : row + height, column : column + width] = frame[:, rows, columns]
            return made
        mirrored = event.start + event.end - 1 - numbers
        shown = mirrored if event.kind == "reverse" else np.full_like(numbers, event.start)
        made[:, :, rows, columns] = self._clip.frames(self.source[shown])[:, :, rows, columns]
        return made

    def _visible(self, event: Event, numbers: NDArray[np.int64]) -> Frame:
        """Return uint8 ``(T, H, W)``, 1 where the event can be seen in frames ``numbers`` of the copy."""
        source = self.source[numbers]
        normal = self._clip.frames(source)
        if event.kind == "speed":
            return differs(normal, self._clip.frames(np.maximum(source - _FASTER, 0)))
        return differs(self._make(event, numbers, normal), normal)


def differs(first: Frame, second: Frame) -> Frame:
    """Return uint8 ``(T, H, W)``, 1 where frames ``(T, C, H, W)`` visibly differ from others or from a single one."""
    difference = np.maximum(first, second) - np.minimum(first, second)
    visible: Frame = np.any(difference > VISIBLE, axis=1).astype(np.uint8)
    return visible


def _within(box: Region) -> tuple[slice, slice]:
    top, left, height, width = box
    return slice(top, top + height), slice(left, left + width)


def _moved(event: Event, shift: int) -> Event:
    return Event(event.kind, event.start + shift, event.end + shift, event.box, event.place, event.speed)

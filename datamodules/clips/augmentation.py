"""Random changes of training windows: light ones that keep them normal, and CutPaste with Cutout that do not.

A window is uint8 ``(T, C, H, W)`` with C = 1 (grey) or 3. Whatever is changed is changed alike in all T
frames, except that a box may move at a constant speed.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator

from datamodules.letterbox import Region
from datamodules.picture_file import Frame


@dataclass(frozen=True)
class Jitter:
    """Varies the light of a window, and mirrors it if asked to.

    Attributes:
        brightness: largest change of the level, as a share of the full range.
        contrast: largest relative change of the distance to mid-grey.
        flip: whether half of the windows are mirrored; off by default, since it turns the usual direction of
            a scene's movement into the unusual one.
    """

    brightness: float = 0.08
    contrast: float = 0.05
    flip: bool = False

    def __call__(self, frames: Frame, region: Region, random: Generator) -> Frame:
        """Return a changed copy of uint8 ``(T, C, H, W)``; the bars around ``region`` stay black."""
        gain = 1 + random.uniform(-self.contrast, self.contrast)
        shift = 255 * random.uniform(-self.brightness, self.brightness)
        mirrored = self.flip and random.random() < 0.5
        changed = frames.copy()
        picture = _crop(changed, region)
        picture[...] = relight(picture[..., ::-1] if mirrored else picture, gain, shift)
        return changed


def cut_paste_and_cut_out(frames: Frame, region: Region, random: Generator) -> tuple[Frame, Frame]:
    """Paste a patch of the window elsewhere, then blank a small square: CutPaste and Cutout for clips.

    The patch covers 2 to 15 % of the picture with an aspect of 0.3 to 3.3 and a light changed by up to 10 %
    (CutPaste, Li et al. 2021); it stands still or moves at a constant speed of up to 3 % of the picture a
    frame. The blank square (Cutout, DeVries and Taylor 2017) has an eighth of the shorter side.

    Args:
        frames: uint8 ``(T, C, H, W)``.
        region: top, left, height, width of the picture; the bars around it are neither used nor changed.
        random: the only source of chance.

    Returns:
        The changed copy, and its mask, uint8 ``(T, H, W)``, 1 on every pixel that differs.
    """
    changed = frames.copy()
    source, target = _crop(frames, region), _crop(changed, region)
    _, _, height, width = region
    area = random.uniform(0.02, 0.15) * height * width
    aspect = np.exp(random.uniform(np.log(0.3), np.log(3.3)))
    size = _box_size(np.sqrt(area / aspect), height), _box_size(np.sqrt(area * aspect), width)
    top, left = (int(random.integers(side - box + 1)) for side, box in zip((height, width), size, strict=True))
    gain, shift = 1 + random.uniform(-0.1, 0.1), 255 * random.uniform(-0.1, 0.1)
    patch = relight(source[..., top : top + size[0], left : left + size[1]], gain, shift)
    rows = _path(height - size[0], len(frames), 0.03 * height, random)
    columns = _path(width - size[1], len(frames), 0.03 * width, random)
    for number, (row, column) in enumerate(zip(rows, columns, strict=True)):
        target[number, :, row : row + size[0], column : column + size[1]] = patch[number]
    hole = _box_size(min(height, width) / 8, min(height, width))
    row, column = int(random.integers(height - hole + 1)), int(random.integers(width - hole + 1))
    target[..., row : row + hole, column : column + hole] = 0
    return changed, (changed != frames).any(axis=1).astype(np.uint8)


def relight(frames: Frame, gain: float, shift: float) -> Frame:
    """Scale grey levels about mid-grey by ``gain`` and add ``shift``, rounded and kept within 0 to 255."""
    levels = np.rint((np.arange(256) - 127.5) * gain + 127.5 + shift).clip(0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(np.ascontiguousarray(frames).reshape(-1), levels), np.uint8).reshape(frames.shape)


def _crop(frames: Frame, region: Region) -> Frame:
    top, left, height, width = region
    return frames[..., top : top + height, left : left + width]


def _box_size(side: float, limit: int) -> int:
    return min(max(1, round(side)), limit)


def _path(room: int, length: int, fastest: float, random: Generator) -> list[int]:
    """Return a position for each frame within ``0..room``: still in half of the cases, else moving evenly."""
    first = int(random.integers(room + 1))
    speed = random.uniform(-fastest, fastest) * (random.random() < 0.5)
    return [int(position) for position in np.rint(first + speed * np.arange(length)).clip(0, room)]

"""A frame with heat, score and the course of the scores drawn in."""

from collections import deque
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from callbacks.heat import heat_over, heat_scale, is_drawn
from callbacks.text import draw_text, text_size
from datamodules.picture_file import Frame

_HISTORY = 200  # frames in the strip below the picture
_RED, _WHITE, _LIGHT = (230, 40, 30), (255, 255, 255), (120, 200, 255)


class Overlay:
    """Draws heat, score and its course of the last 200 frames into frames, one after another.

    The colours mean the same in every frame, see :func:`~callbacks.heat.heat_scale` and
    :func:`~callbacks.heat.heat_over`. The strip at the bottom uses the same scale, the threshold in its middle. Frames
    above the threshold get a red border.

    Args:
        threshold: raw score from which on a frame is called anomalous; None where unknown.
    """

    def __init__(self, threshold: float | None) -> None:
        self._threshold = threshold
        self._scale = heat_scale(threshold)
        self._scores: deque[float] = deque(maxlen=_HISTORY)
        self._picture: Frame = np.zeros((0, 0, 3), np.uint8)

    def draw(
        self,
        frame: Frame,
        score: float,
        heat: NDArray[np.float32],
        size: tuple[int, int],
        region: tuple[int, int, int, int],
    ) -> Frame:
        """Return a drawn copy, which the next one overwrites: new memory would cost more than drawing.

        Args:
            frame: uint8 RGB ``(height, width, 3)``, the original picture.
            score: raw score of the frame.
            heat: ``(h, w)``, on a grid that spans the letterboxed picture.
            size: H, W of the letterboxed picture.
            region: top, left, height, width of the picture within H x W.
        """
        self._scores.append(score)
        if self._picture.shape != frame.shape:
            self._picture = np.empty_like(frame)
        picture = self._picture
        picture[:] = frame
        self._warm(picture, heat, size, region)
        self._write_score(picture, score)
        self._draw_strip(picture)
        if self._threshold is not None and score > self._threshold:
            width = self._border(picture)
            for edge in (picture[:width], picture[-width:], picture[:, :width], picture[:, -width:]):
                edge[:] = _RED
        return picture

    def _warm(
        self,
        picture: Frame,
        heat: NDArray[np.float32],
        size: tuple[int, int],
        region: tuple[int, int, int, int],
    ) -> None:
        """Draw heat into the rectangle around what is warm, and nowhere else."""
        warm = is_drawn(heat, self._scale)
        if not warm.any():
            return
        down, across = _shares(heat.shape, size, region, picture.shape[:2])
        rows, columns = _reach(down, warm.any(axis=1)), _reach(across, warm.any(axis=0))
        part = picture[rows, columns]
        if part.size:  # else it lies in the bars beside the picture
            warmth = down[rows] @ np.nan_to_num(heat, nan=self._scale[0]) @ across[columns].T
            part[:] = heat_over(part, warmth, self._scale)

    def _write_score(self, picture: Frame, score: float) -> None:
        lines = [f"score {score:.3g}"]
        lines += [] if self._threshold is None else [f"threshold {self._threshold:.3g}"]
        size = max(10, picture.shape[0] // 28)
        step = text_size("Ag", size)[1] + 2
        left = top = self._border(picture) + 2
        width = max(text_size(line, size)[0] for line in lines)
        box = picture[top : top + len(lines) * step + 4, left : left + width + 8]
        box[:] = box // 3  # readable on any picture
        for number, line in enumerate(lines):
            draw_text(box, line, (4, 2 + number * step), _WHITE, size)

    def _border(self, picture: Frame) -> int:
        return max(2, min(picture.shape[:2]) // 60)

    def _draw_strip(self, picture: Frame) -> None:
        height, width = picture.shape[:2]
        strip = picture[height - max(12, height // 10) :]
        strip[:] = strip // 3
        rows = len(strip) - 1
        if self._threshold is not None:
            strip[round(rows / 2), ::2] = _WHITE
        across = np.linspace(0, width - 1, _HISTORY)[-len(self._scores) :]  # now is at the right
        low, high = self._scale
        up = rows * (1 - np.clip((np.array(self._scores) - low) / (high - low), 0, 1))
        line = np.stack([across, up], axis=1).round().astype(np.int32)
        cv2.polylines(strip, [line], False, _LIGHT, max(1, height // 300), cv2.LINE_AA)


def heat_on_frame(
    heat: NDArray[np.float32],
    size: tuple[int, int],
    region: tuple[int, int, int, int],
    frame_size: tuple[int, int],
) -> NDArray[np.float32]:
    """Return heat for every pixel of the original picture, ``(height, width)``, the letterbox's bars left out.

    Args:
        heat: ``(h, w)``, on a grid that spans the letterboxed picture.
        size: H, W of the letterboxed picture.
        region: top, left, height, width of the picture within H x W.
        frame_size: height, width of the original picture.
    """
    down, across = _shares(heat.shape, size, region, frame_size)
    return np.asarray(down @ heat @ across.T, np.float32)


@lru_cache
def _shares(
    grid: tuple[int, int], size: tuple[int, int], region: tuple[int, int, int, int], frame_size: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return how much every row of a grid counts in every row of the frame, ``(height, h)``, and the same of columns.

    Heat is brought to the size of the letterboxed picture, cut, and brought to the size of the frame, each linearly and
    in either direction by itself: two matrices do the same at once, for any part of the frame.
    """
    top, left, height, width = region
    down = _resized(_resized(np.eye(grid[0], dtype=np.float32), size[0])[top : top + height], frame_size[0])
    across = _resized(_resized(np.eye(grid[1], dtype=np.float32), size[1])[left : left + width], frame_size[1])
    return down, across


def _resized(columns: NDArray[np.float32], length: int) -> NDArray[np.float32]:
    return np.asarray(cv2.resize(columns, (columns.shape[1], length), interpolation=cv2.INTER_LINEAR), np.float32)


def _reach(shares: NDArray[np.float32], warm: Any) -> slice:
    """Return from the first to the last row in which a warm one of the grid counts; empty where none does."""
    reached = np.flatnonzero(shares[:, warm].any(axis=1))
    return slice(reached[0], reached[-1] + 1) if len(reached) else slice(0)

"""A frame with heat, score and the course of the scores drawn in."""

from collections import deque

import cv2
import numpy as np
from numpy.typing import NDArray

from callbacks.heat import heat_over, heat_scale
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

    def draw(
        self,
        frame: Frame,
        score: float,
        heat: NDArray[np.float32],
        size: tuple[int, int],
        region: tuple[int, int, int, int],
    ) -> Frame:
        """Return a drawn copy.

        Args:
            frame: uint8 RGB ``(height, width, 3)``, the original picture.
            score: raw score of the frame.
            heat: ``(h, w)``, on a grid that spans the letterboxed picture.
            size: H, W of the letterboxed picture.
            region: top, left, height, width of the picture within H x W.
        """
        self._scores.append(score)
        picture = self._warm(frame, heat, size, region)
        self._write_score(picture, score)
        self._draw_strip(picture)
        if self._threshold is not None and score > self._threshold:
            width = self._border(picture)
            for edge in (picture[:width], picture[-width:], picture[:, :width], picture[:, -width:]):
                edge[:] = _RED
        return picture

    def _warm(
        self,
        frame: Frame,
        heat: NDArray[np.float32],
        size: tuple[int, int],
        region: tuple[int, int, int, int],
    ) -> Frame:
        height, width = frame.shape[:2]
        return heat_over(frame, heat_on_frame(heat, size, region, (height, width)), self._scale)

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
            draw_text(picture, line, (left + 4, top + 2 + number * step), _WHITE, size)

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
    top, left, height, width = region
    boxed = cv2.resize(heat, size[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.resize(boxed[top : top + height, left : left + width], frame_size[::-1]), np.float32)

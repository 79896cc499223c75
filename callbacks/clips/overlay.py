"""The picture of a frame with what the model says of it drawn in."""

from collections import deque

import cv2
import numpy as np
from numpy.typing import NDArray

from datamodules.picture_file import Frame

_HISTORY = 200  # frames in the strip below the picture
_OPACITY = 0.65  # of the hottest places
_RED, _WHITE, _LIGHT = (230, 40, 30), (255, 255, 255), (120, 200, 255)


class Overlay:
    """Draws heat, score and its course of the last 200 frames into frames, one after another.

    The colours mean the same in every frame: heat is divided by twice the threshold (by 2 where no positive
    threshold is known) and cut to [0, 1], so that a place as strong as the threshold is at one half. Up to
    a quarter nothing is drawn; from there on the colour runs from dark red to bright yellow and grows
    opaque. The strip at the bottom uses the same scale, the threshold in its middle. Frames above the
    threshold get a red border.

    Args:
        threshold: raw score from which on a frame is called anomalous; None where unknown.
    """

    def __init__(self, threshold: float | None) -> None:
        self._threshold = threshold
        self._full = 2 * threshold if threshold is not None and threshold > 0 else 2.0
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
        top, left, height, width = region
        boxed = cv2.resize(heat, size[::-1], interpolation=cv2.INTER_LINEAR)
        place = cv2.resize(boxed[top : top + height, left : left + width], frame.shape[1::-1])
        strength = np.clip(place / self._full, 0, 1)
        coloured = cv2.applyColorMap((strength * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
        alpha = _OPACITY * np.clip((strength - 0.25) / 0.5, 0, 1)
        return cv2.blendLinear(frame, cv2.cvtColor(coloured, cv2.COLOR_BGR2RGB), 1 - alpha, alpha).astype(
            np.uint8, copy=False
        )

    def _write_score(self, picture: Frame, score: float) -> None:
        text = f"score {score:.3g}" + (f" / {self._threshold:.3g}" if self._threshold is not None else "")
        scale = max(0.35, picture.shape[0] / 800)
        (width, height), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
        left = top = self._border(picture) + 2
        box = picture[top : top + height + below + 6, left : left + width + 8]
        box[:] = box // 3  # readable on any picture
        place = (left + 4, top + height + 3)
        cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, _WHITE, 1, cv2.LINE_AA)

    def _border(self, picture: Frame) -> int:
        return max(2, min(picture.shape[:2]) // 60)

    def _draw_strip(self, picture: Frame) -> None:
        height, width = picture.shape[:2]
        strip = picture[height - max(12, height // 10) :]
        strip[:] = strip // 3
        rows = len(strip) - 1
        if self._threshold is not None:
            middle = round(rows * (1 - np.clip(self._threshold / self._full, 0, 1)))
            strip[middle, ::2] = _WHITE
        across = np.linspace(0, width - 1, _HISTORY)[-len(self._scores) :]  # now is at the right
        up = rows * (1 - np.clip(np.array(self._scores) / self._full, 0, 1))
        line = np.stack([across, up], axis=1).round().astype(np.int32)
        cv2.polylines(strip, [line], False, _LIGHT, max(1, height // 300), cv2.LINE_AA)

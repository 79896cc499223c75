"""Heat drawn over the picture of a part, with a bar that says what the colours mean."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from callbacks.heat import heat_colours, heat_over, heat_scale
from callbacks.parts.boxes import Box
from callbacks.picture_file import Picture
from callbacks.text import draw_text

_BAR, _LINE, _NARROWEST = 10, 20, 260  # pixels
_PAPER, _FRAME = 255, (120, 200, 255)


def draw_heat(image: Picture, heat: NDArray[np.float32], boxes: Sequence[Box], threshold: float) -> Picture:
    """Return the picture with its heat and boxes drawn in.

    The colours mean the same in every picture, see :func:`~callbacks.heat.heat_scale`.

    Args:
        image: uint8 RGB ``(H, W, 3)``.
        heat: ``(H, W)``; NaN is drawn as the lowest score.
        boxes: to frame.
        threshold: raw score of a pixel above which it is called defective.
    """
    drawn = heat_over(image, heat, heat_scale(threshold))
    for box in boxes:
        corner = (box.x + box.width, box.y + box.height)
        cv2.rectangle(drawn, (box.x - 1, box.y - 1), corner, _FRAME, 1)
    return drawn


def with_bar(drawn: Picture, caption: str, threshold: float) -> Picture:
    """Return the picture with a caption above and a bar of its colours, with three marked scores, below."""
    low, high = heat_scale(threshold)
    height, width = drawn.shape[:2]
    canvas = np.full((_LINE + height + 4 + _BAR + _LINE, max(width, _NARROWEST), 3), _PAPER, np.uint8)
    canvas[_LINE : _LINE + height, :width] = drawn
    draw_text(canvas, caption, (2, 3))
    length = min(canvas.shape[1], 600)
    ramp = np.linspace(0, 255, length).round().astype(np.uint8)[None].repeat(_BAR, axis=0)
    top = _LINE + height + 4
    canvas[top : top + _BAR, :length] = heat_colours(ramp)
    canvas[top : top + _BAR, length // 2 : length // 2 + 2] = 255
    marks = {f"{low:.3g}": 2, f"threshold {threshold:.3g}": length // 2 - 45, f"{high:.3g}": length - 40}
    for text, left in marks.items():
        draw_text(canvas, text, (left, top + _BAR + 3))
    return canvas

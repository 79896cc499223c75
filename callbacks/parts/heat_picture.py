"""Heat drawn over the picture of a part, with a bar that says what the colours mean."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from callbacks.colour_bar import NARROWEST, colour_bar, heat_marks
from callbacks.heat import heat_over, heat_scale
from callbacks.parts.boxes import Box
from callbacks.picture_file import Picture, stacked
from callbacks.text import draw_text

_LINE = 20  # pixels
_FRAME = (120, 200, 255)


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
    line = np.full((_LINE, max(drawn.shape[1], NARROWEST), 3), 255, np.uint8)
    draw_text(line, caption, (2, 3))
    return stacked([line, drawn, colour_bar(line.shape[1], heat_marks(threshold))])

"""Heat drawn over the picture of a part, with a bar that says what the colours mean."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from callbacks.parts.defects import Box
from callbacks.picture_file import Picture

_OPACITY = 0.65  # of the hottest places
_BAR, _LINE, _NARROWEST = 10, 20, 260  # pixels
_INK, _PAPER, _FRAME = (40, 40, 40), 255, (120, 200, 255)


def draw_heat(image: Picture, heat: NDArray[np.float32], boxes: Sequence[Box], threshold: float) -> Picture:
    """Return the picture with its heat and boxes drawn in.

    The colours mean the same in every picture: heat runs from dark at 0 to bright yellow at twice the threshold,
    so that a place as strong as the threshold is at one half. Up to a quarter nothing is drawn; from there on the
    colour grows opaque. Where the threshold is not positive, the scale runs from the threshold minus 1 to plus 1.

    Args:
        image: uint8 RGB ``(H, W, 3)``.
        heat: ``(H, W)``; NaN is drawn as 0.
        boxes: to frame.
        threshold: raw score of a pixel from which on it is called defective.
    """
    low, high = scale_of(threshold)
    strength = np.nan_to_num(np.clip((heat - low) / (high - low), 0, 1), nan=0.0)
    coloured = _colours((strength * 255).astype(np.uint8))
    alpha = _OPACITY * np.clip((strength - 0.25) / 0.5, 0, 1).astype(np.float32)
    drawn = cv2.blendLinear(image, coloured, 1 - alpha, alpha).astype(np.uint8, copy=False)
    for box in boxes:
        corner = (box.x + box.width, box.y + box.height)
        cv2.rectangle(drawn, (box.x - 1, box.y - 1), corner, _FRAME, 1)
    return drawn


def with_bar(drawn: Picture, caption: str, threshold: float) -> Picture:
    """Return the picture with a caption above and a bar of its colours, with three marked scores, below."""
    low, high = scale_of(threshold)
    height, width = drawn.shape[:2]
    canvas = np.full((_LINE + height + 4 + _BAR + _LINE, max(width, _NARROWEST), 3), _PAPER, np.uint8)
    canvas[_LINE : _LINE + height, :width] = drawn
    write(canvas, caption, (2, _LINE - 6))
    length = min(canvas.shape[1], 600)
    ramp = np.linspace(0, 255, length).round().astype(np.uint8)[None].repeat(_BAR, axis=0)
    top = _LINE + height + 4
    canvas[top : top + _BAR, :length] = _colours(ramp)
    canvas[top : top + _BAR, length // 2 : length // 2 + 2] = 255
    marks = {f"{low:.3g}": 2, f"threshold {threshold:.3g}": length // 2 - 45, f"{high:.3g}": length - 40}
    for text, left in marks.items():
        write(canvas, text, (left, top + _BAR + 14))
    return canvas


def scale_of(threshold: float) -> tuple[float, float]:
    """Return the scores of the darkest and the brightest colour; the threshold lies half way between."""
    return (0.0, 2 * threshold) if threshold > 0 else (threshold - 1, threshold + 1)


def write(canvas: Picture, text: str, place: tuple[int, int]) -> None:
    """Write a small line of text, ``place`` being its lower left corner (x, y)."""
    cv2.putText(canvas, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.4, _INK, 1, cv2.LINE_AA)


def _colours(strength: Picture) -> Picture:
    coloured = cv2.cvtColor(cv2.applyColorMap(strength, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)
    return np.ascontiguousarray(coloured, np.uint8)

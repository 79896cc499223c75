"""One case of a test in one picture: what was seen and made of it, side by side, and why it is shown."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from callbacks.colour_bar import Marks, with_bars
from callbacks.heat import heat_over, heat_scale
from callbacks.picture_file import Picture, stacked
from callbacks.text import draw_text, text_size

_SMALLEST = 192  # pixels; smaller pictures are enlarged by a whole factor, so that one can see their pixels
_GAP, _LINE, _PAPER = 4, 18, 255


def case_picture(columns: Mapping[str, Picture], lines: Sequence[str], scales: Mapping[str, Marks]) -> Picture:
    """Lay pictures of one size side by side, named, below lines of text and above the bars of their colours.

    Args:
        columns: uint8 RGB ``(H, W, 3)`` by name.
        lines: of text; the picture is as wide as they need.
        scales: what the colours of a column mean, by its name.
    """
    named = [_named(name, enlarged(one)) for name, one in columns.items()]
    row = np.hstack([np.pad(one, ((0, 0), (0, _GAP), (0, 0)), constant_values=_PAPER) for one in named])
    width = max(row.shape[1], *(text_size(line)[0] + 2 * _GAP for line in lines))
    head = np.full((_LINE * len(lines), width, 3), _PAPER, np.uint8)
    for number, line in enumerate(lines):
        draw_text(head, line, (2, number * _LINE + 2))
    return with_bars(stacked([head, row]), scales)


def enlarged(picture: Picture) -> Picture:
    """Enlarge a small picture ``(H, W, 3)`` by a whole factor."""
    factor = max(1, -(-_SMALLEST // min(picture.shape[:2])))
    return picture.repeat(factor, axis=0).repeat(factor, axis=1)


def with_heat(picture: Picture, heat: NDArray[np.floating], threshold: float | None) -> Picture:
    """Return a picture ``(H, W, 3)`` with its heat ``(H, W)`` drawn in; NaN is drawn as the lowest score."""
    return heat_over(picture, heat.astype(np.float32), heat_scale(threshold))


def of_mask(mask: NDArray[np.bool_]) -> Picture:
    """Return a mask ``(H, W)`` as a picture ``(H, W, 3)``, white where it is true."""
    return np.repeat(mask[..., None], 3, axis=2).astype(np.uint8) * 255


def _named(name: str, picture: Picture) -> Picture:
    line = np.full((_LINE, picture.shape[1], 3), _PAPER, np.uint8)
    draw_text(line, name, (2, 2))
    return np.vstack([line, picture])

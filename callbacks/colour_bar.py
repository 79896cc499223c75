"""Bars that say what the colours of a map mean."""

from collections.abc import Mapping

import numpy as np
from torch import Tensor

from callbacks.heat import heat_colours, heat_scale
from callbacks.picture_file import Picture, stacked
from callbacks.text import draw_text, text_size
from datamodules.protocols import HasVisualScales

Marks = tuple[str, str, str]
"""What stands below the darkest colour, the one half way, and the brightest."""

PLAIN: Marks = ("0", "0.5", "1")
NARROWEST = 260  # pixels of a picture below which a bar stands
_BAR, _LINE, _GAP = 10, 20, 4
_LONGEST, _PAPER = 600, 255


def scales_of(model: object, visuals: Mapping[str, Tensor]) -> dict[str, Marks]:
    """Return what the colours mean of every visual ``(..., 1, H, W)``; others are pictures, and need no bar."""
    known = model.visual_scales if isinstance(model, HasVisualScales) else {}
    return {name: known.get(name, PLAIN) for name, visual in visuals.items() if visual.shape[-3] == 1}


def heat_marks(threshold: float | None) -> Marks:
    """Return the marks of :func:`~callbacks.heat.heat_scale`."""
    low, high = heat_scale(threshold)
    half = f"{(low + high) / 2:.3g}" if threshold is None else f"threshold {threshold:.3g}"
    return f"{low:.3g}", half, f"{high:.3g} or more"


def colour_bar(width: int, marks: Marks, name: str = "") -> Picture:
    """Return a bar of all colours above its three marks, behind a name, ``(34, width, 3)``."""
    canvas = np.full((_GAP + _BAR + _LINE, width, 3), _PAPER, np.uint8)
    left = text_size(f"{name}   ")[0] if name else 0
    draw_text(canvas, name, (2, 2))
    length = min(width - left, _LONGEST)
    ramp = np.linspace(0, 255, length).round().astype(np.uint8)[None].repeat(_BAR, axis=0)
    canvas[_GAP : _GAP + _BAR, left : left + length] = heat_colours(ramp)
    canvas[_GAP : _GAP + _BAR, left + length // 2 : left + length // 2 + 2] = _PAPER
    for share, mark in zip((0.0, 0.5, 1.0), marks, strict=True):
        place = round(left + share * (length - text_size(mark)[0]))
        draw_text(canvas, mark, (max(place, left), _GAP + _BAR + 3))
    return canvas


def with_bars(picture: Picture, scales: Mapping[str, Marks]) -> Picture:
    """Return the picture with a bar for every name below it."""
    width = max(picture.shape[1], NARROWEST)
    return stacked([picture, *(colour_bar(width, marks, name) for name, marks in scales.items())], _PAPER)

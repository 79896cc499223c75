"""The values of masks, and which of them mark; that is decided in :mod:`datamodules.mask_marking`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from datamodules.errors import InputError
from datamodules.picture_file import Frame, opened, turned_upright

Kind = Literal["brightness", "deep", "palette", "array", "alpha"]
Levels = NDArray[np.uint16]


@dataclass(frozen=True)
class Rule:
    """Marks what lies above ``threshold``, or what does not."""

    threshold: int
    above: bool = True

    def __call__(self, values: Levels) -> Frame:
        """Return uint8 of 0 and 1."""
        return ((values > self.threshold) == self.above).astype(np.uint8)


@dataclass(frozen=True)
class Marking:
    """Which values mark, by their kind; ``deep`` is brightness of 16 bits, ``alpha`` is None where none counts."""

    brightness: Rule = Rule(127)
    deep: Rule = Rule(32_767)
    palette: Rule = Rule(0)
    array: Rule = Rule(0)
    alpha: Rule | None = None

    def read(self, pixels: "MaskPixels") -> Frame:
        """Return uint8 ``(H, W)``, 1 where a mask marks."""
        if pixels.alpha is not None and self.alpha is not None:
            return self.alpha(pixels.alpha)
        rule: Rule = getattr(self, pixels.kind)
        return rule(pixels.values)


PLAIN = Marking()
"""For masks of which nothing else is known."""


@dataclass(frozen=True, eq=False)
class MaskPixels:
    """The values of one mask.

    Attributes:
        kind: what ``values`` are.
        values: ``(H, W)``.
        alpha: ``(H, W)``, of a picture that has such a channel.
        one_colour: whether its colour is the same everywhere.
        palette: red, green and blue by the number of a colour, of those that occur.
    """

    kind: Kind
    values: Levels
    alpha: Levels | None = None
    one_colour: bool = False
    palette: dict[int, tuple[int, ...]] | None = None


def mask_pixels(path: Path) -> MaskPixels:
    """Read a mask from a picture file, upright.

    Raises:
        InputError: if it is unreadable, or its values are floating-point numbers or have more than 16 bits.
    """
    with opened(path) as image:
        upright = turned_upright(image, image)
        if upright.mode == "P":
            values = np.asarray(upright)
            colours = np.asarray(upright.convert("RGB"))
            numbers, places = np.unique(values, return_index=True)
            seen = colours.reshape(-1, 3)[places].tolist()
            palette = {int(number): tuple(colour) for number, colour in zip(numbers, seen, strict=True)}
            return MaskPixels("palette", values.astype(np.uint16), palette=palette)
        if upright.mode.startswith("I") or upright.mode == "F":
            return MaskPixels("deep", _whole_numbers(path, np.asarray(upright)))
        if not upright.has_transparency_data:
            return MaskPixels("brightness", np.asarray(upright.convert("RGB")).max(axis=-1).astype(np.uint16))
        coloured = np.asarray(upright.convert("RGBA"))
        ground = Image.new("RGBA", upright.size, (0, 0, 0, 255))
        shown = np.asarray(Image.alpha_composite(ground, upright.convert("RGBA")))[..., :3]
        one_colour = bool((coloured[..., :3] == coloured[0, 0, :3]).all())
        return MaskPixels(
            "brightness", shown.max(axis=-1).astype(np.uint16), coloured[..., 3].astype(np.uint16), one_colour
        )


def array_pixels(path: Path, mask: NDArray[Any]) -> MaskPixels:
    """Take a mask from an array ``(H, W)`` of whole numbers that was read from ``path``.

    Raises:
        InputError: if it holds others.
    """
    return MaskPixels("array", _whole_numbers(path, mask))


def _whole_numbers(path: Path, values: NDArray[Any]) -> Levels:
    numbers = values if values.dtype.kind in "buif" else np.array([-1])
    with np.errstate(invalid="ignore"):
        whole = numbers.astype(np.uint16)
    if not (whole == numbers).all():
        found = f"of type {values.dtype}" if numbers is not values else f"such as {values[whole != numbers].flat[0]}"
        raise InputError(f"{path}: a mask must hold whole numbers from 0 to 65,535, and holds values {found}")
    return whole

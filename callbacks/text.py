"""Text on pictures: any name that a file can have, in a font that has its letters."""

from functools import lru_cache

import numpy as np
from matplotlib.font_manager import findfont
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Picture = NDArray[np.uint8]
Colour = tuple[int, int, int]

INK: Colour = (40, 40, 40)
SIZE = 12  # pixels


def draw_text(picture: Picture, text: str, place: tuple[int, int], colour: Colour = INK, size: int = SIZE) -> None:
    """Draw a line of text into a picture; what lies outside of it is cut off.

    Args:
        picture: uint8 RGB ``(H, W, 3)``, changed in place.
        text: what cannot be printed is escaped, see :func:`printable`.
        place: left and top in pixels.
        colour: RGB.
        size: of the font in pixels.
    """
    left, top = place
    region = picture[top : top + 2 * size, left:]
    if not region.size:
        return
    image = Image.fromarray(np.ascontiguousarray(region))
    ImageDraw.Draw(image).text((0, 0), printable(text), fill=colour, font=_font(size))
    region[:] = np.asarray(image)


@lru_cache(1024)
def text_size(text: str, size: int = SIZE) -> tuple[int, int]:
    """Return width and height in pixels of a line of text."""
    _, _, right, bottom = _font(size).getbbox(printable(text))
    return int(np.ceil(right)), int(np.ceil(bottom))


def printable(text: str) -> str:
    r"""Escape what cannot be printed: line breaks as ``\n``, bytes of a file name that are not UTF-8 as ``\xff``."""
    return "".join(one if one.isprintable() else _escaped(one) for one in text)


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # how Python keeps a byte of a file name that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return ascii(character)[1:-1]


@lru_cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(findfont("DejaVu Sans"), size)  # it comes with matplotlib

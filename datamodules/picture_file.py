"""Reading a picture file rightly, whatever its kind: depth, palette, transparency, inks and orientation.

Every picture becomes upright uint8 ``(H, W, C)``, grey or RGB. Pillow decodes; only formats made for pictures are
admitted, whatever a file's name says.
"""

import struct
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms
from PIL.PngImagePlugin import PngImageFile

from datamodules.deep_pictures import BitRange, to_eight_bits
from datamodules.errors import InputError
from datamodules.listing import refuse_devices

Frame = NDArray[np.uint8]

FORMATS = ("JPEG", "PNG", "BMP", "DIB", "TIFF", "WEBP", "GIF", "AVIF", "PPM")
"""What Pillow may decode: exactly what ``IMAGE_SUFFIXES`` promises."""

LARGEST = 2 * 89_478_485
"""Pixels from which on Pillow itself takes a file for an attack on the memory."""

Channels = Literal[1, 3]

_ALONE = 32_000_000  # pixels from which on pictures are decoded one after another, for the sake of the memory
_turn = threading.Lock()
_UPRIGHT = {  # EXIF's orientation -> what undoes it
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_PNG_END = b"IEND\xaeB`\x82"
_BITS_PER_SAMPLE, _PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0  # of TIFF
# What Pillow's decoders raise on damaged files.
_DAMAGE = (
    *(OSError, SyntaxError, ValueError, EOFError, OverflowError, MemoryError),
    *(struct.error, zlib.error, ImageCms.PyCMSError),
)


def read_picture(
    path: Path,
    channels: Channels,
    background: int = 255,
    max_pixels: int | None = None,
    bit_range: BitRange | None = None,
) -> Frame:
    """Read a picture as uint8 ``(H, W, channels)``.

    - Values of more than 8 bits are scaled to 8 over ``bit_range``, without one over their whole range (12-bit TIFF
      over its own), never clipped.
    - Palettes become colours; what is transparent lies on grey level ``background``. Of a transparent RGB colour of 16
      bits a channel the upper 8 decide, which are all that is read of such a picture.
    - CMYK becomes sRGB by the profile in the file, without one by the plain rule ``255 - ink``; the
      profiles of RGB pictures are not applied.
    - The orientation noted in EXIF or TIFF is applied.
    - Grey is 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601).
    - Of a file with several pages the first is read.

    Args:
        path: of the file.
        channels: 1 for grey, 3 for RGB.
        background: 0 black to 255 white.
        max_pixels: width x height above which the file is refused before it is decoded, at most ``LARGEST``; None is
            half of that.
        bit_range: values of black and white in pictures of more than 8 bits; others are read as they are.

    Raises:
        InputError: if the file is missing, damaged, truncated, too large, of another format, or of a depth
            without a definite range (32-bit integers, signed and floating-point values).
    """
    with opened(path, max_pixels) as image:
        plain = _plain(image, path, background, bit_range).convert("L" if channels == 1 else "RGB")
        upright = turned_upright(image, plain)
        return np.array(upright).reshape(*upright.size[::-1], channels)


def in_channels(picture: Frame, channels: Channels) -> Frame:
    """Bring a picture uint8 ``(H, W, 1 or 3)`` to ``(H, W, channels)``, as one of a file is: grey by ITU-R BT.601."""
    if picture.shape[2] == channels:
        return picture
    plain = Image.fromarray(picture[..., 0] if picture.shape[2] == 1 else picture)
    return np.array(plain.convert("L" if channels == 1 else "RGB")).reshape(*picture.shape[:2], channels)


@contextmanager
def opened(path: Path, max_pixels: int | None = None) -> Iterator[Image.Image]:
    """Open a picture and load its pixels; errors of Pillow inside the block name the file.

    Args:
        path: of the file.
        max_pixels: as in ``read_picture``.

    Raises:
        InputError: as ``read_picture``.
    """
    refuse_devices(path)
    try:
        # An open file, since Pillow maps a named one into memory and then misreads grey TIFF files lying on their side.
        with path.open("rb") as file, Image.open(file, formats=FORMATS) as image:
            width, height = image.size
            if width * height > (max_pixels or LARGEST // 2):
                remedy = (
                    f"data.max_pixels is {max_pixels:,}: shrink the picture or raise it"
                    if max_pixels
                    else (f"at most {LARGEST // 2:,} are read: shrink it")
                )
                raise InputError(f"{path}: measures {width}x{height}, {width * height:,} pixels; {remedy}")
            if image.format == "PNG" and not _has_end(file):
                raise InputError(f"{path}: unreadable picture (its end is missing); it is truncated")
            if isinstance(image, PngImageFile) and image.tile[0].args == "RGB;16B" and "transparency" in image.info:
                # Pillow reads the upper bits of the pixels, and compares them with the lower ones of the colour.
                image.info["transparency"] = tuple(level >> 8 for level in image.info["transparency"])
            with _turn if width * height > _ALONE else nullcontext():
                image.load()
                yield image
    except InputError:
        raise
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except PermissionError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); allow reading it") from error
    except Image.DecompressionBombError as error:
        raise InputError(f"{path}: has more than {LARGEST:,} pixels, which no picture may have: shrink it") from error
    except _DAMAGE as error:
        raise InputError(
            f"{path}: unreadable picture ({error or type(error).__name__}); it is empty, damaged, truncated or "
            f"not one of {', '.join(FORMATS)}"
        ) from error


def turned_upright(image: Image.Image, pixels: Image.Image) -> Image.Image:
    """Return ``pixels``, made of a loaded picture, as the orientation noted in its file asks."""
    # Pillow turns TIFF files itself as it loads them, and forgets their orientation.
    turn = _UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    return pixels if turn is None else pixels.transpose(turn)


def _has_end(png: BinaryIO) -> bool:
    """Whether the last chunk is there, which Pillow does not miss where all pixels are."""
    place = png.tell()
    png.seek(0)
    found = _PNG_END in png.read()
    png.seek(place)
    return found


def _plain(image: Image.Image, path: Path, background: int, bit_range: BitRange | None) -> Image.Image:
    """Return a loaded picture as 8-bit grey or RGB, not yet turned."""
    if image.mode.startswith("I") or image.mode == "F":
        return _eight_bits(image, path, background, bit_range)
    if bit_range is not None and (deep := _deep_colour(image, path)) is not None:
        return Image.fromarray(to_eight_bits(deep, path, bit_range, 65_535))
    if image.has_transparency_data:
        ground = Image.new("RGBA", image.size, (background, background, background, 255))
        return Image.alpha_composite(ground, image.convert("RGBA")).convert("RGB")
    if image.mode == "CMYK" and "icc_profile" in image.info:
        inks = ImageCms.ImageCmsProfile(BytesIO(image.info["icc_profile"]))
        plain = ImageCms.profileToProfile(image, inks, ImageCms.createProfile("sRGB"), outputMode="RGB")
        assert plain is not None  # it is not done in place
        return plain
    return image.convert("L" if image.mode in ("1", "L") else "RGB")


def _deep_colour(image: Image.Image, path: Path) -> NDArray[np.uint16] | None:
    """Return RGB of 16 bits a channel, of which Pillow reads the upper 8; None where there are no more than those."""
    if image.mode != "RGB" or image.has_transparency_data:
        return None
    pixels = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    if pixels is None or pixels.dtype != np.uint16 or pixels.shape != (*image.size[::-1], 3):
        return None
    return np.ascontiguousarray(pixels[..., ::-1])


def _eight_bits(image: Image.Image, path: Path, background: int, bit_range: BitRange | None) -> Image.Image:
    """Scale grey values of more than 8 bits to 0..255; the transparent one, where there is, becomes the background."""
    tags = getattr(image, "tag_v2", {})
    if not image.mode.startswith("I;16") and image.format != "PPM":  # PPM comes as 32 bits that hold 16
        raise InputError(
            f"{path}: holds {'floating-point' if image.mode == 'F' else 'signed or 32-bit'} values, for which no "
            "range is defined; save it with 8 or 16 bits"
        )
    largest = (1 << tags.get(_BITS_PER_SAMPLE, (16,))[0]) - 1
    values = np.asarray(image)
    bright = largest - values if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO else values
    levels = to_eight_bits(bright, path, bit_range, largest)
    if "transparency" in image.info:
        levels[values == image.info["transparency"]] = background
    return Image.fromarray(levels)

"""What of the pictures and clips fits into a page: the largest pictures are compressed, then the largest left out."""

import base64
import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from datamodules.errors import InputError
from datamodules.picture_file import opened
from fulgurite.pages.media import Medium

QUALITY = 85
"""Of a picture that is compressed, 100 is the best: an eye sees no difference, a measurement would."""
LONGEST_SIDE = 16_383  # pixels, of WebP
HEAD = len("data:image/webp;base64,")


def embedded(media: Sequence[Medium], room: int) -> list[Medium]:
    """Return the same media with their content, as far as it fits into ``room`` bytes.

    Where all of it does not, the largest pictures are compressed until it does; where that is not enough, the largest
    pictures and clips are left out.

    Raises:
        InputError: if a file cannot be read any more.
    """
    by_path = {one.path: one for one in media}
    smaller: dict[Path, bytes] = {}
    left_out: set[Path] = set()

    def size(one: Medium) -> int:
        return len(smaller[one.path]) if one.path in smaller else one.size

    def is_enough() -> bool:
        return sum(letters(size(one)) for one in media if one.path not in left_out) <= room

    for one in sorted(by_path.values(), key=size, reverse=True):
        if is_enough():
            break
        coded = None if one.is_video or max(one.width, one.height) > LONGEST_SIDE else _compressed(one.path)
        if coded and len(coded) < one.size:
            smaller[one.path] = coded
    for one in sorted(by_path.values(), key=size, reverse=True):
        if is_enough():
            break
        left_out.add(one.path)
    return [one if one.path in left_out else _with_content(one, smaller.get(one.path)) for one in media]


def letters(size: int) -> int:
    """Return the bytes that a file of ``size`` bytes takes in a page: three of it are four letters."""
    return 4 * -(-size // 3) + HEAD


def _compressed(path: Path) -> bytes:
    content = io.BytesIO()
    with opened(path) as image:
        image.convert("RGB").save(content, "WEBP", quality=QUALITY)
    return content.getvalue()


def _with_content(one: Medium, smaller: bytes | None) -> Medium:
    try:
        content = smaller or one.path.read_bytes()
    except OSError as problem:
        raise InputError(f"{one.path} cannot be read: {problem.strerror}") from None
    kind = "image/webp" if smaller else "video/mp4" if one.is_video else "image/png"
    uri = f"data:{kind};base64,{base64.b64encode(content).decode()}"
    return replace(one, uri=uri, is_compressed=smaller is not None)

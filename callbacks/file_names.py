"""Names of recordings and pictures as names of files, and in cells of tables: any name that a file can have."""

import hashlib
import os
import re
from pathlib import Path, PurePosixPath

LONGEST = 255  # bytes of a file's name, on every common file system
_DIGEST = 8  # hexadecimal digits that stand for what was cut off
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")  # with the last, so that the mark can be taken off again


def fitting(name: str, suffix: str = "", room: int = 0) -> Path:
    """Return a name with ``suffix`` behind it as a relative path that a file system takes.

    A part of it that would be longer than 255 bytes keeps its beginning, with eight digits for the rest:
    ``nnn~0a1b2c3d``.

    Args:
        name: may have ``/`` in it.
        suffix: such as ``.png``.
        room: bytes to leave free in the last part, for what may be put behind it later.
    """
    *folders, last = PurePosixPath(name).parts
    parts = [_cut(folder, LONGEST) for folder in folders]
    return Path(*parts, _cut(last, LONGEST - room - len(os.fsencode(suffix))) + suffix)


def cell(value: object) -> object:
    r"""Return what to write for a value into a table, so that it can be read again and runs nowhere as a formula.

    Floats have nine digits. Of a text, ``\`` is doubled, bytes that are not UTF-8 are ``\udcff``, and ``'`` stands
    before what a spreadsheet would take for a formula.
    """
    if isinstance(value, float):
        return f"{value:.9g}"
    if not isinstance(value, str):
        return value
    text = value.replace("\\", r"\\").encode("utf-8", "backslashreplace").decode()
    return f"'{text}" if text.startswith(_FORMULA) else text


def text_of(written: str) -> str:
    """Return the text for which :func:`cell` has written ``written``."""
    return re.sub(r"\\(\\|udc[89a-f][0-9a-f])", _unescape, written.removeprefix("'"))


def _unescape(found: re.Match[str]) -> str:
    return "\\" if found[1] == "\\" else chr(int(found[1][1:], 16))


def _cut(part: str, longest: int) -> str:
    whole = os.fsencode(part)
    if len(whole) <= longest:
        return part
    digest = hashlib.blake2b(whole, digest_size=_DIGEST // 2).hexdigest()
    kept = part
    while len(os.fsencode(kept)) > longest - _DIGEST - 1:
        kept = kept[:-1]
    return f"{kept}~{digest}"

"""MATLAB files of version 5 to 7, read in Python alone: the readers in C that there are crash on damaged ones."""

import math
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from datamodules.errors import InputError
from datamodules.listing import refuse_devices

_HEAD = 128  # bytes
_CELL, _COMPRESSED, _MATRIX = 1, 15, 14
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
"""Types of stored values by their number."""
_CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
"""Types of arrays by the number of their class; each may be stored as a smaller one."""
_HEADS = (6, 5, 1)  # types of what is before its values: class and flags, dimensions, name
_COMPLEX = 0x800
_DEEPEST = 8  # cells within cells
_DAMAGE = (struct.error, zlib.error, ValueError, LookupError, OverflowError, MemoryError, RecursionError)


class _Element(NamedTuple):
    kind: int
    content: memoryview


def read_mat(path: Path, variable: str) -> NDArray[Any] | None:
    """Return a variable of numbers, or of cells of numbers (dtype object); None where the file has none of that name.

    Raises:
        InputError: if the file is damaged or of another version, or the variable holds anything else.
    """
    refuse_devices(path)
    try:
        content = memoryview(path.read_bytes())
        order = {b"IM": "<", b"MI": ">"}.get(bytes(content[126:_HEAD]))
        if order is None or bytes(content[124:126]) not in (b"\x00\x01", b"\x01\x00"):
            raise InputError(
                f"{path}: not a readable MATLAB file (versions 5 to 7 are, 7.3 is not); save it by save(..., '-v7'), "
                "or move it away if it holds no labels"
            )
        for element in _elements(content[_HEAD:], order):
            if element.kind == _COMPRESSED:
                (element,) = _elements(memoryview(_unpacked(element.content, order)), order)
            if element.kind != _MATRIX:
                raise ValueError("a variable is none")
            if _name(element.content, order) == variable:
                return _array(element.content, order)
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except _DAMAGE as error:
        why = str(error) or type(error).__name__
        raise InputError(f"{path}: not a readable MATLAB file ({why}); get or write it anew") from error
    return None


def _elements(content: memoryview, order: str) -> Iterator[_Element]:
    """Yield what follows each other; values begin at multiples of 8 bytes, short ones stand within the tag itself."""
    place = 0
    while place < len(content):
        kind, size = struct.unpack_from(f"{order}II", content, place)
        begin = place + 8
        if kind >> 16:
            kind, size, begin = kind & 0xFFFF, kind >> 16, place + 4
            if size > 4:
                raise ValueError("a short element is longer than 4 bytes")
        end = begin + size
        if end > len(content):
            raise ValueError(f"{size:,} bytes are announced, {len(content) - begin:,} are there")
        yield _Element(kind, content[begin:end])
        place = end if kind == _COMPRESSED else place + 8 if begin == place + 4 else end + -end % 8


def _unpacked(content: memoryview, order: str) -> bytes:
    """Return a compressed element, as much of it as it announces itself."""
    tag = zlib.decompressobj().decompress(content, 8)
    _, size = struct.unpack(f"{order}II", tag)
    unpacking = zlib.decompressobj()
    found = unpacking.decompress(content, 8 + size)
    found += unpacking.decompress(unpacking.unconsumed_tail, 1)  # the checksum is compared where the end is reached
    if not unpacking.eof or len(found) != 8 + size:
        raise ValueError("a compressed variable is not as long as it announces")
    return found


def _name(matrix: memoryview, order: str) -> str:
    parts = _elements(matrix, order)
    next(parts), next(parts)
    return bytes(next(parts).content).decode("ascii", errors="replace")


def _array(matrix: memoryview, order: str, depth: int = 0) -> NDArray[Any]:
    if not len(matrix):  # an empty cell
        return np.zeros((0, 0))
    flags, dimensions, name, *parts = _elements(matrix, order)
    if (flags.kind, dimensions.kind, name.kind) != _HEADS:
        raise ValueError("the head of an array is none")
    (flag, _) = struct.unpack(f"{order}II", flags.content)
    shape = struct.unpack(f"{order}{len(dimensions.content) // 4}i", dimensions.content)
    if len(shape) < 2 or min(shape) < 0:
        raise ValueError(f"an array measures {shape}")
    kind, size = flag & 0xFF, math.prod(shape)
    if kind == _CELL:
        if size != len(parts) or depth == _DEEPEST or any(part.kind != _MATRIX for part in parts):
            raise ValueError(f"of {size} cells {len(parts)} are there")
        cells = np.empty(size, object)
        for number, part in enumerate(parts):  # at once, numpy would make one array of those that are alike
            cells[number] = _array(part.content, order, depth + 1)
        return cells.reshape(shape, order="F")
    if kind not in _CLASSES or flag & _COMPLEX:
        raise ValueError("it holds something else than plain numbers")
    (values,) = parts
    stored = np.frombuffer(values.content, np.dtype(f"{order}{_NUMBERS[values.kind]}"))
    if stored.size != size:
        raise ValueError(f"an array of {size:,} values holds {stored.size:,}")
    with np.errstate(invalid="ignore"):
        return stored.astype(_CLASSES[kind]).reshape(shape, order="F")

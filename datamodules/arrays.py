"""Arrays in files: written item by item, read through a memory map."""

import contextlib
import os
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

_HEADER = 128  # bytes of a .npy header of up to 4 dimensions


class GrowingArray:
    """A ``.npy`` that grows along its first axis; no more of it is in memory than what is appended.

    >>> with GrowingArray(path, np.uint8, (3, 64, 64)) as frames:  # doctest: +SKIP
    ...     frames.append(frame[None])

    Args:
        path: of the file.
        dtype: of the values.
        shape: of an item, all dimensions but the first.

    Attributes:
        length: items so far.
    """

    def __init__(self, path: Path, dtype: DTypeLike, shape: tuple[int, ...]) -> None:
        self.length = 0
        self._path, self._dtype, self._shape = path, np.dtype(dtype), shape
        self._file: IO[bytes]

    def append(self, items: NDArray[Any]) -> None:
        """Write ``(n, *shape)`` of the array's own kind of values."""
        if items.shape[1:] != self._shape or items.dtype != self._dtype:
            raise ValueError(f"expected {self._dtype} {self._shape}, got {items.dtype} {items.shape[1:]}")
        self._file.write(items.tobytes())
        self.length += len(items)

    def __enter__(self) -> Self:
        self._file = self._path.open("wb")
        self._file.write(bytes(_HEADER))
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with contextlib.ExitStack() as stack:
            stack.callback(self._file.close)
            if kind is not None:  # it may be closed already, and what is in it is of no use
                return
            self._file.seek(0)
            header = {"descr": self._dtype.str, "fortran_order": False, "shape": (self.length, *self._shape)}
            np.lib.format.write_array_header_1_0(self._file, header)
            assert self._file.tell() == _HEADER


class GrowingPictures(GrowingArray):
    """Pictures uint8 ``(n, 3, H, W)``, kept as ``(n, 1, H, W)`` as long as red, green and blue are equal.

    At the first one that has colour, what was written is spread to three channels.
    """

    def __init__(self, path: Path, height: int, width: int) -> None:
        super().__init__(path, np.uint8, (1, height, width))

    def append(self, items: NDArray[Any]) -> None:
        """Write uint8 ``(n, 3, height, width)``."""
        if self._shape[0] == 1:
            if (items == items[:, :1]).all():
                items = items[:, :1]
            else:
                self._spread()
        super().append(items)

    def _spread(self) -> None:
        """Write the grey pictures again with three channels."""
        self._file.flush()
        grey, colour = self._shape, self._path.with_suffix(".colour")
        with colour.open("wb") as file:
            file.write(bytes(_HEADER))
            for item in np.memmap(self._path, np.uint8, "r", _HEADER, (self.length, *grey)) if self.length else ():
                file.write(np.repeat(item, 3, axis=0).tobytes())
        self._file.close()
        colour.replace(self._path)
        self._file = self._path.open("r+b")
        self._file.seek(0, os.SEEK_END)
        self._shape = (3, *grey[1:])


@lru_cache(maxsize=256)  # each mapping holds a file descriptor, of which a process may have 1,024
def mapped(path: Path) -> NDArray[Any]:
    """Return the array of a ``.npy`` without reading it."""
    array: NDArray[Any] = np.load(path, mmap_mode="r")
    return array

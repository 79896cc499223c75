"""Boxes around what is anomalous, and the track of each, in the forms in which they are published."""

import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from datamodules.errors import InputError
from datamodules.letterbox import Region
from datamodules.listing import children
from datamodules.table_file import read_table

Boxes = NDArray[np.float64]
"""``(N, 6)``: number of the frame from 0, number of the track, then top, left, bottom and right of the box in pixels of
the letterboxed picture, fractions too; by rising frame. A track may have several boxes in a frame."""

SUFFIXES = (".csv", ".txt")
COLUMNS = ("frame", "track", "x", "y", "width", "height")
NO_BOXES: Boxes = np.empty((0, len(COLUMNS)))
_ROUNDING = 1e-6  # pixels by which scaled corners miss whole numbers


class _Box(NamedTuple):
    """A line of a file: frame from 0, and the box in pixels of the original, its corner from 0."""

    line: int
    frame: int
    track: int
    left: float
    top: float
    width: float
    height: float


def box_files(folder: Path) -> list[Path]:
    """Return the files of a folder that hold boxes, one for each clip.

    Raises:
        InputError: if none of what is in it can be one.
    """
    found = children(folder, lambda path: path.suffix.lower() in SUFFIXES)
    if not found:
        raise InputError(
            f"{folder}: holds no {' or '.join(SUFFIXES)}; put a file with the boxes of each test clip there, see "
            "docs/video.md, or rename the folder"
        )
    return found


def read_boxes(path: Path, frames: int, size: Sequence[int], region: Region, clip: object = "its clip") -> Boxes:
    """Read the boxes of a clip and bring them to the letterbox; what juts out of the picture is cut off.

    ``.csv``: ``frame,track,x,y,width,height``, frames from 0, x and y of the upper left corner in pixels of the
    original. ``.txt`` without commas, of Ramachandra and Jones (WACV 2020): the frame's file, numbered from 1, the
    track, x and y of the box's middle, width, height. ``.txt`` with commas, of Georgescu et al. for ShanghaiTech (arXiv
    2008.12328): the track, the frame from 0, ``x_min, y_min, x_max, y_max``, the last two of them inside the box.

    Args:
        path: the file; a ``.txt`` may be empty, where nothing is anomalous.
        frames: how many its clip has.
        size: height and width of the original in pixels.
        region: of the picture within the letterbox.
        clip: what a message calls it.

    Raises:
        InputError: naming file and line, if one cannot be read, or does not fit the clip.
    """
    rows = [_fitted(path, box, frames, size, clip) for box in _read(path)]
    boxes = np.array(sorted(rows), np.float64).reshape(-1, len(COLUMNS))
    top, left, height, width = region
    scale = np.array([height / size[0], width / size[1]] * 2)
    boxes[:, 2:] = boxes[:, 2:] * scale + [top, left, top, left]
    return boxes


def boxed_pixels(boxes: Boxes, frame: int, height: int, width: int) -> NDArray[np.uint8]:
    """Return the mask of a frame, uint8 ``(height, width)``: 1 where any part of a pixel lies in a box of it."""
    mask = np.zeros((height, width), np.uint8)
    for *_, top, left, bottom, right in boxes[boxes[:, 0] == frame]:
        first, end = np.floor([top + _ROUNDING, left + _ROUNDING]), np.ceil([bottom - _ROUNDING, right - _ROUNDING])
        mask[int(first[0]) : int(end[0]), int(first[1]) : int(end[1])] = 1
    return mask


def _fitted(
    path: Path, box: _Box, frames: int, size: Sequence[int], clip: object
) -> tuple[int, int, float, float, float, float]:
    """Return frame, track, top, left, bottom and right of a box that fits its clip."""
    where, (height, width) = f"{path}, line {box.line}", size
    if not 0 <= box.frame < frames:
        raise InputError(
            f"{where}: is of frame {box.frame} (counted from 0), {clip} has {frames}; give the boxes of this very clip"
        )
    if box.width <= 0 or box.height <= 0:
        raise InputError(f"{where}: the box is {box.width:g} wide and {box.height:g} high; both must be above 0")
    top, left = max(box.top, 0.0), max(box.left, 0.0)
    bottom, right = min(box.top + box.height, height), min(box.left + box.width, width)
    if top >= bottom or left >= right:
        raise InputError(
            f"{where}: the box from x {box.left:g}, y {box.top:g} lies outside of {clip}, whose frames measure "
            f"{width}x{height}; boxes are in pixels of the frames as they are in the file"
        )
    return box.frame, box.track, top, left, bottom, right


def _read(path: Path) -> Iterator[_Box]:
    if path.suffix.lower() == ".csv":
        for line, row in read_table(path, COLUMNS):
            yield _own(path, line, list(row.values()))
        return
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as text ({error}); get or write it anew") from error
    for line, content in enumerate(text.splitlines(), start=1):
        if content.strip():
            form = _of_corners if "," in content else _of_middle
            yield form(path, line, content.replace(",", " ").split())


def _own(path: Path, line: int, cells: Sequence[str]) -> _Box:
    frame, track, *box = _numbers(path, line, cells, ",".join(COLUMNS))
    return _Box(line, int(frame), int(track), *box)


def _of_middle(path: Path, line: int, cells: Sequence[str]) -> _Box:
    """Ramachandra and Jones: ``001.jpg 0 20.5 10 8 6``."""
    first = re.sub(r"\.[A-Za-z]+$", "", cells[0])
    columns = "the frame's file, its track, x and y of the box's middle, width, height"
    frame, track, x, y, width, height = _numbers(path, line, [first, *cells[1:]], columns)
    if frame < 1:
        raise InputError(f"{path}, line {line}: the frame {cells[0]!r} must be counted from 1 in this form")
    return _Box(line, int(frame) - 1, int(track), x - width / 2, y - height / 2, width, height)


def _of_corners(path: Path, line: int, cells: Sequence[str]) -> _Box:
    """Georgescu et al.: ``0,154,4,142,119,249``; the last column and row belong to the box."""
    track, frame, left, top, right, bottom = _numbers(path, line, cells, "track, frame, x_min, y_min, x_max, y_max")
    return _Box(line, int(frame), int(track), left, top, right - left + 1, bottom - top + 1)


def _numbers(path: Path, line: int, cells: Sequence[str], columns: str) -> list[float]:
    """Return six numbers, of which the first two are whole."""
    try:
        if len(cells) != len(COLUMNS) or not all(re.fullmatch("[0-9]{1,9}", cell) for cell in cells[:2]):
            raise ValueError
        numbers = [float(cell) for cell in cells]
    except ValueError:
        numbers = [math.nan]
    if not all(map(math.isfinite, numbers)):
        raise InputError(
            f"{path}, line {line}: {' '.join(cells)[:80]!r} must be six numbers, the first two of them whole: {columns}"
        )
    return numbers

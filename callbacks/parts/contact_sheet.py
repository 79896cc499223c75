"""The pictures with the highest scores on one sheet: each as a whole, and enlarged where it is hottest."""

import heapq
import itertools
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from callbacks.colour_bar import NARROWEST, colour_bar, heat_marks
from callbacks.parts.table import first_scored
from callbacks.picture_file import Picture, stacked
from callbacks.text import draw_text

_WIDE, _HIGH = 1100, 200  # pixels of the whole picture at most
_EDGE = 160  # of the square around the hottest pixel, shown at the height of a line
_GAP, _LINE, _PAPER = 4, 20, 225


class ContactSheet:
    """Keeps the lines of the ``length`` pictures with the highest scores, whatever the number of pictures."""

    def __init__(self, length: int) -> None:
        self._length = length
        self._worst: list[tuple[float, int, Picture]] = []  # a heap, the mildest first
        self._number = itertools.count(0, -1)  # of equal scores the earlier picture stays

    def add(self, score: float, caption: str, image: Picture, drawn: Picture, heat: NDArray[np.float32]) -> None:
        """Take in a picture ``(H, W, 3)``, the same with its heat drawn in, and its heat ``(H, W)``."""
        if len(self._worst) == self._length and score <= self._worst[0][0]:
            return
        heapq.heappush(self._worst, (score, next(self._number), _line(caption, image, drawn, heat)))
        if len(self._worst) > self._length:
            heapq.heappop(self._worst)

    def draw(self) -> Picture:
        """Return the sheet, the highest score at the top."""
        return stacked([line for _, _, line in sorted(self._worst, key=lambda entry: entry[:2], reverse=True)], _PAPER)


def with_legend(sheet: Picture, threshold: float) -> Picture:
    """Return a sheet with a heading above each of its columns, and a bar that says what the colours mean below."""
    headings = {"hottest place, enlarged": 0, "with heat and boxes": _HIGH + _GAP, "the whole": 2 * (_HIGH + _GAP)}
    line = _paper(_LINE, sheet.shape[1])
    for heading, left in headings.items():
        draw_text(line, heading, (left + 2, 3))
    bar = colour_bar(max(sheet.shape[1], NARROWEST), heat_marks(threshold), "heat")
    return stacked([line, sheet, bar], _PAPER)


def _line(caption: str, image: Picture, drawn: Picture, heat: NDArray[np.float32]) -> Picture:
    row, column = np.unravel_index(np.nanargmax(heat), heat.shape)
    start = first_scored(heat)  # to its left lies no part, but what it lies on
    rows, columns = _around(int(row), heat.shape[0]), _around(int(column) - start, heat.shape[1] - start, start)
    close = [_square(one[rows, columns]) for one in (image, drawn)]
    whole = [_fitted(one, _WIDE, _HIGH) for one in (image, drawn)]
    if 2 * whole[0].shape[0] + _GAP <= _HIGH:  # a strip leaves room for both
        return _titled(caption, [*close, np.vstack([whole[0], _paper(_GAP, whole[0].shape[1]), whole[1]])])
    return _titled(caption, [*close, whole[1]])


def _around(place: int, length: int, start: int = 0) -> slice:
    first = max(0, min(place - _EDGE // 2, length - _EDGE))
    return slice(start + first, start + min(first + _EDGE, length))


def _square(picture: Picture) -> Picture:
    """Scale a picture to fit a column of enlarged ones, and fill up the column."""
    fitted = _fitted(picture, _HIGH, _HIGH)
    square = _paper(_HIGH, _HIGH)
    square[: fitted.shape[0], : fitted.shape[1]] = fitted
    return square


def _fitted(picture: Picture, width: int, height: int) -> Picture:
    """Scale a picture to the largest size within ``width`` x ``height``."""
    factor = min(width / picture.shape[1], height / picture.shape[0])
    size = (max(1, round(picture.shape[1] * factor)), max(1, round(picture.shape[0] * factor)))
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_NEAREST
    return cv2.resize(picture, size, interpolation=how).astype(np.uint8, copy=False)


def _titled(caption: str, pictures: Sequence[Picture]) -> Picture:
    width = sum(picture.shape[1] + _GAP for picture in pictures)
    line = _paper(_LINE + _HIGH + _GAP, width)
    draw_text(line, caption, (2, 3))
    left = 0
    for picture in pictures:
        height, own = picture.shape[:2]
        line[_LINE : _LINE + height, left : left + own] = picture
        left += own + _GAP
    return line


def _paper(height: int, width: int) -> Picture:
    return np.full((height, width, 3), _PAPER, np.uint8)

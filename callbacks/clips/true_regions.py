"""Where a video is truly anomalous: regions and the tracks they belong to, of masks or of boxes that people drew."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from callbacks.auc import Floats, Ints
from callbacks.clips.places import Places

GAP = 4
"""Pixels at most between parts of a mask that belong together."""

_WITHIN_FRAME = np.stack([np.zeros((3, 3), bool), np.ones((3, 3), bool), np.zeros((3, 3), bool)])


@dataclass(frozen=True, slots=True)
class TrueRegions:
    """R regions of m frames, and the parts of them that lie in the cells of a heat ``(m, h, w)``.

    Attributes:
        cell: int64 ``(P,)``, number of the cell of each part.
        region: int64 ``(P,)``, number of its region.
        pixels: ``(P,)``, how many pixels it has, of boxes fractions too.
        size: ``(R,)``, pixels of every region.
        track: int64 ``(R,)``, number of its track within the video.
    """

    cell: Ints
    region: Ints
    pixels: Floats | Ints
    size: Floats | Ints
    track: Ints


class Truth(Protocol):
    """What tells the true regions of one video."""

    def __call__(self, chosen: Ints, frames: Ints) -> TrueRegions:
        """Return those of some frames, to be called in their order.

        Args:
            chosen: ``(m,)``, rising rows among the frames whose heat is kept.
            frames: ``(m,)``, their numbers.
        """
        ...


@dataclass
class OfMasks:
    """What is connected in a mask, or has at most ``GAP`` pixels between its parts, is one region.

    Masks know no tracks: a region belongs to the track of the one in the frame before that it shares most pixels with.

    Attributes:
        places: the masks.
        tracks: number of the tracks so far.
    """

    places: Places
    tracks: int = 0
    _frame: int | None = None
    _before: Ints = field(default_factory=lambda: np.zeros((0, 0), np.int64))  # track of every pixel from 1, 0 outside

    def __call__(self, chosen: Ints, frames: Ints) -> TrueRegions:
        """Return the regions of some frames."""
        number, count = _numbered(self.places.masks(chosen))
        track = self._follow(number, frames.tolist(), count)
        frame, y, x = np.nonzero(number)
        grid = self.places.heat[0].size
        cells = len(chosen) * grid
        key = (number[frame, y, x] - 1) * cells + frame * grid + cell_of_pixel(self.places)[y, x]
        pair, pixels = np.unique(key, return_counts=True)
        region, cell = np.divmod(pair, cells)
        return TrueRegions(cell, region, pixels, np.bincount(region, pixels, count), track)

    def _follow(self, number: Ints, frames: Sequence[int], count: int) -> Ints:
        """Return the track ``(count,)``, from 0, of regions whose pixels ``(m, H, W)`` have their number, from 1."""
        track = np.full(count + 1, -1, np.int64)  # entry 0 is what lies outside
        for regions, frame in zip(number, frames, strict=True):
            if self._frame is not None and frame == self._frame + 1:
                self._go_on(regions, track)
            fresh = np.unique(regions[(regions > 0) & (track[regions] < 0)])
            track[fresh] = np.arange(self.tracks, self.tracks + len(fresh))
            self.tracks += len(fresh)
            self._before, self._frame = track[regions] + 1, frame
        return track[1:]

    def _go_on(self, regions: Ints, track: Ints) -> None:
        both = (regions > 0) & (self._before > 0)
        pairs, shared = np.unique(regions[both] * (self.tracks + 1) + self._before[both], return_counts=True)
        region, earlier = np.divmod(pairs, self.tracks + 1)
        rising = np.argsort(shared, kind="stable")  # of several the last counts, which shares most
        track[region[rising]] = earlier[rising] - 1


@dataclass(frozen=True)
class OfBoxes:
    """Every box is a region, also where it overlaps another one, and says its track.

    Attributes:
        places: size and region of the picture, and the grid of the heat.
        boxes: float64 ``(N, 6)``: frame, track, top, left, bottom, right in pixels of the letterboxed picture.
    """

    places: Places
    boxes: Floats

    def __call__(self, chosen: Ints, frames: Ints) -> TrueRegions:
        """Return the regions of some frames."""
        boxes = self.boxes[np.isin(self.boxes[:, 0], frames)]
        number, track = boxes[:, :2].astype(np.int64).T
        top, left, height, width = self.places.region
        rows, columns = self.places.heat.shape[1:]
        high = _within(boxes[:, 2], boxes[:, 4], rows, self.places.size[0], (top, top + height))
        wide = _within(boxes[:, 3], boxes[:, 5], columns, self.places.size[1], (left, left + width))
        pixels = high[:, :, None] * wide[:, None, :]  # (R, h, w)
        region, row, column = np.nonzero(pixels)
        cell = (np.searchsorted(frames, number)[region] * rows + row) * columns + column
        return TrueRegions(cell, region, pixels[region, row, column], pixels.sum((1, 2)), track)


def cell_of_pixel(places: Places) -> Ints:
    """Return the number of the heat's cell that each pixel of the letterbox lies in, ``(H, W)``."""
    (height, width), (rows, columns) = places.size, places.heat.shape[1:]
    return (np.arange(height) * rows // height)[:, None] * columns + np.arange(width) * columns // width


def _within(first: Floats, end: Floats, cells: int, size: int, picture: tuple[int, int]) -> Floats:
    """Return how many pixels of R stretches lie in each cell of a side of ``size`` pixels, ``(R, cells)``."""
    edge = np.clip(-(-np.arange(cells + 1) * size // cells), *picture)  # as in cell_of_pixel
    return np.clip(np.minimum(end[:, None], edge[1:]) - np.maximum(first[:, None], edge[:-1]), 0, None)


def _numbered(mask: NDArray[np.bool_]) -> tuple[Ints, int]:
    """Number the true regions of frames ``(m, H, W)`` from 1."""
    near, count = connected(ndimage.maximum_filter(mask, (1, GAP + 1, GAP + 1)))
    return near * mask, count


def connected(marked: NDArray[np.bool_]) -> tuple[Ints, int]:
    """Number the connected regions of frames ``(m, H, W)`` from 1; those of different frames are different."""
    number, count = ndimage.label(marked, structure=_WITHIN_FRAME)
    return number.astype(np.int64), int(count)

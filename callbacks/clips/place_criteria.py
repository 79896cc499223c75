"""Whether the right places of a video are found: the region-based and the track-based detection criterion.

Both are of Ramachandra and Jones, "Street Scene: A new dataset and evaluation protocol for video anomaly detection",
WACV 2020 (arXiv 1902.05872), with their bounds of 0.1:

- At a threshold the *detected regions* of a frame are what is connected among the cells of the heat's grid at or above
  it. A cell is as large as its part of the picture; bars are left out.
- A *true region*, pixels of the frame's mask that are connected or have at most ``GAP`` pixels between them, is
  detected where a detected region has an intersection over union of at least ``LEAST_OVERLAP`` with it. A detected
  region that has that with no true one is false.
- A *track* is detected where at least ``LEAST_SHARE`` of its regions are.
- The criterion is the area under the share of detected regions (RBDC) or tracks (TBDC) over the number of false regions
  a frame, from 0 to ``MOST_FALSE``.

The authors' true regions are boxes around what people saw; the gap keeps limbs and wheels together, which fall apart at
the size that a model sees. Masks know no tracks: a region belongs to the track of the one in the frame before that it
shares most pixels with. So the halves of somebody behind a post stay one track, somebody hidden for a frame begins a
new one, and somebody who jumps past himself from frame to frame has as many as frames. Regions and cells that touch by
a corner are connected.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from callbacks.auc import Floats, Ints
from callbacks.clips.places import Places
from callbacks.clips.table import VideoSeries
from datamodules.batches import UNKNOWN_LABEL

LEAST_OVERLAP = 0.1
LEAST_SHARE = 0.1
MOST_FALSE = 1.0

GAP = 4

THRESHOLDS = 256
"""Thresholds at most; the number of cells at or above them rises by the same factor from one to all."""

AT_ONCE = 64
"""Frames that are looked at together."""

_WITHIN_FRAME = np.stack([np.zeros((3, 3), bool), np.ones((3, 3), bool), np.zeros((3, 3), bool)])


class Found(NamedTuple):
    """What is found of the places.

    Attributes:
        rbdc: in [0, 1]; None without a true region.
        tbdc: in [0, 1]; None without a true region, or where frames are missing between those that are kept.
        regions: number of true regions.
        tracks: number of their tracks; more than there are where frames are missing.
    """

    rbdc: float | None
    tbdc: float | None
    regions: int
    tracks: int


@dataclass(frozen=True, slots=True)
class _Piece:
    """Some frames of a video: heat ``(m, h, w)``, pixels ``(h, w)`` of the picture in each cell, and R true regions.

    ``cell``, ``region`` and ``pixels`` are ``(P,)``: how many pixels of which region lie in which cell of ``heat``.
    """

    heat: Floats
    area: Ints
    cell: Ints
    region: Ints
    pixels: Ints
    size: Ints  # (R,) pixels of every region
    track: Ints  # (R,) number of its track, among all videos


def place_criteria(series: Sequence[VideoSeries]) -> Found:
    """Return both criteria over all frames that have a mask and a known label."""
    follow = _Tracks()
    pieces = [piece for one in series if one.places is not None for piece in _pieces(one, one.places, follow)]
    frames = sum(len(piece.heat) for piece in pieces)
    track = np.concatenate([np.empty(0, np.int64), *(piece.track for piece in pieces)])
    if not len(track):
        return Found(None, None, 0, 0)
    false, regions, whole = [0.0], [0.0], [0.0]
    length = np.bincount(track)
    for threshold in _thresholds(pieces):
        found = [_detect(piece, threshold) for piece in pieces]
        detected = np.concatenate([flags for _, flags in found])
        false.append(sum(number for number, _ in found) / frames)
        regions.append(float(detected.mean()))
        whole.append(float((np.bincount(track, detected) / length >= LEAST_SHARE).mean()))
        if false[-1] > MOST_FALSE:
            break
    gaps = any(one.places is not None and len(one.places.row) < one.masked for one in series)
    return Found(_area(false, regions), None if gaps else _area(false, whole), len(track), follow.count)


def _thresholds(pieces: Sequence[_Piece]) -> Floats:
    """Return thresholds, falling, that the fewest and the most cells reach."""
    heat = np.sort(np.concatenate([piece.heat[:, piece.area > 0].ravel() for piece in pieces]))[::-1]
    rank = np.geomspace(1, len(heat), THRESHOLDS).round().astype(np.int64) - 1
    return np.unique(heat[rank])[::-1]


def _detect(piece: _Piece, threshold: float) -> tuple[int, NDArray[np.bool_]]:
    """Return the number of false regions at a threshold, and of every true one whether it is detected."""
    component, count = _connected((piece.heat >= threshold) & (piece.area > 0))
    area = np.bincount(component.ravel(), np.broadcast_to(piece.area, component.shape).ravel(), count + 1)
    reached = component.ravel()[piece.cell]
    hit = reached > 0
    pair, place = np.unique(reached[hit] * np.int64(len(piece.size)) + piece.region[hit], return_inverse=True)
    shared = np.bincount(place, piece.pixels[hit], len(pair))
    of, region = np.divmod(pair, max(len(piece.size), 1))
    enough = shared / (area[of] + piece.size[region] - shared) >= LEAST_OVERLAP
    detected, right = np.zeros(len(piece.size), bool), np.zeros(count + 1, bool)
    detected[region[enough]] = True
    right[of[enough]] = True
    return count - int(right.sum()), detected


def _area(false: Sequence[float], share: Sequence[float]) -> float:
    """Return the area under straight lines up to ``MOST_FALSE``, divided by it.

    Regions that grow together lower both again; that takes back neither a false alarm nor what a higher threshold has
    found. Where the last threshold leaves fewer false regions, the share stays what it is.
    """
    rate, found = np.maximum.accumulate(false), np.maximum.accumulate(share)
    inside = rate <= MOST_FALSE
    last = float(np.interp(MOST_FALSE, rate, found))
    return float(np.trapezoid([*found[inside], last], [*rate[inside], MOST_FALSE])) / MOST_FALSE


def _pieces(one: VideoSeries, places: Places, follow: "_Tracks") -> Iterator[_Piece]:
    """Cut a video into pieces of ``AT_ONCE`` frames; those whose label is unknown take no part."""
    (height, width), (rows, columns) = places.size, places.heat.shape[1:]
    top, left, inner_height, inner_width = places.region
    cell_of = (np.arange(height) * rows // height)[:, None] * columns + np.arange(width) * columns // width  # (H, W)
    inside = cell_of[top : top + inner_height, left : left + inner_width]
    area = np.bincount(inside.ravel(), minlength=rows * columns).reshape(rows, columns)
    follow.leave()
    known = np.flatnonzero(one.label[places.row] != UNKNOWN_LABEL)
    for first in range(0, len(known), AT_ONCE):
        chosen = known[first : first + AT_ONCE]
        number, count = _true_regions(places.masks(chosen))
        track = follow(number, one.frame[places.row[chosen]].tolist(), count)
        frame, y, x = np.nonzero(number)
        cells = len(chosen) * rows * columns
        key = (number[frame, y, x] - 1) * cells + frame * rows * columns + cell_of[y, x]
        pair, pixels = np.unique(key, return_counts=True)
        region, cell = np.divmod(pair, cells)
        size = np.bincount(region, pixels, count).astype(np.int64)
        yield _Piece(places.heat[chosen], area, cell, region, pixels, size, track)


class _Tracks:
    """Follows true regions from frame to frame, one video after the other.

    Attributes:
        count: number of the tracks so far.
    """

    def __init__(self) -> None:
        self.count = 0
        self.leave()

    def leave(self) -> None:
        """Forget where the regions were: another video begins."""
        self._frame: int | None = None
        self._before = np.zeros((0, 0), np.int64)  # (H, W): track of every pixel counted from 1, 0 outside

    def __call__(self, number: Ints, frames: Sequence[int], count: int) -> Ints:
        """Return the track ``(count,)`` of every region, from 0.

        Args:
            number: ``(m, H, W)``, number of the region of every pixel from 1, 0 outside.
            frames: m rising numbers of frames.
            count: number of regions.
        """
        track = np.full(count + 1, -1, np.int64)  # entry 0 is what lies outside
        for regions, frame in zip(number, frames, strict=True):
            if self._frame is not None and frame == self._frame + 1:
                self._go_on(regions, track)
            fresh = np.unique(regions[(regions > 0) & (track[regions] < 0)])
            track[fresh] = np.arange(self.count, self.count + len(fresh))
            self.count += len(fresh)
            self._before, self._frame = track[regions] + 1, frame
        return track[1:]

    def _go_on(self, regions: Ints, track: Ints) -> None:
        both = (regions > 0) & (self._before > 0)
        pairs, shared = np.unique(regions[both] * (self.count + 1) + self._before[both], return_counts=True)
        region, earlier = np.divmod(pairs, self.count + 1)
        rising = np.argsort(shared, kind="stable")  # of several the last counts, which shares most
        track[region[rising]] = earlier[rising] - 1


def _true_regions(mask: NDArray[np.bool_]) -> tuple[Ints, int]:
    """Number the true regions of frames ``(m, H, W)`` from 1."""
    near, count = _connected(ndimage.maximum_filter(mask, (1, GAP + 1, GAP + 1)))
    return near * mask, count


def _connected(marked: NDArray[np.bool_]) -> tuple[Ints, int]:
    """Number the connected regions of frames ``(m, H, W)`` from 1; those of different frames are different."""
    number, count = ndimage.label(marked, structure=_WITHIN_FRAME)
    return number.astype(np.int64), int(count)

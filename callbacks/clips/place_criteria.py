"""Whether the right places of a video are found: the region-based and the track-based detection criterion.

Both are of Ramachandra and Jones, "Street Scene: A new dataset and evaluation protocol for video anomaly detection",
WACV 2020 (arXiv 1902.05872), with their bounds of 0.1:

- At a threshold the *detected regions* of a frame are what is connected among the cells of the heat's grid at or above
  it. A cell is as large as its part of the picture; bars are left out.
- A *true region* is a box that somebody drew, or where there are none, pixels of the frame's mask that are connected or
  have at most ``GAP`` pixels between them. It is detected where a detected region has an intersection over union of at
  least ``LEAST_OVERLAP`` with it. A detected region that has that with no true one is false.
- A *track* is detected where at least ``LEAST_SHARE`` of its regions are.
- The criterion is the area under the share of detected regions (RBDC) or tracks (TBDC) over the number of false regions
  a frame, from 0 to ``MOST_FALSE``.

The authors' true regions are boxes. Where masks stand in for them, the gap keeps limbs and wheels together, which fall
apart at the size that a model sees, and tracks go on by overlap: the halves of somebody behind a post stay one track,
somebody hidden for a frame begins a new one, and somebody who jumps past himself from frame to frame has as many as
frames. Regions and cells that touch by a corner are connected.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from callbacks.auc import Floats, Ints
from callbacks.clips.places import Places
from callbacks.clips.table import VideoSeries
from callbacks.clips.true_regions import OfBoxes, OfMasks, TrueRegions, Truth, cell_of_pixel, connected
from datamodules.batches import UNKNOWN_LABEL

LEAST_OVERLAP = 0.1
LEAST_SHARE = 0.1
MOST_FALSE = 1.0

THRESHOLDS = 256
"""Thresholds at most; the number of cells at or above them rises by the same factor from one to all."""

AT_ONCE = 64
"""Frames that are looked at together."""


class Found(NamedTuple):
    """What is found of the places.

    Attributes:
        rbdc: in [0, 1]; None without a true region.
        tbdc: in [0, 1]; None without a true region, or where frames are missing between masks that tracks are followed
            through. Boxes say their tracks: where frames are missing, it is of the regions in those that are kept.
        regions: number of true regions.
        tracks: number of their tracks; more than there are where frames are missing between masks.
    """

    rbdc: float | None
    tbdc: float | None
    regions: int
    tracks: int


@dataclass(frozen=True, slots=True)
class _Piece:
    """Some frames of a video: heat ``(m, h, w)``, pixels ``(h, w)`` of the picture in each cell, and the truth."""

    video: int
    heat: Floats
    area: Ints
    true: TrueRegions


def place_criteria(series: Sequence[VideoSeries], boxes: Mapping[str, Floats] | None = None) -> Found:
    """Return both criteria over all frames that have a mask and a known label.

    Args:
        series: the videos.
        boxes: by the name of a video, as :class:`~callbacks.clips.true_regions.OfBoxes` takes them; the masks of the
            others tell their regions.
    """
    boxes = boxes or {}
    pieces: list[_Piece] = []
    for number, one in enumerate(series):
        if one.places is not None:
            truth = OfBoxes(one.places, boxes[one.video]) if one.video in boxes else OfMasks(one.places)
            pieces += _pieces(number, one, one.places, truth)
    if not sum(len(piece.true.size) for piece in pieces):
        return Found(None, None, 0, 0)
    frames = sum(len(piece.heat) for piece in pieces)
    known = np.concatenate(
        [[np.full_like(piece.true.track, piece.video), piece.true.track] for piece in pieces], axis=1
    )
    track = np.unique(known, axis=1, return_inverse=True)[1].ravel()
    length = np.bincount(track)
    false, regions, whole = [0.0], [0.0], [0.0]
    for threshold in _thresholds(pieces):
        found = [_detect(piece, threshold) for piece in pieces]
        detected = np.concatenate([flags for _, flags in found])
        false.append(sum(number for number, _ in found) / frames)
        regions.append(float(detected.mean()))
        whole.append(float((np.bincount(track, detected) / length >= LEAST_SHARE).mean()))
        if false[-1] > MOST_FALSE:
            break
    gaps = any(one.places and len(one.places.row) < one.masked for one in series if one.video not in boxes)
    return Found(_area(false, regions), None if gaps else _area(false, whole), len(track), len(length))


def _thresholds(pieces: Sequence[_Piece]) -> Floats:
    """Return thresholds, falling, that the fewest and the most cells reach."""
    heat = np.sort(np.concatenate([piece.heat[:, piece.area > 0].ravel() for piece in pieces]))[::-1]
    rank = np.geomspace(1, len(heat), THRESHOLDS).round().astype(np.int64) - 1
    return np.unique(heat[rank])[::-1]


def _detect(piece: _Piece, threshold: float) -> tuple[int, NDArray[np.bool_]]:
    """Return the number of false regions at a threshold, and of every true one whether it is detected."""
    component, count = connected((piece.heat >= threshold) & (piece.area > 0))
    area = np.bincount(component.ravel(), np.broadcast_to(piece.area, component.shape).ravel(), count + 1)
    true = piece.true
    reached = component.ravel()[true.cell]
    hit = reached > 0
    pair, place = np.unique(reached[hit] * np.int64(len(true.size)) + true.region[hit], return_inverse=True)
    shared = np.bincount(place, true.pixels[hit], len(pair))
    of, region = np.divmod(pair, max(len(true.size), 1))
    enough = shared / (area[of] + true.size[region] - shared) >= LEAST_OVERLAP
    detected, right = np.zeros(len(true.size), bool), np.zeros(count + 1, bool)
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


def _pieces(video: int, one: VideoSeries, places: Places, truth: Truth) -> Iterator[_Piece]:
    """Cut a video into pieces of ``AT_ONCE`` frames; those whose label is unknown take no part."""
    top, left, height, width = places.region
    rows, columns = places.heat.shape[1:]
    inside = cell_of_pixel(places)[top : top + height, left : left + width]
    area = np.bincount(inside.ravel(), minlength=rows * columns).reshape(rows, columns)
    known = np.flatnonzero(one.label[places.row] != UNKNOWN_LABEL)
    for first in range(0, len(known), AT_ONCE):
        chosen = known[first : first + AT_ONCE]
        yield _Piece(video, places.heat[chosen], area, truth(chosen, one.frame[places.row[chosen]]))

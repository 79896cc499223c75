"""Scores of pictures, of all processes, as one checked and compact row per picture."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from callbacks.auc import Floats, Ints
from callbacks.parts.regions import find_regions
from callbacks.pixel_counts import PixelCounts, add_counts, count_pixels, exact_in_any_order
from datamodules.batches import UNKNOWN_LABEL, PartScores
from datamodules.gathering import gather_objects


@dataclass(frozen=True, slots=True)
class PartRow:
    """All that is judged of one picture.

    Attributes:
        name: unique among the pictures.
        group: what is inspected.
        defect: kind of defect, ``"good"`` without.
        label: 1 defective, 0 faultless, -1 unknown.
        index: number of the picture in its dataset.
        score: of the whole picture, raw.
        tile: int64 ``(N, 4)``: top, left, height, width in pixels.
        tile_score: float64 ``(N,)``, raw.
        tile_label: int64 ``(N,)``: 1 with a defect, 0 without, -1 unknown.
        alternatives: named float64 ``(N,)`` scores.
        pixels: counts of the pixels behind the part's start, None where nobody says which of them are defective. Where
            those of all pictures would not fit, the first picture of a cell has the counts of all of them, the others
            None.
    """

    name: str
    group: str
    defect: str
    label: int
    index: int
    score: float
    tile: Ints
    tile_score: Floats
    tile_label: Ints
    alternatives: dict[str, Floats] = field(default_factory=dict)
    pixels: PixelCounts | None = None

    @property
    def cell(self) -> tuple[str, str, int]:
        """Group, kind of defect and label."""
        return self.group, self.defect, self.label

    @property
    def pixel_bytes(self) -> int:
        """Memory of the counts of its pixels."""
        return 0 if self.pixels is None else self.pixels.nbytes


MOST_BYTES = 512 * 2**20
"""Memory of the counts of pixels that are kept picture by picture; beyond it they are added up."""

Cell = tuple[str, str, int]
"""Group, kind of defect and label: all that pixels are judged by."""


class PartTable:
    """Collects ``PartScores`` in any order and split; what a distributed sampler repeated counts once.

    The counts of a picture's pixels take some hundred kilobytes. Where those of all pictures would take more than
    ``most_bytes``, they are added up by what they are judged by; of all metrics only ``aupro`` changes by that, and by
    a few millionths at most.

    Args:
        processes: number of processes that share the split; the sampler repeats fewer of the first pictures than that.
        most_bytes: memory of the counts to keep to.
    """

    def __init__(self, processes: int = 1, most_bytes: int = MOST_BYTES) -> None:
        self._processes, self._most_bytes = processes, most_bytes
        self._rows: dict[str, PartRow] = {}
        self._cells: dict[Cell, PixelCounts] = {}
        self._single: list[str] = []  # names of the pictures whose counts stand in their rows
        self._bytes = 0  # of those

    def add(self, scores: PartScores) -> None:
        """Take in the scores of a picture.

        Raises:
            ValueError: if a score is not a finite number, a name comes twice, or a faultless picture has a
                defective tile; the message names the picture, and the tile or pixel.
        """
        if scores.name in self._rows:
            raise ValueError(f"two pictures are called {scores.name!r}: names must be unique within a split")
        self.add_row(_row(scores))

    def add_row(self, row: PartRow) -> None:
        """Take in what is judged of a picture."""
        self._rows[row.name] = row
        self._single.append(row.name)
        self._bytes += row.pixel_bytes
        if self._bytes > self._most_bytes:
            self._add_up()

    def gather(self) -> list[PartRow]:
        """Return the rows of all processes by name, the same on each; all of them must call it.

        Raises:
            ValueError: if two pictures share a name, or steps returned different alternatives.
        """
        whole = PartTable(0, self._most_bytes)
        cells: dict[Cell, list[PixelCounts]] = {}
        for rows, own in gather_objects((self._rows, self._cells)):
            for row in rows.values():
                if whole._rows.setdefault(row.name, row).index != row.index:
                    raise ValueError(f"two pictures are called {row.name!r}: names must be unique within a split")
            for cell, counts in own.items():
                cells.setdefault(cell, []).append(counts)
        if len({frozenset(row.alternatives) for row in whole._rows.values()}) > 1:
            raise ValueError("pictures name different scores: every step must return the same alternatives")
        if cells or sum(row.pixel_bytes for row in whole._rows.values()) > self._most_bytes:
            whole._cells = {cell: add_counts(parts) for cell, parts in cells.items()}
            whole._single = [*whole._rows]
            whole._add_up()
            for name in sorted(whole._rows):  # the first of a cell carries the counts of all
                row = whole._rows[name]
                whole._rows[name] = replace(row, pixels=whole._cells.pop(row.cell, None))
        return [whole._rows[name] for name in sorted(whole._rows)]

    def _add_up(self) -> None:
        """Add the counts of the pictures to those of their cells, but of those that another process may have, too."""
        parts: dict[Cell, list[PixelCounts]] = {}
        kept = []
        for name in self._single:
            row = self._rows[name]
            if row.index < self._processes:
                kept.append(name)
            elif row.pixels is not None:
                parts.setdefault(row.cell, []).append(exact_in_any_order(row.pixels))
                self._bytes -= row.pixel_bytes
                self._rows[name] = replace(row, pixels=None)
        self._single = kept
        for cell, counts in parts.items():
            self._cells[cell] = add_counts([*([self._cells[cell]] if cell in self._cells else []), *counts])


def _row(scores: PartScores) -> PartRow:
    tile, label = scores.tile.cpu().numpy(), scores.tile_label.cpu().numpy()
    if scores.label == 0:
        for bad in np.flatnonzero(label == 1)[:1]:
            place = f"row {tile[bad, 0]}, column {tile[bad, 1]}"
            raise ValueError(f"picture {scores.name!r} is faultless, but its tile at {place} is labelled defective")
        label = np.zeros_like(label)  # every tile of a faultless picture is, whether or not there is a mask
    named = {"score": scores.tile_score, **scores.alternatives}
    columns = {name: _floats(value) for name, value in named.items()}
    for name, column in columns.items():
        for bad in np.flatnonzero(~np.isfinite(column))[:1]:
            top, left = tile[bad, :2]
            raise ValueError(
                f"picture {scores.name!r}, tile at row {top}, column {left}: {name!r} is {column[bad]}; "
                "no ranking exists, the weights or the input have diverged"
            )
    score = float(scores.score)
    if not np.isfinite(score):
        raise ValueError(f"picture {scores.name!r}: its score is {score}; the weights or the input have diverged")
    return PartRow(
        scores.name,
        scores.group,
        scores.defect,
        scores.label,
        scores.index,
        score,
        tile,
        columns.pop("score"),
        label,
        columns,
        _pixels(scores),
    )


def _pixels(scores: PartScores) -> PixelCounts | None:
    if scores.label == UNKNOWN_LABEL or (scores.label == 1 and scores.mask is None):
        return None
    heat = scores.heat.detach().float().cpu().numpy()
    start = part_start(scores.name, heat)
    mask = np.zeros(heat.shape, bool) if scores.mask is None else scores.mask.cpu().numpy().astype(bool)
    region, size = find_regions(mask[:, start:])
    return count_pixels(heat[:, start:].ravel(), mask[:, start:].ravel(), region.ravel(), size)


def first_scored(heat: NDArray[np.float32]) -> int:
    """Return the first column of heat ``(H, W)`` that is not NaN throughout; 0 where there is none."""
    return int(np.argmax(~np.isnan(heat).all(axis=0)))


def part_start(name: str, heat: NDArray[np.float32]) -> int:
    """Return the first column that was scored; to the left of it heat ``(H, W)`` is NaN.

    Raises:
        ValueError: if any other pixel is not finite; names the picture and the pixel.
    """
    start = first_scored(heat)
    for row, column in np.argwhere(~np.isfinite(heat[:, start:]))[:1]:
        place, value = f"row {row}, column {start + column}", heat[row, start + column]
        raise ValueError(f"picture {name!r}, pixel at {place}: heat is {value}; the weights or the input have diverged")
    return start


def _floats(values: Tensor) -> NDArray[Any]:
    return values.detach().cpu().double().numpy()

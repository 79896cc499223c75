"""The metrics of inspected parts: several, since no single one can be trusted alone."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from callbacks import auc
from callbacks.auc import Floats
from callbacks.evaluation import Evaluation, Figures, split_undefined
from callbacks.parts.aupro import aupro
from callbacks.parts.table import PartRow
from callbacks.pixel_counts import add_counts, pixel_auroc
from datamodules.batches import UNKNOWN_LABEL

Flags = NDArray[np.bool_]


class Tiles:
    """All tiles of some pictures as columns, and which of them are compared with which.

    Attributes:
        scores: float64 ``(N,)`` by name: ``""`` the model's own, then every alternative.
        group: name of each tile's group ``(N,)``.
        defective: a defect lies on the tile.
        faultless: the tile belongs to a faultless picture.
        beside: the tile is clean and belongs to a picture that also has a defective one.
        paired: the tile is defective and belongs to a picture that also has a clean one.
    """

    def __init__(self, rows: Sequence[PartRow]) -> None:
        names = ["", *(rows[0].alternatives if rows else ())]
        columns = {name: [row.alternatives[name] if name else row.tile_score for row in rows] for name in names}
        self.scores: dict[str, Floats] = {name: _join(column) for name, column in columns.items()}
        self.group = _join([np.full(len(row.tile), row.group) for row in rows], str)
        label = _join([row.tile_label for row in rows], np.int64)
        both = _spread(rows, [bool((row.tile_label == 1).any() and (row.tile_label == 0).any()) for row in rows])
        self.defective = label == 1
        self.faultless = (label == 0) & _spread(rows, [row.label == 0 for row in rows])
        self.beside = (label == 0) & both
        self.paired = self.defective & both

    def area(self, name: str, positive: Flags, negative: Flags) -> float | None:
        """Area under the ROC curve of two sets of tiles, None where one is empty."""
        return auc.auroc(self.curve(name, positive, negative))

    def curve(self, name: str, positive: Flags, negative: Flags) -> auc.RankCurve:
        """Rank two sets of tiles."""
        used = positive | negative
        return auc.rank_curve(self.scores[name][used], positive[used])

    def macro(self, name: str) -> float | None:
        """Mean of the areas of the groups that have both classes."""
        areas = [
            self.area(name, self.defective & (self.group == group), self.faultless & (self.group == group))
            for group in np.unique(self.group)
        ]
        known = [area for area in areas if area is not None]
        return float(np.mean(known)) if known else None


def evaluate_parts(rows: Sequence[PartRow]) -> Evaluation:
    """Compute all metrics that need no threshold."""
    tiles = Tiles(rows)
    found: dict[str, float | None] = {}
    for name in tiles.scores:
        suffix = f"_{name}" if name else ""
        found[f"tile_auroc{suffix}"] = tiles.area(name, tiles.defective, tiles.faultless)
        found[f"tile_auroc_macro{suffix}"] = tiles.macro(name)
        found[f"tile_auroc_within{suffix}"] = tiles.area(name, tiles.paired, tiles.beside)
        found[f"tile_auroc_gap{suffix}"] = tiles.area(name, tiles.beside, tiles.faultless)
    curve = tiles.curve("", tiles.defective, tiles.faultless)
    found["tile_ap"] = auc.average_precision(curve)
    found["image_auroc"] = _image_auroc(rows)
    pixels = _pixels(rows)
    found |= {name: value for name, (value, _) in pixels.items()}

    reasons = {
        "tile_auroc_macro": "no group has both defective tiles and faultless pictures",
        "tile_auroc_within": "no picture has both defective and clean tiles",
        "tile_auroc_gap": "pictures with defective and clean tiles, and faultless pictures, are both needed",
        "image_auroc": "defective and faultless pictures are both needed",
        "pixel_auroc": "no masks, or none with both defective and clean pixels",
        "aupro": "no masks, or none with both defective and clean pixels",
    }
    label = [row.label for row in rows]
    metrics, undefined = split_undefined(found, reasons, f"tiles: {curve.undefined}")
    return Evaluation(
        metrics=metrics,
        undefined=undefined,
        details={"rounding": {name: bound for name, (value, bound) in pixels.items() if value is not None}},
        counts={
            "pictures": len(rows),
            "defective_pictures": label.count(1),
            "faultless_pictures": label.count(0),
            "tiles": len(tiles.defective),
            "defective_tiles": int(tiles.defective.sum()),
            "faultless_tiles": int(tiles.faultless.sum()),
            "clean_tiles_beside_defects": int(tiles.beside.sum()),
        },
    )


def judge_thresholds(
    evaluation: Evaluation, rows: Sequence[PartRow], threshold: float | None, pixel_threshold: float | None
) -> None:
    """Add what needs thresholds: ``f1`` of the tiles, and the tables by group and kind of defect."""
    tiles = Tiles(rows)
    undefined = tiles.curve("", tiles.defective, tiles.faultless).undefined
    if undefined or threshold is None:
        why = f"tiles: {undefined}" if undefined else "the model has no calibrated threshold"
        evaluation.undefined["f1"] = why
    else:
        used = tiles.defective | tiles.faultless
        evaluation.metrics["f1"] = auc.f1_score(tiles.scores[""][used], tiles.defective[used], threshold)
    known = {"threshold": threshold, "pixel_threshold": pixel_threshold}
    evaluation.details.update({name: value for name, value in known.items() if value is not None})
    evaluation.groups.update(group=_by_group(rows, threshold), defect=_by_defect(rows, threshold))


def _by_group(rows: Sequence[PartRow], threshold: float | None) -> dict[str, Figures]:
    """Judge every group on its own."""
    names = sorted({row.group for row in rows})
    return {name: _figures([row for row in rows if row.group == name], threshold) for name in names}


def _by_defect(rows: Sequence[PartRow], threshold: float | None) -> dict[str, Figures]:
    """Judge every kind of defect against the faultless pictures of the groups it occurs in."""
    found: dict[str, Figures] = {}
    for name in sorted({row.defect for row in rows if row.label == 1}):
        own = [row for row in rows if row.label == 1 and row.defect == name]
        groups = {row.group for row in own}
        rivals = [row for row in rows if row.label == 0 and row.group in groups]
        found[name] = _figures([*own, *rivals], threshold)
    return found


def _figures(rows: Sequence[PartRow], threshold: float | None) -> Figures:
    tiles = Tiles(rows)
    defective = [row for row in rows if row.label == 1]
    figures: Figures = {
        "pictures": len(rows),
        "defective_pictures": len(defective),
        "defective_tiles": int(tiles.defective.sum()),
        "tile_auroc": tiles.area("", tiles.defective, tiles.faultless),
        "tile_auroc_within": tiles.area("", tiles.paired, tiles.beside),
        "image_auroc": _image_auroc(rows),
        **{name: value for name, (value, _) in _pixels(rows).items()},
    }
    if threshold is not None:
        above = tiles.scores[""] > threshold
        figures["tiles_found"] = _share(above[tiles.defective])
        figures["pictures_found"] = _share([bool((row.tile_score > threshold).any()) for row in defective])
        figures["false_alarms"] = _share(above[tiles.faultless])
    return figures


def _pixels(rows: Sequence[PartRow]) -> dict[str, tuple[float | None, float]]:
    """Value and bound of every metric of pixels."""
    counts = add_counts([row.pixels for row in rows if row.pixels is not None])
    found = {"pixel_auroc": pixel_auroc(counts), "aupro": aupro(counts)}
    return {name: value or (None, 0.0) for name, value in found.items()}


def _image_auroc(rows: Sequence[PartRow]) -> float | None:
    known = [row for row in rows if row.label != UNKNOWN_LABEL]
    return auc.auroc(auc.rank_curve([row.score for row in known], [row.label for row in known]))


def _share(flags: Iterable[bool] | Flags) -> float | None:
    values = list(flags)
    return float(np.mean(values)) if values else None


def _spread(rows: Sequence[PartRow], flags: Sequence[bool]) -> Flags:
    """Give every tile the flag of its picture."""
    return np.repeat(np.array(flags, bool), np.array([len(row.tile) for row in rows], np.int64))


def _join(columns: Sequence[NDArray[Any]], kind: type = float) -> NDArray[Any]:
    return np.concatenate([np.empty(0, kind), *columns])

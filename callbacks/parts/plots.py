"""Pictures of a test on inspected parts: ROC and precision-recall of the tiles, and their scores per group."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from callbacks.auc import Floats, RankCurve
from callbacks.parts.evaluation import Flags, Tiles
from callbacks.parts.table import PartRow
from callbacks.plots import ANOMALOUS, FAINT, SCORE, THRESHOLD, name_title, picture, plain, write_curves

_BINS = 40


def write_part_plots(folder: Path, rows: Sequence[PartRow], threshold: float | None) -> list[Path]:
    """Write ``roc.png``, ``precision_recall.png`` (where both classes exist) and ``scores.png``.

    Args:
        folder: where to; made where missing.
        rows: the pictures.
        threshold: raw score above which a tile is called defective; None where unknown.
    """
    tiles = Tiles(rows)
    paths = write_curves(folder, tile_curve(tiles))
    groups = np.unique(tiles.group).tolist()
    columns = min(3, len(groups))
    lines = -(-len(groups) // columns)
    path = folder / "scores.png"
    with picture(path, 1.2 + 4.2 * columns, 0.9 + 2.2 * lines) as figure:
        grid = figure.subplots(lines, columns, squeeze=False)
        for axes, group in zip(grid.flat, groups, strict=False):
            _draw_group(axes, tiles, tiles.group == group, threshold)
            name_title(axes, group)
        for axes in list(grid.flat)[len(groups) :]:
            axes.remove()
        figure.legend(*grid.flat[0].get_legend_handles_labels(), loc="outside upper center", ncols=3, fontsize=8)
        dashed = f", dashed: threshold {threshold:.4g}" if threshold is not None else ""
        figure.supxlabel(f"score of a tile (raw{dashed})", fontsize=9)
        figure.supylabel("share of tiles of the kind", fontsize=9)
    return [*paths, path]


def tile_curve(tiles: Tiles) -> RankCurve:
    """Return the curve of defective tiles against those of faultless pictures."""
    return tiles.curve("", tiles.defective, tiles.faultless)


def _draw_group(axes: Axes, tiles: Tiles, own: Flags, threshold: float | None) -> None:
    """Draw three histograms over the same bins, each as shares: defective tiles are few."""
    score: Floats = tiles.scores[""]
    kinds = {
        "faultless pictures": (score[own & tiles.faultless], FAINT),
        "clean, beside a defect": (score[own & tiles.beside], SCORE),
        "defective": (score[own & tiles.defective], ANOMALOUS),
    }
    edges = np.histogram_bin_edges(score[own], _BINS).tolist()
    for name, (values, colour) in kinds.items():
        weights = np.full(len(values), 1 / max(len(values), 1))
        filled = name == "faultless pictures"
        axes.hist(
            values,
            edges,
            weights=weights,
            histtype="stepfilled" if filled else "step",
            color=colour,
            linewidth=1.3,
            label=name,
        )
    if threshold is not None:
        axes.axvline(threshold, color=THRESHOLD, linewidth=0.9, linestyle="--")
    axes.tick_params(labelsize=8)
    plain(axes)

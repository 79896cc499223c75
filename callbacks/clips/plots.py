"""Plots of a test on clips: ROC and precision-recall curve, and the score of every video over time."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from callbacks import auc
from callbacks.clips.places import Array
from callbacks.clips.table import VideoSeries
from callbacks.plots import ANOMALOUS, SCORE, THRESHOLD, name_title, picture, plain, write_curves
from datamodules.batches import UNKNOWN_LABEL

PER_PAGE = 12


def write_plots(folder: Path, series: Sequence[VideoSeries], threshold: float | None) -> list[Path]:
    """Write ``roc.png``, ``precision_recall.png`` (where both classes exist) and ``scores*.png``.

    Args:
        folder: where to; made where missing.
        series: the videos; twelve go on one page of ``scores-<page>.png``.
        threshold: raw score from which on a frame is called anomalous; None where unknown.
    """
    paths = write_curves(folder, frame_curve(series))
    pages = [series[first : first + PER_PAGE] for first in range(0, len(series), PER_PAGE)]
    for number, page in enumerate(pages, start=1):
        paths.append(folder / (f"scores-{number}.png" if len(pages) > 1 else "scores.png"))
        _draw_page(paths[-1], page, threshold)
    return paths


def frame_curve(series: Sequence[VideoSeries]) -> auc.RankCurve:
    """Return the curve of all frames whose label is known."""
    score, label = (np.concatenate([getattr(one, name) for one in series]) for name in ("score", "label"))
    return auc.rank_curve(score[label != UNKNOWN_LABEL], label[label != UNKNOWN_LABEL])


def draw_scores(
    axes: Axes, time: Array, score: Array, threshold: float | None = None, spans: Array | None = None
) -> None:
    """Draw scores over time, the frames where ``spans`` is true shaded, and the threshold as a dashed line."""
    for begin, end in runs(spans) if spans is not None else ():
        half = (time[1] - time[0]) / 2 if len(time) > 1 else 0.5
        axes.axvspan(time[begin] - half, time[end] + half, color=ANOMALOUS, alpha=0.22, linewidth=0)
    axes.plot(time, score, color=SCORE, linewidth=1.1, marker="." if len(time) == 1 else None)
    if threshold is not None:
        axes.axhline(threshold, color=THRESHOLD, linewidth=0.9, linestyle="--")
    axes.margins(x=0.01)
    plain(axes)


def runs(flags: Array) -> list[tuple[int, int]]:
    """Return first and last row of every unbroken run of true values."""
    edges = np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8))
    return list(zip(np.flatnonzero(edges == 1).tolist(), (np.flatnonzero(edges == -1) - 1).tolist(), strict=True))


def _draw_page(path: Path, series: Sequence[VideoSeries], threshold: float | None) -> None:
    columns = 1 if len(series) <= 4 else 2
    rows = -(-len(series) // columns)
    with picture(path, 8.5 if columns == 1 else 13, 0.9 + 1.7 * max(rows, 1.4)) as figure:
        grid: Any = figure.subplots(rows, columns, squeeze=False, sharey=True)
        for axes, one in zip(grid.flat, series, strict=False):
            draw_scores(axes, one.frame, one.score, threshold, one.label == 1)
            alone = auc.auroc(auc.rank_curve(one.score[known := one.label != UNKNOWN_LABEL], one.label[known]))
            name_title(axes, one.video, f"   AUROC {alone:.3f}" if alone is not None else "")
            axes.tick_params(labelsize=8)
        for axes in list(grid.flat)[len(series) :]:
            axes.remove()
        figure.supylabel("score (raw)", fontsize=9)
        dashed = f", dashed: threshold {threshold:.4g}" if threshold is not None else ""
        figure.supxlabel(f"frame (shaded: labelled anomalous{dashed})", fontsize=9)

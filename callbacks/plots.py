"""Plots without global state, in one style: ROC and precision-recall curve."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from callbacks import auc
from callbacks.text import printable
from datamodules.atomic_file import atomic_file

SCORE, ANOMALOUS, THRESHOLD, FAINT = "#1f4e79", "#e4572e", "#444444", "#b8b8b8"


def write_curves(folder: Path, curve: auc.RankCurve) -> list[Path]:
    """Write ``roc.png`` and ``precision_recall.png``, or nothing where one class is missing."""
    if curve.undefined:
        return []
    with picture(folder / "roc.png", 4.8, 4.6) as figure:
        _draw_roc(figure.subplots(), curve)
    with picture(folder / "precision_recall.png", 4.8, 4.6) as figure:
        _draw_precision_recall(figure.subplots(), curve)
    return [folder / "roc.png", folder / "precision_recall.png"]


@contextmanager
def picture(path: Path, width: float, height: float) -> Iterator[Figure]:
    """Open a figure of ``width`` x ``height`` inches that is written to ``path`` and keeps no global state."""
    figure = Figure(figsize=(width, height), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    yield figure
    with atomic_file(path) as file:
        figure.savefig(file, format=path.suffix[1:])


def _draw_roc(axes: Axes, curve: auc.RankCurve) -> None:
    false_rate, true_rate = auc.roc_curve(curve)
    error = auc.equal_error_rate(curve)
    assert error is not None
    axes.plot([0, 1], [0, 1], color=FAINT, linewidth=0.9, linestyle="--")
    axes.plot(false_rate, true_rate, color=SCORE, linewidth=1.6)
    axes.plot([error], [1 - error], "o", color=ANOMALOUS, markersize=5)
    axes.annotate(f"EER {error:.3f}", (error, 1 - error), (8, -12), textcoords="offset points", color=ANOMALOUS)
    _square(axes, f"ROC, area {auc.auroc(curve):.4f}", "false positive rate", "true positive rate")


def _draw_precision_recall(axes: Axes, curve: auc.RankCurve) -> None:
    recall, precision = auc.precision_recall_curve(curve)
    share = curve.positives / (curve.positives + curve.negatives)
    axes.axhline(share, color=FAINT, linewidth=0.9, linestyle="--")
    axes.annotate(f"chance {share:.2f}", (0.02, share), (0, 4), textcoords="offset points", color="#808080")
    axes.step(recall, precision, where="pre", color=SCORE, linewidth=1.6)
    _square(axes, f"Precision-recall, average {auc.average_precision(curve):.4f}", "recall", "precision")


def _square(axes: Axes, title: str, across: str, up: str) -> None:
    axes.set(title=title, xlabel=across, ylabel=up, xlim=(-0.01, 1.01), ylim=(-0.01, 1.02), aspect="equal")
    plain(axes)


def name_title(axes: Axes, name: str, rest: str = "") -> None:
    """Put a name, which may be that of any file, and what follows it, above a plot, at the left."""
    axes.set_title(printable(name) + rest, loc="left", fontsize=9, parse_math=False)


def plain(axes: Axes) -> None:
    """Draw a faint grid, and no frame at the top and on the right."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25, linewidth=0.6)

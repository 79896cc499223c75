"""``scores.csv`` as pages show it: ROC and precision-recall curves, scores over time, how figures are spread."""

import csv
import math
from array import array
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from callbacks import auc
from callbacks.file_names import text_of
from callbacks.results import SCORES, read_rows
from datamodules.errors import InputError
from fulgurite.pages import plots
from fulgurite.pages.logged import Panel
from fulgurite.pages.thin import MOST_POINTS
from fulgurite.refuse import shortened

ANOMALOUS, UNKNOWN = 1, -1
MOST_TIMELINES = 60
"""Recordings whose score over time is shown."""
MOST_SPREADS = 6
LABELS, NO_LABEL = {"0", "1", "-1"}, "a label is {}, and can be 0, 1 or -1"
ALWAYS_NUMBERS = ("frame", "score", "label")


@dataclass(frozen=True)
class Scores:
    """The columns of a ``scores.csv``.

    Attributes:
        names: ``(N,)``, of the videos, pictures or clips.
        numbers: ``(N,)`` by the name of a column whose cells are numbers, or empty: then NaN.
    """

    names: list[str]
    numbers: dict[str, NDArray[np.float64]]

    @property
    def is_labelled(self) -> bool:
        """Whether there are scores and labels."""
        return {"score", "label"} <= self.numbers.keys()

    @property
    def evidence(self) -> list[str]:
        """Names of the columns behind ``label``: further scores of the same rows."""
        columns = list(self.numbers)
        return columns[columns.index("label") + 1 :] if self.is_labelled else []


def read_scores(folder: Path) -> Scores | None:
    """Return the ``scores.csv`` of a test, None where there is none.

    Raises:
        InputError: if it is damaged.
    """
    path = folder / SCORES
    if not path.is_file():
        return None
    try:
        return _read(path)
    except OSError as problem:
        raise InputError(f"{path} cannot be read: {problem.strerror}") from None
    except (ValueError, csv.Error) as problem:
        raise InputError(f"{path} is damaged: {problem}. Run `lightning test` again") from None


def read_columns(path: Path) -> dict[str, list[str]]:
    """Return the columns of a ``scores.csv`` as text, empty where it has no row.

    Raises:
        InputError: if it is damaged, a name is missing, or a score, label or frame is none.
    """
    rows = read_rows(path)
    columns = {key: [row[key] for row in rows] for key in (rows[0] if rows else {})}
    if why := _damage(columns):
        raise InputError(f"{path} is damaged: {why}. Run `lightning test` again")
    return columns


def _damage(columns: Mapping[str, Sequence[str]]) -> str:
    if columns and "name" not in columns:
        return "it has no column name"
    for key in ALWAYS_NUMBERS:
        if key in columns and numbers_in(columns[key]) is None:
            return f"its column {key} holds something that is no number"
    if wrong := sorted({*columns.get("label", ())} - LABELS):
        return NO_LABEL.format(shortened(wrong[0], 40))
    return ""


def curve_panels(scores: Scores, beside: Collection[str]) -> list[Panel]:
    """Return ROC and precision-recall curves; none where one class is missing.

    Args:
        scores: with labels.
        beside: kinds of evidence that are drawn at once, next to the score.
    """
    label = scores.numbers["label"]
    found = {}
    for name in sorted(("score", *scores.evidence), key=lambda name: name != "score" and name not in beside):
        rows = np.isin(label, (0, ANOMALOUS)) & np.isfinite(scores.numbers[name])
        curve = auc.rank_curve(scores.numbers[name][rows], label[rows])
        if curve.undefined is None:
            found[name] = curve
    if "score" not in found:
        return []
    shown = ["score", *(name for name in found if name in beside)]
    curve = found["score"]
    counted = (
        f"over all labelled rows of scores.csv, {curve.positives:,} anomalous and {curve.negatives:,} normal; a metric "
        "above may leave some of them out, or be a mean over groups."
    )
    click = " A click on a name shows the curve of that kind of evidence alone." if len(found) > len(shown) else ""
    return [
        Panel("ROC", plots.roc(found, shown), f"Area under the curve behind each name, {counted}{click}"),
        Panel(
            "Precision and recall",
            plots.precision_recall(found, shown),
            f"Average precision behind each name, over the same rows; dashed: what chance reaches.{click}",
        ),
    ]


def timelines(scores: Scores, threshold: float | None) -> tuple[list[Panel], int]:
    """Return the score of each recording over its frames, and the number of recordings that are not shown."""
    if not scores.is_labelled or "frame" not in scores.numbers:
        return [], 0
    frame, score, label = (scores.numbers[name] for name in ("frame", "score", "label"))
    places: dict[str, list[int]] = {}
    for row, name in enumerate(scores.names):
        places.setdefault(name, []).append(row)
    panels = []
    for name, rows in islice(places.items(), MOST_TIMELINES):
        here = np.array(rows)[np.argsort(frame[rows], kind="stable")]
        known = np.isin(label[here], (0, ANOMALOUS)) & np.isfinite(score[here])
        alone = auc.auroc(auc.rank_curve(score[here][known], label[here][known]))
        area = "" if alone is None else f" AUROC within this recording {alone:.3f}."
        few = "" if len(here) <= MOST_POINTS else _thin_caption()
        figure = plots.timeline(frame[here], score[here], _spans(frame[here], label[here]), threshold)
        panels.append(Panel(name, figure, f"{len(here):,} frames.{area}{few}"))
    return panels, len(places) - len(panels)


def spreads(scores: Scores) -> list[Panel]:
    """Return how the score is spread by label or, without labels, each of the first figures."""
    if scores.is_labelled:
        score, label = scores.numbers["score"], scores.numbers["label"]
        parts = {
            "normal": score[label == 0],
            "anomalous": score[label == ANOMALOUS],
            "no label": score[label == UNKNOWN],
        }
        parts = {name: one[np.isfinite(one)] for name, one in parts.items()}
        if not any(map(len, parts.values())):
            return []
        figure = plots.spread({name: one for name, one in parts.items() if len(one)}, "score")
        return [Panel("Spread of the scores", figure, "Share of the rows of each label by their score.")]
    panels = []
    for name, column in islice(scores.numbers.items(), MOST_SPREADS):
        values = column[np.isfinite(column)]
        if len(values) > 1:
            caption = f"{len(values):,} rows, median {np.median(values):.4g}."
            panels.append(Panel(name, plots.spread({name: values}, name), caption))
    return panels


def _spans(frame: NDArray[np.float64], label: NDArray[np.float64]) -> list[tuple[float, float]]:
    """Return the first and the last frame of each unbroken run of anomalous rows."""
    runs = (list(run) for is_anomalous, run in groupby(range(len(label)), lambda row: label[row] == 1) if is_anomalous)
    return [(float(frame[run[0]]), float(frame[run[-1]])) for run in runs]


def _read(path: Path) -> Scores:
    """Read a table row by row: of a large one the numbers alone are kept, eight bytes each."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        header = next(rows, [])
        if header and "name" not in header:
            raise ValueError("it has no column name")
        if len(set(header)) < len(header):
            raise ValueError("two of its columns have the same name")
        at = header.index("name") if header else 0
        names: list[str] = []
        known: dict[str, str] = {}
        columns = {place: array("d") for place in range(len(header)) if place != at}
        for row in rows:
            if len(row) != len(header):
                raise ValueError(f"line {rows.line_num} has {len(row)} of the {len(header)} columns")
            names.append(known.setdefault(row[at], text_of(row[at])))
            for place, column in [*columns.items()]:
                try:
                    column.append(float(row[place]) if row[place] else math.nan)
                except ValueError:
                    if header[place] in ALWAYS_NUMBERS:
                        raise ValueError(f"its column {header[place]} holds something that is no number") from None
                    del columns[place]  # it holds text
                else:
                    if header[place] == "label" and row[place] not in LABELS:
                        raise ValueError(NO_LABEL.format(shortened(row[place], 40)))
    return Scores(names, {header[place]: np.frombuffer(column) for place, column in columns.items() if names})


def numbers_in(cells: Sequence[str]) -> NDArray[np.float64] | None:
    """Return a column as numbers, NaN where nothing stands; None where it holds text."""
    try:
        return np.array([float(cell) if cell else np.nan for cell in cells])
    except ValueError:
        return None


def _thin_caption() -> str:
    return f" Drawn are the lowest and the highest score of each of {MOST_POINTS // 2:,} equal parts."

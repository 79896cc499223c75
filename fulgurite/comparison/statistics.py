"""Metrics as functions of how often each item of a test counts, so that items can be drawn again and again.

A metric is one number of a whole test. To know how far it depends on which videos, pictures or clips happened to be in
the test, they are drawn with replacement, and the metric is computed of each draw: the bootstrap (Efron 1979). Drawing
means no more than counting an item twice or not at all, so every statistic here takes a weight for each item.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from callbacks.auc import Floats
from fulgurite.pages.score_table import numbers_in

Statistic = Callable[[Floats], float]
"""From the weight of each item ``(N,)``, at least 0, to the metric; NaN where a draw has none."""

AGREEMENT = 1e-5
"""Largest difference from ``results.json``; scores are written with nine digits."""


def statistic_of(metric: str, value: float, columns: Mapping[str, Sequence[str]]) -> tuple[Statistic, list[str]] | None:
    """Return how a metric follows from ``scores.csv``, and the names of the items; None where it does not.

    Nothing is taken for granted: a way to compute it counts if it gives the value that the test has reported.

    Args:
        metric: its name.
        value: as the test reported it.
        columns: of ``scores.csv``, by name.
    """
    names = sorted(set(columns.get("name", ())))
    if not names:
        return None
    number = {name: row for row, name in enumerate(names)}
    item = np.array([number[name] for name in columns["name"]])
    for statistic in _ways(metric, columns, item, len(names)):
        if abs(statistic(np.ones(len(names))) - value) <= AGREEMENT * max(1.0, abs(value)):
            return statistic, names
    return None


def _ways(
    metric: str, columns: Mapping[str, Sequence[str]], item: NDArray[np.int64], count: int
) -> Iterator[Statistic]:
    """Yield what a metric of that name might be, the plainest first."""
    if "label" in columns:
        yield from _ways_to_rank(metric, columns, item, count)
    elif metric in columns:
        values = _numbers(columns[metric])
        yield _mean(values, item, count)
        yield _mean_in_decibels(values, item, count)


def _ways_to_rank(
    metric: str, columns: Mapping[str, Sequence[str]], item: NDArray[np.int64], count: int
) -> Iterator[Statistic]:
    label = np.array([int(one) for one in columns["label"]])
    parts = [name for name in columns if name not in ("name", "label") and metric.endswith(f"_{name}")]
    score = _numbers(columns[max(parts, key=len, default="score")])
    known = label >= 0
    defective, normal = (np.bincount(item[label == kind], minlength=count) > 0 for kind in (1, 0))
    faultless_or_defective = known & ~((label == 0) & defective[item])
    if "auroc_macro" in metric:
        yield _mean_auroc(score[known], label[known], item[known], count)
    elif "auroc_within" in metric:
        rows = known & (defective & normal)[item]
        yield _auroc(score[rows], label[rows], item[rows])
    elif metric == "image_auroc":
        highest = np.full(count, -np.inf)
        np.maximum.at(highest, item, score)
        yield _auroc(highest, defective.astype(np.int64), np.arange(count))
    elif metric.startswith(("frame_auroc_micro", "tile_auroc")):
        yield from (_auroc(score[rows], label[rows], item[rows]) for rows in (known, faultless_or_defective))
    elif metric.endswith("_ap"):
        yield from (_precision(score[rows], label[rows], item[rows]) for rows in (known, faultless_or_defective))


def _auroc(score: Floats, label: NDArray[np.int64], item: NDArray[np.int64]) -> Statistic:
    order, first = _ties(score)
    anomalous, item = label[order] == 1, item[order]

    def area(weight: Floats) -> float:
        each = weight[item]
        found, false = (np.add.reduceat(each * rows, first) for rows in (anomalous, ~anomalous))
        with np.errstate(invalid="ignore"):  # a draw may have one class only
            below = false.sum() - np.cumsum(false)
            return float((found * (below + false / 2)).sum() / (found.sum() * false.sum()))

    return area


def _precision(score: Floats, label: NDArray[np.int64], item: NDArray[np.int64]) -> Statistic:
    order, first = _ties(score)
    anomalous, item = label[order] == 1, item[order]

    def average(weight: Floats) -> float:
        each = weight[item]
        found, every = np.add.reduceat(each * anomalous, first), np.add.reduceat(each, first)
        with np.errstate(invalid="ignore", divide="ignore"):
            precision = np.cumsum(found) / np.cumsum(every)
            return float(np.nansum(found * precision) / found.sum())

    return average


def _mean_auroc(score: Floats, label: NDArray[np.int64], item: NDArray[np.int64], count: int) -> Statistic:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        own = np.array(
            [_auroc(score[rows], label[rows], np.zeros(rows.sum(), int))(np.ones(1)) if rows.any() else np.nan
             for rows in (item == one for one in range(count))]
        )  # fmt: skip
    return _weighted_mean(own)


def _mean(values: Floats, item: NDArray[np.int64], count: int) -> Statistic:
    return _weighted_mean(_per_item(values, item, count))


def _mean_in_decibels(values: Floats, item: NDArray[np.int64], count: int) -> Statistic:
    """The error of all items together: decibels of the mean, not the mean of decibels."""
    mean = _weighted_mean(_per_item(10 ** (-values / 10), item, count))

    def decibels(weight: Floats) -> float:
        return float(-10 * np.log10(mean(weight)))

    return decibels


def _weighted_mean(own: Floats) -> Statistic:
    known = np.isfinite(own)

    def mean(weight: Floats) -> float:
        total = weight[known].sum()
        return float((own[known] * weight[known]).sum() / total) if total else float("nan")

    return mean


def _per_item(values: Floats, item: NDArray[np.int64], count: int) -> Floats:
    own = np.full(count, np.nan)
    own[item] = values  # an item has one row where there is no label
    return own


def _ties(score: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows by falling score, and where each distinct score begins."""
    order = np.argsort(-score, kind="stable")
    falling = score[order]
    return order, np.flatnonzero(np.append(True, falling[1:] != falling[:-1])) if len(falling) else np.zeros(1, int)


def _numbers(texts: Sequence[str]) -> Floats:
    """Return a column as numbers; NaN where nothing stands, and all over a column of text, of which nothing follows."""
    found = numbers_in(texts)
    return np.full(len(texts), np.nan) if found is None else found

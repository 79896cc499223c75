"""Exact ranking metrics on raw scores: float64, every distinct score is a threshold, no sigmoid, no bins.

Counts stay integers until the last division, so a metric does not depend on the order of its input and
ties are worth exactly one half. torchmetrics is not used here: even with ``normalization=None``
it divides in float32.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class RankCurve:
    """What is found, rightly and wrongly, as the threshold falls past every distinct score.

    Attributes:
        threshold: float ``(K,)``, the distinct scores, falling; a frame is called anomalous at or above it.
        found: int64 ``(K,)``, anomalous frames at or above the threshold.
        false: int64 ``(K,)``, normal frames at or above the threshold.
    """

    threshold: Floats
    found: Ints
    false: Ints

    @property
    def positives(self) -> int:
        """Number of anomalous frames."""
        return int(self.found[-1]) if len(self.found) else 0

    @property
    def negatives(self) -> int:
        """Number of normal frames."""
        return int(self.false[-1]) if len(self.false) else 0

    @property
    def undefined(self) -> str | None:
        """Why no ranking metric exists here, None where both classes are present."""
        if self.positives and self.negatives:
            return None
        return f"{self.positives} anomalous and {self.negatives} normal: both are needed"


def rank_curve(score: ArrayLike, label: ArrayLike) -> RankCurve:
    """Count hits and false alarms at every distinct score.

    Args:
        score: ``(N,)`` finite, larger is more anomalous.
        label: ``(N,)``, 1 anomalous, 0 normal.

    Raises:
        ValueError: if the shapes differ, a score is not finite or a label is neither 0 nor 1.
    """
    scores, labels = np.asarray(score, dtype=np.float64).ravel(), np.asarray(label).ravel()
    if scores.shape != labels.shape:
        raise ValueError(f"{scores.size} scores but {labels.size} labels")
    if not np.isfinite(scores).all():
        raise ValueError(f"score {scores[~np.isfinite(scores)][0]} has no rank: scores must be finite")
    if not np.isin(labels, (0, 1)).all():
        raise ValueError(f"labels must be 0 or 1, found {np.setdiff1d(labels, (0, 1))[0]}")
    order = np.argsort(-scores, kind="stable")
    falling, anomalous = scores[order], labels[order].astype(np.int64)
    last_of_tie = np.flatnonzero(np.diff(falling, append=-np.inf)) if falling.size else np.empty(0, np.int64)
    found = np.cumsum(anomalous)[last_of_tie]
    return RankCurve(falling[last_of_tie], found, 1 + last_of_tie - found)


def roc_curve(curve: RankCurve) -> tuple[Floats, Floats]:
    """Return false-positive and true-positive rates, each ``(K + 1,)`` from 0 to 1."""
    return np.append(0, curve.false) / curve.negatives, np.append(0, curve.found) / curve.positives


def precision_recall_curve(curve: RankCurve) -> tuple[Floats, Floats]:
    """Return recall (rising) and precision, each ``(K,)``."""
    return curve.found / curve.positives, curve.found / (curve.found + curve.false)


def auroc(curve: RankCurve) -> float | None:
    """Area under the ROC curve: P(anomalous > normal) + P(equal) / 2. None where one class is missing."""
    if curve.undefined:
        return None
    widths, heights = np.diff(curve.false, prepend=0), np.append(0, curve.found)
    return int(np.sum(widths * (heights[1:] + heights[:-1]))) / (2 * curve.positives * curve.negatives)


def average_precision(curve: RankCurve) -> float | None:
    """Precision averaged over the steps of recall, without interpolation. None where one class is missing."""
    if curve.undefined:
        return None
    recall, precision = precision_recall_curve(curve)
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def equal_error_rate(curve: RankCurve) -> float | None:
    """Rate in [0, 1] where misses equal false alarms on the ROC curve drawn with straight lines."""
    if curve.undefined:
        return None
    false_rate, true_rate = roc_curve(curve)
    excess = false_rate - (1 - true_rate)  # rises from -1 to 1
    after = int(np.argmax(excess >= 0))
    part = excess[after - 1] / (excess[after - 1] - excess[after])
    return float(false_rate[after - 1] + part * (false_rate[after] - false_rate[after - 1]))


def f1_score(score: ArrayLike, label: ArrayLike, threshold: float) -> float:
    """F1 of calling anomalous what lies strictly above ``threshold``; 0 where nothing is found."""
    called, anomalous = np.asarray(score) > threshold, np.asarray(label) == 1
    total = int(called.sum()) + int(anomalous.sum())
    return 2 * int((called & anomalous).sum()) / total if total else 0.0


def auroc_of_parts(positives: NDArray[np.floating], negatives: Iterable[NDArray[np.floating]]) -> float | None:
    """Exact area under the ROC curve of sets too large to sort at once, such as pixels.

    Args:
        positives: ``(P,)`` scores of everything anomalous.
        negatives: scores of everything normal, in any number of ``(N_i,)`` parts.
    """
    anomalous = np.sort(positives)
    twice_wins = count = 0
    for part in negatives:
        rising = np.sort(part)
        below = np.searchsorted(anomalous, rising, "left").sum(dtype=np.int64)
        below_or_tied = np.searchsorted(anomalous, rising, "right").sum(dtype=np.int64)
        twice_wins += 2 * anomalous.size * rising.size - int(below) - int(below_or_tied)
        count += rising.size
    return twice_wins / (2 * anomalous.size * count) if anomalous.size and count else None

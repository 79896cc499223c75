"""Figures equal those of an independent computation: scikit-learn's for ranks, the definition by hand for AUPRO."""

from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import ndimage
from sklearn import metrics

from callbacks.auc import auroc, average_precision, equal_error_rate, f1_score, rank_curve
from callbacks.parts.aupro import aupro
from callbacks.parts.regions import find_regions
from callbacks.pixel_counts import count_pixels
from tests.soak.promise import Case, Promise

CASES = 10_000
LIMIT = 0.3  # of false positives, for AUPRO


def cases(seed: int) -> Iterator[Case]:
    """Nine of ranks, then one of the overlap of regions, and so on."""
    for number in range(CASES):
        check = _overlaps if number % 10 == 9 else _ranks
        yield Case(f"{check.__name__[1:]} {number}", partial(check, np.random.default_rng((seed, number))))


def _ranks(random: Generator, folder: Path) -> None:
    size = int(random.integers(1, 200))
    label = (random.random(size) < random.choice([0.0, 0.05, 0.5, 1.0], p=[0.05, 0.3, 0.6, 0.05])).astype(int)
    score = _scores(random, size) + random.choice([0.0, 1.0]) * label
    if not np.isfinite(score).all():
        with pytest.raises(ValueError, match="scores must be finite"):
            rank_curve(score, label)
        return
    curve = rank_curve(score, label)
    found = auroc(curve), average_precision(curve), equal_error_rate(curve)
    if len(set(label)) < 2:
        assert found == (None, None, None)
        return
    false, true, _ = metrics.roc_curve(label, score, drop_intermediate=False)
    expected = (
        metrics.roc_auc_score(label, score),
        metrics.average_precision_score(label, score),
        _crossing(false, true),
    )
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
    threshold = float(random.choice(score))
    expected_f1 = metrics.f1_score(label, score > threshold, zero_division=0)
    np.testing.assert_allclose(f1_score(score, label, threshold), expected_f1, rtol=0, atol=1e-12)


def _scores(random: Generator, size: int) -> NDArray[np.float64]:
    kind = random.choice(["normal", "ties", "constant", "wide", "denormal", "infinite"])
    score: NDArray[np.float64] = random.normal(size=size)
    if kind == "ties":
        score = random.integers(0, 3, size).astype(float)
    elif kind == "constant":
        score = np.full(size, score[0])
    elif kind == "wide":
        score = score * 10.0 ** random.integers(-300, 300, size)
    elif kind == "denormal":
        score = random.integers(-5, 5, size) * 5e-324
    elif kind == "infinite":
        score[random.integers(size)] = random.choice([np.inf, -np.inf, np.nan])
    return score


def _crossing(false: NDArray[np.float64], true: NDArray[np.float64]) -> float:
    """Where the ROC curve, drawn with straight lines, meets the line on which misses equal false alarms."""
    for left in range(len(false) - 1):
        rise, run = true[left + 1] - true[left], false[left + 1] - false[left]
        share = (1 - true[left] - false[left]) / (rise + run)
        if share <= 1:
            return float(false[left] + share * run)
    raise AssertionError("the curve ends at (1, 1)")


def _overlaps(random: Generator, folder: Path) -> None:
    mask = ndimage.binary_dilation(random.random((9, 12)) < random.choice([0.0, 0.02, 0.1]))
    heat = (random.normal(size=mask.shape) + mask).astype(np.float32)
    if random.random() < 0.3:
        heat = np.round(heat * 2) / 2
    region, size = find_regions(mask)
    found = aupro(count_pixels(heat.ravel(), mask.ravel(), region.ravel(), size), LIMIT)
    if not mask.any() or mask.all():
        assert found is None
        return
    numbered, count = ndimage.label(mask, np.ones((3, 3)))
    points = [(0.0, 0.0)]
    for threshold in sorted(set(heat.ravel().tolist()), reverse=True):
        overlap = np.mean([(heat[numbered == one] >= threshold).mean() for one in range(1, count + 1)])
        points.append((float((heat[~mask] >= threshold).mean()), float(overlap)))
    assert found is not None
    area, bound = found
    expected = _area_up_to(points, LIMIT) / LIMIT
    assert abs(area - expected) <= bound + 1e-9, (area, expected, bound)


def _area_up_to(points: list[tuple[float, float]], limit: float) -> float:
    area = 0.0
    for (x0, y0), (x1, y1) in pairwise(points):
        end = min(x1, limit)
        if end > x0:
            y = y0 + (y1 - y0) * (end - x0) / (x1 - x0)
            area += (end - x0) * (y0 + y) / 2
    return area


NUMBERS = Promise("numbers", cases, short=200)

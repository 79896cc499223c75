"""The difference between two groups of runs, and the interval in which it would lie on other items of the same kind."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from datamodules.seeding import derive_seed
from fulgurite.comparison.run import Run, measured_alike
from fulgurite.comparison.statistics import Statistic, statistic_of

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Difference:
    """A difference to the baseline.

    Attributes:
        value: mean over seeds less that of the baseline.
        low: lower end of the 95 % interval; None where none can be told.
        high: upper end.
        why: why there is no interval, empty where there is one.
    """

    value: float
    low: float | None = None
    high: float | None = None
    why: str = ""

    @property
    def told(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high

    def verdict(self, better: str | None) -> str:
        """Return what it comes to; ``better`` is the way in which the metric is better, None where neither is."""
        if self.why:
            return self.why
        if not self.told:
            return "no difference can be told"
        if better is None:
            return "differs"
        return "better" if (self.value > 0) == (better == "higher") else "worse"


def difference(metric: str, runs: Sequence[Run], baseline: Sequence[Run], resamples: int, seed: int) -> Difference:
    """Compare the means of two groups of runs by a paired bootstrap over the items of their common test.

    In each draw the same videos, pictures or clips count for all runs, so that what is hard for all of them cancels.
    The seeds of the trainings are not drawn: with few of them that would say little.

    Args:
        metric: its name.
        runs: with results that have the metric.
        baseline: likewise.
        resamples: number of draws.
        seed: of the draws.
    """
    value = _mean_of(metric, runs) - _mean_of(metric, baseline)
    if not measured_alike([*runs, *baseline]):
        return Difference(value, why="other test data")
    ways = [_way(metric, run) for run in (*runs, *baseline)]
    known = [way for way in ways if way is not None]
    if len(known) < len(ways):
        return Difference(value, why="no interval: scores.csv does not tell this metric")
    items = len(known[0][1])
    if items < 2:
        return Difference(value, why="no interval: it needs two items")
    random = np.random.default_rng(derive_seed(seed, "bootstrap", metric))
    drawn = (random.multinomial(items, np.full(items, 1 / items)).astype(float) for _ in range(resamples))
    values = np.array([[statistic(weight) for statistic, _ in known] for weight in drawn])
    apart = values[:, : len(runs)].mean(axis=1) - values[:, len(runs) :].mean(axis=1)
    defined = apart[np.isfinite(apart)]
    if len(defined) < resamples / 2:
        return Difference(value, why="no interval: most draws have one class only")
    low, high = np.quantile(defined, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Difference(value, float(low), float(high))


def _mean_of(metric: str, runs: Sequence[Run]) -> float:
    return float(np.mean([metrics_of(run)[metric] for run in runs]))


def _way(metric: str, run: Run) -> tuple[Statistic, list[str]] | None:
    return statistic_of(metric, metrics_of(run)[metric], run.items)


def metrics_of(run: Run) -> Mapping[str, float]:
    """Return the metrics of a run's test, none without a test."""
    return run.test.metrics if run.test else {}

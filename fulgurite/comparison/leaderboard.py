"""Runs that differ by their seed alone are one row; rows are ranked by the headline of their test."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import numpy as np

from callbacks.short_table import MOST
from datamodules.errors import InputError
from fulgurite.comparison.difference import Difference, difference, metrics_of
from fulgurite.comparison.run import Run, measured_alike

MOST_NAMED = 6
"""Runs of which a group has its name; of more it is told how many."""


@dataclass(frozen=True)
class Group:
    """Runs of equal settings, each with another seed.

    Attributes:
        name: unique among the groups of a comparison.
        runs: at least one.
        metrics: by name mean and standard deviation over the runs (n - 1; None of a single one), of those with a value.
        differences: to the baseline, by the name of a metric.
    """

    name: str
    runs: Sequence[Run]
    metrics: Mapping[str, tuple[float, float | None]]
    differences: dict[str, Difference] = field(default_factory=dict)

    def mean(self, *path: str) -> float | None:
        """Return the mean of an entry of ``training.json``, None where no run has it."""
        values = [value for run in self.runs if (value := run.figure(*path)) is not None]
        return float(np.mean(values)) if values else None


@dataclass(frozen=True)
class Leaderboard:
    """What a comparison found.

    Attributes:
        groups: the best by ``ranked_by`` first, those without it last.
        ranked_by: a metric.
        shown: metrics in the order of their columns, ``ranked_by`` first.
        better: ``higher``, ``lower`` or None, by metric.
        meanings: a clause by metric, where there is one.
        baseline: name of a group, None without one.
        differing: keys of the settings that differ, with the value of every group; None where a group has no such key.
        remarks: what a reader must know before the figures.
    """

    groups: Sequence[Group]
    ranked_by: str
    shown: Sequence[str]
    better: Mapping[str, str | None]
    meanings: Mapping[str, str]
    baseline: str | None
    differing: Mapping[str, Mapping[str, str | None]]
    remarks: Sequence[str]

    def best(self, metric: str) -> Sequence[str]:
        """Return the names of the groups that are best by a metric; none where neither way is better."""
        way = self.better.get(metric)
        means = {group.name: group.metrics[metric][0] for group in self.groups if metric in group.metrics}
        if way is None or len(means) < 2:
            return ()
        top = (max if way == "higher" else min)(means.values())
        return [name for name, mean in means.items() if mean == top]


def leaderboard(
    runs: Sequence[Run], metric: str | None, baseline: str | None, resamples: int = 2000, seed: int = 0
) -> Leaderboard:
    """Rank runs.

    Args:
        runs: at least one with results.
        metric: to rank by; None: the headline of the tests.
        baseline: name of the group, or of a run in it, that the others are compared with; None: no differences.
        resamples: draws of the bootstrap.
        seed: of the draws.

    Raises:
        InputError: if no run was tested, the tests have no metric in common, or a name is unknown.
    """
    tested = [run for run in runs if run.test]
    if not tested:
        raise InputError(
            f"{runs[0].name}: not tested, nor is any other run. First: lightning test --run {runs[0].folder}"
        )
    common = [name for name in metrics_of(tested[0]) if all(name in metrics_of(run) for run in tested)]
    if not common:
        systems = sorted({run.test.about.text("system") or "unknown" for run in tested if run.test})
        raise InputError(f"the tests of {', '.join(systems)} have no metric in common: compare runs of one kind")
    headline = next((run.test.headline for run in tested if run.test and run.test.headline), common[0])
    ranked_by = metric or headline
    if ranked_by not in common:
        first = f"--metric {metric}" if metric else f"{headline}, by which these tests are ranked"
        raise InputError(f"{first}: not every test has a value of it. Choose by --metric among {_some(common)}")
    said = {name: one for run in tested if run.test for name, one in run.test.meanings.items()}
    better = {name: said[name]["better"] if name in said else None for name in common}
    own = [name for name in common if name not in said or not said[name]["beside"]]
    matter = [name for run in tested[:1] if run.test for name in run.test.matter if name in own] or own[:MOST]
    shown = [ranked_by, *(name for name in matter if name != ranked_by)]
    groups = _groups(runs)
    twins = [group for group in groups if len({run.seed for run in group.runs}) < len(group.runs)]
    reference = _find(groups, baseline) if baseline else None
    for group in groups if reference else ():
        for name in shown:
            if group is not reference and name in group.metrics and reference and name in reference.metrics:
                group.differences[name] = difference(
                    name, _with(name, group.runs), _with(name, reference.runs), resamples, seed
                )
    sign = -1 if better[ranked_by] != "lower" else 1
    return Leaderboard(
        groups=sorted(groups, key=lambda one: sign * one.metrics[ranked_by][0] if ranked_by in one.metrics else np.inf),
        ranked_by=ranked_by,
        shown=shown,
        better=better,
        meanings={name: one["means"] for name, one in said.items()},
        baseline=reference.name if reference else None,
        differing=_differing(groups),
        remarks=[*_remarks(runs), *map(_twice, twins)],
    )


def _groups(runs: Sequence[Run]) -> list[Group]:
    def alike(run: Run) -> str:
        return repr((run.folder.parent.name, sorted(run.settings.items()), run.data, run.content))

    parts = [list(part) for _, part in groupby(sorted(runs, key=alike), key=alike)]
    parts.sort(key=lambda part: min(str(run.folder) for run in part))
    found = []
    for part in parts:
        names = {name for run in part for name in metrics_of(run)}
        metrics = {name: _spread([metrics_of(run)[name] for run in _with(name, part)]) for name in names}
        found.append(Group(_name(part, runs), part, metrics))
    return found


def _name(part: Sequence[Run], runs: Sequence[Run]) -> str:
    """Return the experiment where all of its runs are in this part, else the names of the runs."""
    experiments = [run.name.rpartition("/")[0] for run in part]
    if len(set(experiments)) > 1:
        return _some([run.name for run in part], MOST_NAMED)
    if sum(run.name.rpartition("/")[0] == experiments[0] for run in runs) == len(part) > 1:
        return experiments[0]
    return f"{experiments[0]}/{_some([run.folder.name for run in part], MOST_NAMED)}"


def _some(names: Sequence[str], most: int = 12) -> str:
    left = len(names) - most
    return ", ".join(names[:most]) + (f" and {left:,} more" if left > 0 else "")


def _spread(values: Sequence[float]) -> tuple[float, float | None]:
    if len(values) == 1:
        return float(values[0]), None
    if min(values) == max(values):  # whose mean is not quite itself, in floats
        return float(values[0]), 0.0
    return float(np.mean(values)), float(np.std(values, ddof=1))


def _with(metric: str, runs: Sequence[Run]) -> list[Run]:
    return [run for run in runs if metric in metrics_of(run)]


def _find(groups: Sequence[Group], name: str) -> Group:
    place = Path(name).expanduser().resolve()
    exactly = [group for group in groups if name == group.name or any(place == run.folder for run in group.runs)]
    found = exactly or [g for g in groups if any(name in (run.name, run.folder.name) for run in g.runs)]
    if len(found) == 1:
        return found[0]
    there = _some([group.name for group in found or groups])
    if found:
        raise InputError(f"--baseline {name}: several are called so. Write one of {there}")
    raise InputError(f"--baseline {name}: no such run. There are {there}")


def _differing(groups: Sequence[Group]) -> dict[str, dict[str, str | None]]:
    keys = dict.fromkeys(key for group in groups for key in group.runs[0].settings)
    values = {key: {group.name: group.runs[0].settings.get(key) for group in groups} for key in keys}
    return {key: row for key, row in values.items() if len(set(row.values())) > 1}


def _remarks(runs: Sequence[Run]) -> list[str]:
    remarks = []
    untested = [run.name for run in runs if not run.test]
    empty = [run.name for run in runs if run.test and not run.items]
    alike: list[list[Run]] = []
    for run in (run for run in runs if run.test):
        group = next((group for group in alike if measured_alike([*group, run])), None)
        if group is None:
            alike.append(group := [])
        group.append(run)
    if len(alike) > 1:
        parts = "; ".join(_some([run.name for run in group]) for group in alike[:12])
        parts += f"; and {len(alike) - 12:,} more kinds of test data" if len(alike) > 12 else ""
        remarks.append(
            "These runs were NOT measured on the same test data, and their figures say little about each other. "
            f"Measured on the same data were: {parts}"
        )
    if untested:
        remarks.append(f"Not tested: {_some(untested)}")
    if empty:
        remarks.append(f"Their tests have judged nothing, scores.csv is empty: {_some(empty)}")
    unfinished = [run.name for run in runs if run.training and not run.training.get("finished")]
    if unfinished:
        remarks.append(f"Their training has not reached its end: {_some(unfinished)}")
    commits = {run.training.get("commit") for run in runs if run.training}
    if len(commits) > 1:
        remarks.append("Not all were trained by the same commit of the program")
    return remarks


def _twice(group: Group) -> str:
    return (
        f"{group.name}: some of these runs have the same seed and the same settings, as copies have; "
        "their deviation is not one over seeds"
    )

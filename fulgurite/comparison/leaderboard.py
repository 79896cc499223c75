"""Runs that differ by their seed alone are one row; rows are ranked by the headline of their test."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import numpy as np

from callbacks.short_table import MOST
from datamodules.errors import InputError
from fulgurite.comparison.difference import Difference, difference, metrics_of
from fulgurite.comparison.run import Run, measured_alike


@dataclass(frozen=True)
class Group:
    """Runs of equal settings, each with another seed.

    Attributes:
        name: unique among the groups of a comparison.
        runs: at least one.
        metrics: by name mean and standard deviation over the runs (n - 1; 0 of a single one), of those with a value.
        differences: to the baseline, by the name of a metric.
    """

    name: str
    runs: Sequence[Run]
    metrics: Mapping[str, tuple[float, float]]
    differences: dict[str, Difference] = field(default_factory=dict)

    def mean(self, *path: str) -> float | None:
        """Return the mean of an entry of ``training.json``, None where no run has it."""
        values = [value for run in self.runs if (value := _entry(run.training, path)) is not None]
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
    tested = [run for run in runs if run.results]
    if not tested:
        untested = tested or runs
        raise InputError(
            f"{untested[0].name}: not tested, nor is any other run. First: lightning test --run {untested[0].folder}"
        )
    common = [name for name in metrics_of(tested[0]) if all(name in metrics_of(run) for run in tested)]
    if not common:
        systems = sorted({run.results["system"] for run in tested if run.results})
        raise InputError(f"the tests of {', '.join(systems)} have no metric in common: compare runs of one kind")
    assert tested[0].results is not None
    ranked_by = metric or tested[0].results.get("headline", common[0])
    if ranked_by not in common:
        raise InputError(f"--metric {ranked_by}: not every test has it. All have {', '.join(common)}")
    said = {name: one for run in tested if run.results for name, one in run.results.get("meanings", {}).items()}
    better = {name: said[name]["better"] if name in said else None for name in common}
    own = [name for name in common if name not in said or not said[name]["beside"]]
    matter = [name for name in tested[0].results.get("matter", ()) if name in own] or own[:MOST]
    shown = [ranked_by, *(name for name in matter if name != ranked_by)]
    groups = _groups(runs)
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
        remarks=_remarks(runs),
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
        alone = sum(run.folder.parent.name == part[0].folder.parent.name for run in runs) == len(part) > 1
        seeds = ", ".join(run.folder.name for run in part)
        name = part[0].folder.parent.name if alone else f"{part[0].folder.parent.name}/{seeds}"
        found.append(Group(name, part, metrics))
    return found


def _spread(values: Sequence[float]) -> tuple[float, float]:
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def _with(metric: str, runs: Sequence[Run]) -> list[Run]:
    return [run for run in runs if metric in metrics_of(run)]


def _find(groups: Sequence[Group], name: str) -> Group:
    for group in groups:
        if name == group.name or any(name in (run.name, str(run.folder), run.folder.name) for run in group.runs):
            return group
    raise InputError(f"--baseline {name}: no such run. There are {', '.join(group.name for group in groups)}")


def _differing(groups: Sequence[Group]) -> dict[str, dict[str, str | None]]:
    keys = dict.fromkeys(key for group in groups for key in group.runs[0].settings)
    values = {key: {group.name: group.runs[0].settings.get(key) for group in groups} for key in keys}
    return {key: row for key, row in values.items() if len(set(row.values())) > 1}


def _remarks(runs: Sequence[Run]) -> list[str]:
    remarks = []
    untested = [run.name for run in runs if not run.data]
    alike: list[list[Run]] = []
    for run in (run for run in runs if run.data):
        group = next((group for group in alike if measured_alike([*group, run])), None)
        if group is None:
            alike.append(group := [])
        group.append(run)
    if len(alike) > 1:
        parts = "; ".join(", ".join(run.name for run in group) for group in alike)
        remarks.append(
            "These runs were NOT measured on the same test data, and their figures say little about each other. "
            f"Measured on the same data were: {parts}"
        )
    if untested:
        remarks.append(f"Not tested: {', '.join(untested)}")
    unfinished = [run.name for run in runs if run.training and not run.training.get("finished")]
    if unfinished:
        remarks.append(f"Their training has not reached its end: {', '.join(unfinished)}")
    commits = {run.training.get("commit") for run in runs if run.training}
    if len(commits) > 1:
        remarks.append("Not all were trained by the same commit of the program")
    return remarks


def _entry(record: Mapping[str, Any], path: Sequence[str]) -> float | None:
    found: Any = record
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return float(found) if isinstance(found, int | float) else None

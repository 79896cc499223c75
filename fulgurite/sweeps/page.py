"""The page of a sweep: its best trial, its course, what mattered, every trial; one HTML file that needs no other."""

import shlex
from collections.abc import Sequence
from importlib.metadata import version

from fulgurite.pages.page import NOTHING, render
from fulgurite.pages.plots import Line, curves
from fulgurite.sweeps import plots
from fulgurite.sweeps.space import brief, short_names
from fulgurite.sweeps.study import FEWEST, Known, Study
from fulgurite.sweeps.trial import Trial

MOST_COURSES = 40
"""Trials whose validations are drawn; more could not be told apart."""


def sweep_page(study: Study, trials: Sequence[Trial], means: str, command: str) -> str:
    """Return the page.

    Args:
        study: what is known of the trials.
        trials: all, in their order.
        means: what the objective means, a clause; empty where nobody says.
        command: that searches.
    """
    space, known, best = study.space, study.trials(), study.best()
    shares = study.importances()
    keys = [one.key for one in space.parameters]
    valued = [one for one in known if one.value is not None]
    return render(
        "sweep.html",
        space=space,
        direction=study.direction,
        means=means,
        best=best,
        best_values=[(key, brief(value)) for key, value in best.values.items()] if best else [],
        tested_by=trials[best.number].tested_by if best else None,
        again=shlex.join(trials[best.number].again) if best else "",
        counts=[
            (state, sum(one.state == state for one in known)) for state in ("complete", "pruned", "failed", "running")
        ],
        history=plots.history(known, space.objective, study.direction) if valued else None,
        shares=plots.importances(shares) if shares else None,
        fewest=FEWEST,
        parallel=plots.parallel(known, space.parameters, space.objective, study.direction)
        if any(one.state in ("complete", "pruned") for one in valued)
        else None,
        courses=_courses(study, valued),
        names=short_names(keys),
        rows=[(one, [_cell(one, key) for key in keys]) for one in known],
        parameters=[(one.key, str(one)) for one in space.parameters],
        fixed=list(space.fixed.items()),
        command=command,
        release=version("fulgurite"),
    )


def _courses(study: Study, valued: Sequence[Known]) -> object:
    """Return the validations of the trials, of the best first; None where none has any."""
    sign = -1 if study.direction == "maximize" else 1
    order = sorted((one for one in valued if one.course), key=lambda one: sign * (one.value or 0.0))[:MOST_COURSES]
    lines = [
        Line(f"trial {one.number:03d}, {one.state}", list(one.course), list(one.course.values()), "dots")
        for one in order
    ]
    if not lines:
        return None
    figure = curves(lines, "validation", study.space.objective)
    last = max(max(one.course) for one in order)
    figure["layout"]["xaxis"] |= {"tick0": 1, "dtick": max(1, last // 10)}  # there is no half a validation
    return figure


def _cell(one: Known, key: str) -> str:
    return brief(one.values[key]) if key in one.values else NOTHING

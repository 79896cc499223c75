"""A comparison as one HTML page: the tables, the courses of the trainings and the ROC curves over each other."""

from collections.abc import Callable, Sequence

import numpy as np

from callbacks import auc
from fulgurite.comparison import tables
from fulgurite.comparison.leaderboard import Leaderboard
from fulgurite.comparison.run import Run
from fulgurite.pages import plots
from fulgurite.pages.logged import Panel, read_logged
from fulgurite.pages.page import render

MOST_LINES = 40
"""Runs whose curves are drawn; more could not be told apart."""
LOGGED, LOSSES = "metrics.csv", "/total"


def comparison_page(board: Leaderboard, runs: Sequence[Run], command: str) -> str:
    """Return the page.

    Args:
        board: of the runs.
        runs: those that were compared.
        command: that made it.
    """
    drawn = runs[:MOST_LINES]
    return render(
        "comparison.html",
        board=board,
        ranking=tables.ranking(board),
        costs=tables.costs(board),
        settings=tables.settings(board) if board.differing else [],
        differences=tables.differences(board),
        validations=_courses(drawn, lambda name: name == f"val/{board.ranked_by}"),
        losses=_courses(drawn, lambda name: name.startswith("train/") and name.endswith(LOSSES)),
        ranks=_rank_curves(drawn),
        left_out=len(runs) - len(drawn),
        count=len(runs),
        command=command,
    )


def _courses(runs: Sequence[Run], wanted: Callable[[str], bool]) -> list[Panel]:
    """Return a panel for each logged name that is wanted, with a line for each run."""
    lines: dict[str, list[plots.Line]] = {}
    for run in runs:
        for name, (batches, values) in read_logged(run.folder / LOGGED).items():
            if wanted(name):
                lines.setdefault(name, []).append(plots.Line(run.name, batches, values))
    caption = "A click on a name shows or hides its line."
    return [Panel(name, plots.curves(own, "batches"), caption) for name, own in lines.items()]


def _rank_curves(runs: Sequence[Run]) -> Panel | None:
    """Return the ROC curves of the scores of all rows that have a label; None where no table has both classes."""
    found = {}
    for run in runs:
        if {"score", "label"} <= run.items.keys():
            label, score = (np.array([float(one or "nan") for one in run.items[name]]) for name in ("label", "score"))
            rows = (label >= 0) & np.isfinite(score)
            curve = auc.rank_curve(score[rows], label[rows])
            if curve.undefined is None:
                found[run.name] = curve
    if not found:
        return None
    caption = (
        "Every labelled row of scores.csv; the area behind each name can differ from a metric that leaves some out."
    )
    return Panel("ROC", plots.roc(found, list(found)), caption)

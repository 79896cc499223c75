"""A leaderboard as tables: for the screen, and as CSV."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.table import Column, Table
from rich.text import Text

from callbacks.figures import duration, figure
from callbacks.results import write_rows
from callbacks.text import printable
from fulgurite.comparison.difference import Difference, metrics_of
from fulgurite.comparison.leaderboard import Group, Leaderboard
from fulgurite.comparison.run import Run

UNKNOWN = "–"
COST = {
    "weights": ("parameters", "total"),
    "step": ("step_seconds",),
    "memory": ("peak_memory_bytes",),
    "training": ("seconds",),
}
"""What a training costs, by its column: where it stands in ``training.json``."""
MOST_ROWS, MOST_COLUMNS = 40, 8
"""Of a table on the screen."""


def ranking(board: Leaderboard) -> list[list[str]]:
    """Return header and rows of the ranking: name, number of runs, each metric and its deviation."""
    best = {metric: board.best(metric) for metric in board.shown}
    rows = [["", "runs", *board.shown]]
    for group in board.groups:
        cells = [_spread(group, metric, group.name in best[metric]) for metric in board.shown]
        rows.append([group.name, str(len(group.runs)), *cells])
    return rows


def differences(board: Leaderboard) -> list[list[str]]:
    """Return header and rows of the differences to the baseline, a row for each group and metric; empty without one."""
    rows = [
        [group.name, metric, _signed(one.value), _interval(one), one.verdict(board.better.get(metric))]
        for group in board.groups
        for metric, one in group.differences.items()
    ]
    return [["", "metric", "difference", "95 % interval", ""], *rows] if board.baseline else []


def costs(board: Leaderboard) -> list[list[str]]:
    """Return header and rows of what each group cost: weights, time of a step, memory, time, commit."""
    rows = [["", *COST, "commit"]]
    for group in board.groups:
        weights, step, memory, seconds = (group.mean(*path) for path in COST.values())
        commits = sorted({str(run.training.get("commit") or UNKNOWN)[:9] for run in group.runs})
        rows.append(
            [
                group.name,
                UNKNOWN if weights is None else f"{weights:,.0f}",
                UNKNOWN if step is None else f"{1000 * step:,.0f} ms",
                UNKNOWN if memory is None else f"{memory / 1e9:.2f} GB",
                UNKNOWN if seconds is None else duration(seconds),
                ", ".join(commits),
            ]
        )
    return rows


def settings(board: Leaderboard) -> list[list[str]]:
    """Return header and rows of the settings that differ."""
    names = [group.name for group in board.groups]
    rows = [[key, *(row[name] or UNKNOWN for name in names)] for key, row in board.differing.items()]
    return [["", *names], *rows]


def on_screen(rows: Sequence[Sequence[str]], title: str) -> Table:
    """Return rows, the first a header, for the screen; it says how many it leaves out where there are too many."""
    columns = [Column(Text(printable(name)), overflow="fold") for name in rows[0][:MOST_COLUMNS]]
    table = Table(*columns, title=Text(printable(title)), title_justify="left")
    for row in rows[1 : MOST_ROWS + 1]:
        table.add_row(*(Text(printable(cell)) for cell in row[:MOST_COLUMNS]))
    left = {"rows": len(rows) - 1 - MOST_ROWS, "columns": len(rows[0]) - MOST_COLUMNS}
    if said := " and ".join(f"{count:,} more {name}" for name, count in left.items() if count > 0):
        table.caption = f"{said}: in the page and the CSV files"
    return table


def write_tables(folder: Path, board: Leaderboard, runs: Sequence[Run]) -> list[Path]:
    """Write ``leaderboard.csv``, a row a group, and ``runs.csv``, a row a run, and return their paths."""
    names = list(dict.fromkeys(name for group in board.groups for name in sorted(group.metrics)))
    header = ["name", "runs", *(f"{name}{end}" for name in names for end in ("", "_std"))]
    apart = [name for name in board.shown if board.baseline]
    header += [f"{name}_difference{end}" for name in apart for end in ("", "_low", "_high")]
    write_rows(
        folder / "leaderboard.csv",
        header,
        ([*_numbers(group, names), *_apart(group, apart)] for group in board.groups),
    )
    keys = list(board.differing)
    write_rows(
        folder / "runs.csv",
        ["name", "seed", "data", *names, *COST, "commit", *keys],
        (
            [
                run.name,
                run.seed,
                run.data,
                *(metrics_of(run).get(name) for name in names),
                *(run.figure(*path) for path in COST.values()),
                run.training.get("commit"),
                *(run.settings.get(key) for key in keys),
            ]
            for run in runs
        ),
    )
    return [folder / "leaderboard.csv", folder / "runs.csv"]


def _spread(group: Group, metric: str, best: bool) -> str:
    if metric not in group.metrics:
        return UNKNOWN
    mean, deviation = group.metrics[metric]
    spread = "" if deviation is None else f" ± {figure(deviation)}"
    return f"{figure(mean)}{spread}{' *' if best else ''}"


def _signed(value: float) -> str:
    return f"{'+' if value >= 0 else '-'}{figure(abs(value))}"


def _interval(one: Difference) -> str:
    return UNKNOWN if one.low is None or one.high is None else f"{_signed(one.low)} to {_signed(one.high)}"


def _numbers(group: Group, names: Sequence[str]) -> list[Any]:
    known = (group.metrics.get(name, (None, None)) for name in names)
    return [group.name, len(group.runs), *(value for pair in known for value in pair)]


def _apart(group: Group, names: Sequence[str]) -> Iterator[float | None]:
    for name in names:
        one = group.differences.get(name)
        yield from (one.value, one.low, one.high) if one else (None, None, None)

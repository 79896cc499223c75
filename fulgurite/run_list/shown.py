"""The list of runs: as a table, or as JSON for scripts."""

import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Column, Table

from fulgurite.run_list.listed import Listed
from fulgurite.run_list.state import STATES

UNKNOWN = "–"
WIDE = 160  # letters of a line where no terminal says how many there are
ORDERS: dict[str, Callable[[Listed], Any]] = {
    "age": lambda run: (-run.began, run.folder),
    "name": lambda run: run.folder,
    "size": lambda run: (-run.size, run.folder),
    "best": lambda run: (run.experiment, run.best is None, run.monitor or "", worth(run), run.folder),
}
"""What ``--sort`` takes: the newest first, by name, the largest first, in each experiment the best first."""


def worth(run: Listed) -> float:
    """Return a number that is less for a better run of the same monitor."""
    return 0.0 if run.best is None else run.best if run.mode == "min" else -run.best


def print_table(runs: Sequence[Listed], title: str = "") -> None:
    """Print runs and, below them, how many there are in which state and how much they hold."""
    console = Console(markup=False, emoji=False, highlight=False, width=None if sys.stdout.isatty() else WIDE)
    names = ["experiment", "run", "state", "best", "age"]
    columns = [Column(name, overflow="fold") for name in names] + [Column("size", justify="right", no_wrap=True)]
    with_reasons = any(run.reason for run in runs)
    table = Table(*columns, *([Column("why", overflow="fold")] if with_reasons else []), title=title or None)
    now = time.time()
    for run in runs:
        name = printable(run.name) + (" (latest)" if run.is_latest else "")
        cells = [printable(run.experiment), name, run.state, _best(run), age(now - run.began), size(run.size)]
        table.add_row(*cells, *([printable(run.reason)] if with_reasons else []))
    console.print(table)
    console.print(summary(runs))


def summary(runs: Sequence[Listed]) -> str:
    """Return how many runs there are, how much they hold, and how many are in which state."""
    count = Counter(run.state for run in runs)
    states = ", ".join(f"{count[state]:,} {state}" for state in STATES if count[state])
    return f"{len(runs):,} run{'s' * (len(runs) != 1)}, {size(sum(run.size for run in runs))}: {states}"


def as_json(run: Listed) -> dict[str, Any]:
    """Return a run as an object of JSON."""
    return {
        "experiment": run.experiment,
        "name": run.name,
        "folder": str(run.folder),
        "state": run.state,
        "reason": run.reason or None,
        "monitor": run.monitor,
        "mode": run.mode,
        "best_value": run.best,
        "batches": run.batches,
        "began": datetime.fromtimestamp(run.began, UTC).isoformat(timespec="seconds"),
        "size_bytes": run.size,
        "is_latest": run.is_latest,
    }


def size(count: float) -> str:
    """Return a number of bytes: ``512 B``, ``1.5 MB``."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:,.1f} GB"


def age(seconds: float) -> str:
    """Return how long ago something was, in its largest unit: ``4 min``, ``3 h``, ``12 d``."""
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


def printable(text: str) -> str:
    """Escape what cannot be printed; see ``callbacks.text``, which takes seconds to import."""
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


def _best(run: Listed) -> str:
    return UNKNOWN if run.best is None else f"{run.best:.4g} {printable(run.monitor or '')}".rstrip()

"""A batch on the screen: a table that is redrawn in a terminal, and a line for every change without one."""

import os
import time
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table

from callbacks.figures import duration, figure, several
from callbacks.text import printable
from fulgurite.batches.pool import Work
from fulgurite.batches.state import DONE, TEST, training_of

MOST_ROWS = 40
"""Rows that are drawn at once: those that run or have failed first."""


class Screen:
    """Shows how far the runs of a batch have come.

    Args:
        works: its runs.
        slots: how many of them run at once.
    """

    def __init__(self, works: Sequence[Work], slots: int) -> None:
        self._works, self._slots = works, slots
        self._console = Console()
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._told: dict[str, str] = {}
        self._drawn = 0.0

    def __enter__(self) -> "Screen":
        """Begin to draw."""
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the last table on the screen."""
        if self._console.is_terminal:
            self._live.stop()
        self._console.print(self._table())

    def update(self) -> None:
        """Draw what has changed."""
        if not self._console.is_terminal:
            for work in self._works:
                name, state = _name(work), _state(work)
                if self._told.get(name, "waiting") != state and work.began is not None:
                    print(f"{printable(name)}: {state}", flush=True)
                self._told[name] = state
        elif time.monotonic() - self._drawn > 0.5:
            self._drawn = time.monotonic()
            self._live.update(self._table(), refresh=True)

    def _table(self) -> Table:
        table = Table("run", "state", "best so far", "time")
        order = sorted(self._works, key=lambda work: work.began is None or (work.is_over and work.failed is None))
        for work in order[:MOST_ROWS]:
            table.add_row(printable(_name(work)), _state(work), _best(training_of(work.task)), _time(work))
        hidden = len(self._works) - MOST_ROWS
        table.caption = _summary(self._works, self._slots) + (f"; {hidden} more rows" if hidden > 0 else "")
        return table


def _name(work: Work) -> str:
    return f"{work.task.experiment}/{work.task.name}"


def _state(work: Work) -> str:
    if work.failed is not None:
        return f"failed ({work.failed}): {os.path.relpath(work.task.log)}"
    if work.stage == DONE:
        return "was done" if work.was_done else "done"
    if work.began is None:
        return "waiting"
    if work.stage == TEST:
        return "testing"
    epochs = training_of(work.task).get("epochs")
    return f"training, {several(epochs, 'epoch')} done" if epochs else "training"


def _best(record: dict[str, Any]) -> str:
    value = record.get("best_value")
    return "" if value is None else f"{figure(value)} {record.get('monitor', '')}"


def _time(work: Work) -> str:
    if work.began is None:
        return ""
    return duration((work.ended or time.monotonic()) - work.began)


def _summary(works: Sequence[Work], slots: int) -> str:
    over = [work for work in works if work.is_over]
    failed = sum(work.failed is not None for work in works)
    text = f"{len(over)} of {several(len(works), 'run')} over" + (f", {failed} failed" if failed else "")
    took = [work.ended - work.began for work in over if work.began and work.ended]
    left = len(works) - len(over)
    if took and left:
        mean = sum(took) / len(took)
        running = sum(time.monotonic() - work.began for work in works if work.began and not work.is_over)
        text += f", about {duration(max(mean * left - running, 0) / slots)} left"
    return text

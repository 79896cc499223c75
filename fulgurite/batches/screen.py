"""A batch on the screen."""

import os
import time
from collections.abc import Iterator, Sequence
from typing import Any

from rich.table import Table

from callbacks.figures import duration, figure, several
from callbacks.text import printable
from fulgurite.batches.live_table import LiveTable
from fulgurite.batches.pool import Job, Work
from fulgurite.batches.state import DONE, TEST, training_of

MOST_ROWS = 40
"""Rows that are drawn at once: those that run or have failed first."""


class Screen(LiveTable):
    """Shows how far the runs of a batch have come.

    Args:
        works: its runs.
        slots: how many of them run at once.
    """

    def __init__(self, works: Sequence[Work], slots: int) -> None:
        super().__init__()
        self._works, self._slots = works, slots

    def states(self) -> Iterator[tuple[str, str]]:
        """Yield name and state of each run that has begun."""
        return ((_name(work), _state(work)) for work in self._works if work.began is not None)

    def table(self) -> Table:
        """Return the table as it is now."""
        table = Table("run", "state", "best so far", "time")
        order = sorted(self._works, key=lambda work: work.began is None or (work.is_over and work.failed is None))
        for work in order[:MOST_ROWS]:
            table.add_row(printable(_name(work)), _state(work), _best(training_of(work.task)), time_of(work))
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


def time_of(job: Job) -> str:
    """Return how long something has run, empty before it has begun."""
    return "" if job.began is None else duration((job.ended or time.monotonic()) - job.began)


def _summary(works: Sequence[Work], slots: int) -> str:
    over = [work for work in works if work.is_over]
    failed = sum(work.failed is not None for work in works)
    text = f"{len(over)} of {several(len(works), 'run')} over" + (f", {failed} failed" if failed else "")
    return text + time_left(works, len(works) - len(over), slots)


def time_left(jobs: Sequence[Job], left: int, slots: int) -> str:
    """Return how long it will take yet, behind a comma; empty where nothing tells.

    Args:
        jobs: those that have begun, and may have ended.
        left: how many are not over.
        slots: how many run at once.
    """
    took = [job.ended - job.began for job in jobs if job.began and job.ended]
    if not took or not left:
        return ""
    running = sum(time.monotonic() - job.began for job in jobs if job.began and not job.ended)
    mean = sum(took) / len(took)
    return f", about {duration(max(mean * left - running, 0) / slots)} left"

"""A batch on the screen."""

import os
import time
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from rich.table import Column, Table

from callbacks.figures import duration, figure, several
from callbacks.text import printable
from fulgurite.batches.engine import Engine
from fulgurite.batches.follow import Work
from fulgurite.batches.live_table import LiveTable
from fulgurite.batches.remaining import seconds_left
from fulgurite.batches.state import DONE, TEST, has_no_test, training_of


class Timed(Protocol):
    """What has a beginning and an end, None before it comes to that."""

    began: float | None
    ended: float | None


class Screen(LiveTable):
    """Shows how far the runs of a batch have come.

    Args:
        works: its runs.
        engine: does them.
    """

    def __init__(self, works: Sequence[Work], engine: Engine) -> None:
        super().__init__()
        self._works, self._engine = works, engine
        self._broken_off = False

    def __exit__(self, *problem: object) -> None:
        """Leave the last table on the screen, which tells what was broken off."""
        self._broken_off = any(problem) and not self._engine.outlives
        super().__exit__(*problem)

    def states(self) -> Iterator[tuple[str, str]]:
        """Yield name and state of each run that was taken on."""
        waiting = self._waiting
        shown = ((_name(work), self._state(work)) for work in self._works if work.state is not None)
        return ((name, state) for name, state in shown if state != waiting)

    def table(self, most: int, whole: bool) -> Table:
        """Return the table as it is now; those that run or have failed come first."""
        names = ("run", "state", "best so far", "time")
        table = Table(*(Column(name, overflow="fold") for name in names))  # no end of a name or a path is cut off
        order = sorted(self._works, key=lambda work: work.began is None or (work.is_over and work.failed is None))
        for work in order[:most]:
            table.add_row(printable(_name(work)), self._state(work), _best(training_of(work.task)), time_of(work))
        hidden = len(self._works) - most
        table.caption = self._summary() + (f"; {hidden} more rows" if hidden > 0 else "")
        return table

    def _state(self, work: Work) -> str:
        if work.failed is not None:
            return f"failed ({work.failed}): {os.path.relpath(self._engine.log(work.task))}"
        if work.stage == DONE:
            untested = ", nothing to test on" if has_no_test(work.task) else ""
            return ("was done" if work.was_done else "done") + untested
        says = f", {work.state.says}" if work.state and work.state.says else ""
        if work.state is None or work.state.place == "queued":
            return self._waiting + says
        if self._broken_off:
            return "broken off"
        if work.stage == TEST:
            return f"testing{says}"
        epochs = training_of(work.task).get("epochs")
        return ("training" + (f", {several(epochs, 'epoch')} done" if epochs else "")) + says

    @property
    def _waiting(self) -> str:
        return "queued" if self._engine.outlives else "waiting"

    def _summary(self) -> str:
        over = [work for work in self._works if work.is_over]
        failed = sum(work.failed is not None for work in over)
        text = f"{len(over)} of {several(len(self._works), 'run')} over" + (f", {failed} failed" if failed else "")
        if self._broken_off:
            return text
        running = [work for work in self._works if work.began is not None and not work.is_over]
        left = seconds_left(
            _took(self._works),
            [(work.task.experiment, time.monotonic() - (work.began or 0.0)) for work in running],
            [work.task.experiment for work in self._works if work.began is None and not work.is_over],
            self._engine.slots or max(len(running), 1),
        )
        return text + _in_words(left)


def _name(work: Work) -> str:
    return f"{work.task.experiment}/{work.task.name}"


def _took(works: Sequence[Work]) -> dict[str, list[float]]:
    """Return by experiment how long its runs have taken that were done here, failures left out."""
    took: dict[str, list[float]] = {}
    for work in works:
        if work.stage == DONE and work.began is not None and work.ended is not None:
            took.setdefault(work.task.experiment, []).append(work.ended - work.began)
    return took


def _best(record: dict[str, Any]) -> str:
    value = record.get("best_value")
    return "" if value is None else f"{figure(value)} {record.get('monitor', '')}"


def time_of(job: Timed) -> str:
    """Return how long something has run, empty before it has begun."""
    return "" if job.began is None else duration((job.ended or time.monotonic()) - job.began)


def time_left(jobs: Sequence[Timed], left: int, slots: int) -> str:
    """Return how long it will take yet, behind a comma; empty where nothing tells.

    Args:
        jobs: those that have begun, and may have ended.
        left: how many are not over.
        slots: how many run at once.
    """
    took = [job.ended - job.began for job in jobs if job.began is not None and job.ended is not None]
    now = time.monotonic()
    running = [("", now - job.began) for job in jobs if job.began is not None and job.ended is None]
    return _in_words(seconds_left({"": took}, running, [""] * max(left - len(running), 0), slots))


def _in_words(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f", about {duration(seconds)} left" if seconds >= 1 else ", nearly all done"

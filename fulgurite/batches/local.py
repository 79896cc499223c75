"""The engine of this machine: runs in processes of their own, one a device or some that share the cores."""

import time
from collections import deque
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from fulgurite.batches.command import ended_together
from fulgurite.batches.engine import State
from fulgurite.batches.plan import Task
from fulgurite.batches.pool import LOOK, Pool
from fulgurite.batches.slots import slots
from fulgurite.batches.state import commands_of, has_no_test


class Local:
    """Runs as many at once as there are devices, or as it is told; see :class:`fulgurite.batches.engine.Engine`.

    Args:
        jobs: runs at once; None for one a device, or a single one without.
    """

    outlives = False
    look = LOOK

    def __init__(self, jobs: int | None) -> None:
        places = slots(jobs)
        self.slots: int | None = len(places)
        self._waiting: deque[_Run] = deque()
        self._runs: list[_Run] = []
        self._pool = Pool(lambda: self._waiting.popleft() if self._waiting else None, places)
        self._held = ExitStack()

    def __enter__(self) -> "Local":
        """Hold what is begun from here on."""
        self._held.enter_context(ended_together(self._pool.running))
        return self

    def __exit__(self, *problem: object) -> None:
        """Where this process has to end, ask the others to write their checkpoints, and wait for them."""
        self._held.__exit__(*problem)  # type: ignore[arg-type]  # as it was given

    def submit(self, task: Task) -> None:
        """Let a run wait for its turn."""
        self._runs.append(_Run(task))
        self._waiting.append(self._runs[-1])

    def states(self) -> Mapping[Path, State]:
        """Go on with what has ended, begin what can begin, and return how far all are."""
        self._pool.step()
        return {run.task.run: run.state for run in self._runs}

    def cancel(self, task: Task) -> None:
        """Begin it no more, or ask it to end."""
        for run in self._runs:
            run.is_cancelled |= run.task.run == task.run

    def log(self, task: Task) -> Path:
        """Return the log of a run."""
        return task.log


class _Run:
    """A run as a job of the pool: what is left of its commands."""

    def __init__(self, task: Task) -> None:
        self.task, self.log = task, task.log
        self.began: float | None = None
        self.ended: float | None = None
        self.is_cancelled = False
        self._left: list[list[str]] | None = None
        self._status: int | None = None

    @property
    def state(self) -> State:
        """How far it has come."""
        if self._status is not None:
            return State("ended", status=self._status)
        return State("queued") if self.began is None else State("running", seconds=time.monotonic() - self.began)

    def words(self) -> list[str]:
        """Return the command that comes next."""
        if self._left is None:
            self._left = commands_of(self.task)
        return self._left.pop(0)

    def should_end(self) -> bool:
        """Whether it was cancelled."""
        return self.is_cancelled

    def note(self, status: int) -> bool:
        """Go on to the next command, or keep the status of the last."""
        if status or not self._left or has_no_test(self.task):
            self._status = status
        return self._status is not None

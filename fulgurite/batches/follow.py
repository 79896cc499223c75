"""All runs of a batch, done by an engine and followed; what fails is noted, and the others go on."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fulgurite.batches.engine import Engine, State
from fulgurite.batches.plan import Task
from fulgurite.batches.state import DONE, TEST, Stage, has_no_test, stage_of

SILENT = 30.0
"""Seconds after which a run that is gone, and has left no word of how it ended, counts as failed: a file of another
machine may be seen late."""


@dataclass
class Work:
    """What a batch does of one run.

    Attributes:
        task: the run.
        stage: what is done at present, or next.
        state: what the engine last said of it, None before it was taken on.
        began: when its first command was started, None before.
        ended: when its last one ended, None before.
        failed: status of the command that failed, in words where there is none; None without.
        was_done: whether nothing was left to do from the beginning.
    """

    task: Task
    stage: Stage
    state: State | None = None
    began: float | None = None
    ended: float | None = None
    failed: str | None = None
    was_done: bool = False

    @property
    def is_over(self) -> bool:
        """Whether nothing is done any more."""
        return self.stage == DONE or self.failed is not None


def follow(works: Sequence[Work], engine: Engine, changed: Callable[[], None]) -> None:
    """Do what is left of every run.

    What the engine knows of already, since an earlier command has handed it over, is followed, and not handed over
    again.

    Args:
        works: the runs, in the order in which they are begun.
        engine: does them.
        changed: called now and then, and whenever something has changed.
    """
    left = [work for work in works if not work.is_over]
    gone: dict[str, float] = {}
    with engine:
        known = engine.states() if left else {}
        for work in left:
            if work.task.run not in known:
                work.task.outcome.unlink(missing_ok=True)
                engine.submit(work.task)
                work.state = State("queued")
                changed()
        while left:
            states = engine.states()
            for work in left:
                _note(work, states[work.task.run], gone)
            left = [work for work in left if not work.is_over]
            changed()
            if left:
                time.sleep(engine.look)


def _note(work: Work, state: State, gone: dict[str, float]) -> None:
    """Take over what the engine says; ``gone`` keeps since when a run has been gone without a word."""
    now = time.monotonic()
    work.state = state
    if state.place == "running":
        work.began = now - state.seconds
        stage = stage_of(work.task)
        if stage != DONE:
            work.stage = stage
        elif not has_no_test(work.task):  # else its process is about to end
            work.stage = TEST
    elif state.place == "queued":
        work.began = None  # also of a job that has gone back into the queue
    if state.place != "ended":
        gone.pop(str(work.task.run), None)
        return
    if state.status is None and now - gone.setdefault(str(work.task.run), now) < SILENT:
        return
    work.ended = now
    if state.status == 0 or stage_of(work.task) == DONE:
        work.stage = DONE
    else:
        work.failed = "gone without a word" if state.status is None else str(state.status)

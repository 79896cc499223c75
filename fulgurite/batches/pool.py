"""Runs in processes of their own, some at once; what fails is noted, and the others go on."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fulgurite.batches.command import Command, ended_together
from fulgurite.batches.plan import Task
from fulgurite.batches.state import DONE, TEST, Stage, stage_of, words_of

LOOK = 0.2  # seconds between two looks at the processes


class Job(Protocol):
    """What is done in a slot: one command after the other, until it is over.

    Attributes:
        began: when its first command here was started, None before.
        ended: when its last one ended, None before.
    """

    began: float | None
    ended: float | None

    @property
    def log(self) -> Path:
        """The file that keeps what its commands say."""

    def words(self) -> list[str]:
        """Return the command that comes next, without ``lightning``."""

    def should_end(self) -> bool:
        """Whether the command that runs is to end where it can be continued; asked every now and then."""

    def note(self, status: int) -> bool:
        """Take note of how a command has ended, and return whether nothing more is to be done."""


@dataclass
class Work:
    """What a batch does of one run.

    Attributes:
        task: the run.
        stage: what is done at present, or next.
        began: when its first command here was started, None before.
        ended: when its last one ended, None before.
        failed: status of the command that failed, None without.
        was_done: whether nothing was left to do from the beginning.
    """

    task: Task
    stage: Stage
    began: float | None = None
    ended: float | None = None
    failed: int | None = None
    was_done: bool = False

    @property
    def is_over(self) -> bool:
        """Whether nothing is done any more."""
        return self.stage == DONE or self.failed is not None

    @property
    def log(self) -> Path:
        """The log of the run."""
        return self.task.log

    def words(self) -> list[str]:
        """Return the command of its stage."""
        return words_of(self.task, self.stage)

    def should_end(self) -> bool:
        """Never: every run of a batch is trained to its end."""
        return False

    def note(self, status: int) -> bool:
        """Go on to the next stage, or note the failure."""
        if status:
            self.failed = status
            return True
        before, self.stage = self.stage, stage_of(self.task)
        if before == TEST:  # of a model whose tests write no results, too
            self.stage = DONE
        elif self.stage == before:  # it ended well, and left nothing behind
            self.failed = status
        return self.is_over


def run_all(jobs: Iterable[Job], slots: Sequence[Mapping[str, str]], changed: Callable[[], None]) -> None:
    """Do what is left of every job, as many at once as there are slots.

    Args:
        jobs: in the order in which they are begun; the next one is asked for when a slot is free for it.
        slots: environment of a process in each slot, such as the device that it sees.
        changed: called now and then, and whenever something has changed.
    """
    free = list(range(len(slots)))
    busy: dict[int, Job] = {}
    running: dict[int, Command] = {}
    waiting = iter(jobs)

    def start(job: Job, slot: int) -> None:
        busy[slot], running[slot] = job, Command(job.words(), job.log, slots[slot])

    with ended_together(running):
        while True:
            while free and (job := next(waiting, None)) is not None:
                job.began = time.monotonic()
                start(job, free.pop(0))
                changed()
            if not running:
                return
            for slot, command in list(running.items()):
                job, status = busy[slot], command.status()
                if status is None:
                    if job.should_end():
                        command.ask_to_end()
                    continue
                del running[slot]
                if job.note(status):
                    job.ended = time.monotonic()
                    free.append(slot)
                else:
                    start(job, slot)
                changed()
            changed()
            time.sleep(LOOK)

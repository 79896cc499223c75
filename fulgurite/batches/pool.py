"""Runs in processes of their own, some at once; what fails is noted, and the others go on."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from fulgurite.batches.command import Command, ended_together

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


class Pool:
    """Does what is left of jobs, as many at once as there are slots, whenever it is called upon.

    Args:
        ask: returns the job that comes next, None where there is none at the moment; asked when a slot is free for it.
        slots: environment of a process in each slot, such as the device that it sees.

    Attributes:
        running: the commands that run, by slot.
    """

    def __init__(self, ask: Callable[[], Job | None], slots: Sequence[Mapping[str, str]]) -> None:
        self._ask, self._slots = ask, slots
        self._free = list(range(len(slots)))
        self._busy: dict[int, Job] = {}
        self.running: dict[int, Command] = {}

    def step(self) -> bool:
        """Begin what can begin, go on with what has ended, and return whether anything runs."""
        for slot, command in list(self.running.items()):
            job, status = self._busy[slot], command.status()
            if status is None:
                if job.should_end():
                    command.ask_to_end()
                continue
            del self.running[slot]
            if job.note(status):
                job.ended = time.monotonic()
                self._free.append(slot)
            else:
                self._start(job, slot)
        while self._free and (new := self._ask()) is not None:
            new.began = time.monotonic()
            self._start(new, self._free.pop(0))
        return bool(self.running)

    def _start(self, job: Job, slot: int) -> None:
        self._busy[slot], self.running[slot] = job, Command(job.words(), job.log, self._slots[slot])


def run_all(jobs: Iterable[Job], slots: Sequence[Mapping[str, str]], changed: Callable[[], None]) -> None:
    """Do what is left of every job.

    Args:
        jobs: in the order in which they are begun; the next one is asked for when a slot is free for it.
        slots: environment of a process in each slot.
        changed: called now and then, and whenever something has changed.
    """
    waiting = iter(jobs)
    pool = Pool(lambda: next(waiting, None), slots)
    with ended_together(pool.running):
        while pool.step():
            changed()
            time.sleep(LOOK)
        changed()

"""Runs of a batch in processes of their own, some at once; what fails is noted, and the others go on."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from fulgurite.batches.plan import Task
from fulgurite.batches.state import DONE, TEST, Stage, stage_of, words_of

PATIENCE = 120.0  # seconds in which a training that was asked to end writes its checkpoint
LOOK = 0.2  # seconds between two looks at the processes


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


def run_all(works: Sequence[Work], slots: Sequence[Mapping[str, str]], changed: Callable[[], None]) -> None:
    """Do what is left of every run, as many at once as there are slots.

    Args:
        works: the runs, in the order in which they are begun.
        slots: environment of a process in each slot, such as the device that it sees.
        changed: called now and then, and whenever something has changed.
    """
    free = list(range(len(slots)))
    running: dict[int, tuple[Work, _Command]] = {}
    waiting = [work for work in works if not work.is_over]
    with _ended_together(running):
        while waiting or running:
            while waiting and free:
                work, slot = waiting.pop(0), free.pop(0)
                work.began = time.monotonic()
                running[slot] = work, _Command(work, slots[slot])
                changed()
            for slot, (work, command) in list(running.items()):
                status = command.process.poll()
                if status is None:
                    continue
                command.log.close()
                del running[slot]
                _note(work, status)
                if work.is_over:
                    work.ended = time.monotonic()
                    free.append(slot)
                else:
                    running[slot] = work, _Command(work, slots[slot])
                changed()
            changed()
            time.sleep(LOOK)


def _note(work: Work, status: int) -> None:
    if status:
        work.failed = status
        return
    before, work.stage = work.stage, stage_of(work.task)
    if before == TEST:  # of a model whose tests write no results, too
        work.stage = DONE
    elif work.stage == before:  # it ended well, and left nothing behind
        work.failed = status


class _Command:
    """A command that runs, and the file that keeps what it says."""

    def __init__(self, work: Work, environment: Mapping[str, str]) -> None:
        work.task.log.parent.mkdir(parents=True, exist_ok=True)
        words = words_of(work.task, work.stage)
        self.log: BinaryIO = work.task.log.open("ab")
        self.log.write(f"$ lightning {' '.join(words)}\n".encode("utf-8", "surrogateescape"))
        self.log.flush()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "fulgurite", *words],
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
            start_new_session=True,  # Ctrl-C reaches this process alone, which then asks them to end
        )


@contextmanager
def _ended_together(running: Mapping[int, tuple[Work, _Command]]) -> Iterator[None]:
    """Where this process has to end, ask the others to write their checkpoints, and wait for them."""
    try:
        yield
    except BaseException:
        processes = [command.process for _, command in running.values()]
        for process in processes:
            process.send_signal(signal.SIGINT)
        deadline = time.monotonic() + PATIENCE
        try:
            for process in processes:
                process.wait(max(deadline - time.monotonic(), 0.1))
        finally:  # asked once more, or for too long
            for process in processes:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
            for _, command in running.values():
                command.log.close()
        raise

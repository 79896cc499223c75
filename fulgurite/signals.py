"""Ctrl-C and SIGTERM end a command with status 130 or 143; a training first reaches a place to go on from.

In a job of SLURM so does SIGUSR1, which announces that its time is nearly up; the job then goes back into the queue.
"""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from fulgurite.processes import rank, say
from fulgurite.slurm import requeue, slurm_name

NAMES = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM", signal.SIGUSR1: "SIGUSR1"}


class Interrupted(BaseException):
    """The command has been asked to end, and does; no handler of ordinary errors may stop it."""


class Signals:
    """What the process has been asked for.

    Attributes:
        received: The first signal that came, None before.
        patient: Whether a first signal is only noted, for the training to end at the next place it can go on from.
        remedy: How to go on, said at the end.
        promise: What becomes of a first signal that is only noted.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self.patient = False
        self.remedy = ""
        self.promise = "the run ends as soon as it can be continued"
        self._process = os.getpid()

    @contextmanager
    def caught(self) -> Iterator[None]:
        """Listen within the block, and turn :class:`Interrupted` into one line and an exit status."""
        if threading.current_thread() is not threading.main_thread():
            yield  # Python hands signals to the main thread alone
            return
        before = {number: signal.getsignal(number) for number in _heard()}
        self.__init__()  # type: ignore[misc]  # a new command in the same process
        self.listen()
        try:
            yield
        except Interrupted:
            number = self.received or signal.SIGTERM
            if rank() == 0:
                remedy = _put_back(self.remedy) if number == signal.SIGUSR1 else self.remedy
                say(f"interrupted by {NAMES[signal.Signals(number)]}. {remedy}".rstrip())
            raise SystemExit(128 + number) from None
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def listen(self) -> None:
        """Take the signals over, also from Lightning.

        It ends with status 0 and no checkpoint after SIGTERM, and writes one in the middle of a batch after SIGUSR1.
        """
        for number in _heard():
            signal.signal(number, self._handle)

    def end(self) -> NoReturn:
        """Leave whatever is going on."""
        self.patient = False
        raise Interrupted(NAMES[signal.Signals(self.received)] if self.received else "")

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._process:
            self._handle_in_fork(number)
        elif self.received is None and self.patient:
            self.received = number
            if rank() == 0:
                name = NAMES[signal.Signals(number)]
                line = f"{name}: {self.promise}; once more ends it at once\n"
                os.write(2, line.encode())  # print could be what the signal has interrupted
        else:
            self.received = self.received or number
            self.end()

    def _handle_in_fork(self, number: int) -> None:
        """Let the parent decide on Ctrl-C, which reaches its loader processes too; end when told to alone."""
        if number == signal.SIGTERM:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)


def _put_back(remedy: str) -> str:
    problem = requeue()
    if problem:
        return f"The job could not be put back into the queue ({problem}). {remedy}"
    return "The job is back in the queue and goes on by itself"


def _heard() -> list[signal.Signals]:
    """Return the signals that mean something here."""
    return [number for number in NAMES if number != signal.SIGUSR1 or slurm_name()]


SIGNALS = Signals()
"""Those of this process."""

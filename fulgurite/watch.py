"""Processes that train together end together, and say what was first.

One that fails leaves a word in the run folder before it ends. The others notice it at their next exchange, or a thread
of theirs does, which also looks for those that were killed, stopped or stand still, for which they would wait.
"""

import contextlib
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from subprocess import Popen
from types import FrameType
from typing import NamedTuple

from torch import distributed

from datamodules.atomic_file import write_text
from datamodules.errors import InputError
from fulgurite.errors import one_line
from fulgurite.private_api import end_at_once, frame_of_main_thread
from fulgurite.processes import rank, say
from fulgurite.refuse import BAD_INPUT
from fulgurite.signals import SIGNALS

STILL = 30
"""Seconds after which a process that does nothing at all is taken to hang."""
GRACE = 10.0
"""Seconds that a process has to notice by itself that another one has ended, and its last words to arrive."""
STARTED_BY = "FULGURITE_STARTED_BY"
"""Variable that tells the processes that Lightning starts from this one who that is."""
WORD = ".failed-"
"""Name of the files in the run folder, before the number of the process."""
WAITS = (
    "torch.distributed",
    "torch.autograd",
    "torch.utils.data",
    "concurrent",
    "multiprocessing",
    "subprocess",
    "wandb",
    "datamodules.one_at_a_time",
    "cmd",
)
"""Where to wait is no standstill: for other processes, loaders, threads that work, or for who sits at a debugger."""


class Cause(NamedTuple):
    """What ended first: a sentence, and the exit status of the command."""

    sentence: str
    status: int


class Watch(threading.Thread):
    """The thread, and what the main thread asks it.

    Args:
        run: Folder that all processes of the run see.
        children: Returns those that this process has started, in the order of their numbers from 1; none where a
            launcher starts all of them.
        note: Takes down in the run folder what has ended all, which nobody else can do where a process is ended at
            once; called in process 0 alone.
    """

    def __init__(
        self,
        run: Path,
        children: Callable[[], Sequence[Popen[bytes]]],
        note: Callable[[Path, str], None] = lambda run, cause: None,
    ) -> None:
        super().__init__(daemon=True, name="watch")
        self._run, self._children, self._note = run, children, note
        self._begun, self._done = time.time(), threading.Event()
        self._parent = os.getppid() if os.environ.get(STARTED_BY) == str(os.getppid()) else 0
        os.environ[STARTED_BY] = str(os.getpid())
        self._still: dict[int, int] = {}
        self._seen: object = None

    @contextlib.contextmanager
    def ended_together(self) -> Iterator[None]:
        """Watch within the block; after an error of this process tell the others, after one of theirs say it."""
        self.start()
        try:
            yield
        except Exception as problem:
            self._done.set()
            if not _is_of_another(problem):
                said = _said(problem)
                self._leave_word(Cause(f"process {rank()} has failed: {said.sentence}", said.status), rank())
                raise
            if SIGNALS.received is not None:
                SIGNALS.end()  # the other one has only been quicker to end
            cause = self._wait_for_cause()
            _say(cause.sentence)
            self._take_down(cause)
            raise SystemExit(cause.status) from None
        finally:
            self._done.set()

    def run(self) -> None:
        """Look once a second; end this process where its main thread does not notice that another has ended."""
        while not self._done.wait(1.0):
            self._look_at_stopped()
            self._look_at_myself()
            if self.cause() is not None and not self._done.wait(GRACE) and (cause := self.cause()):
                _say(cause.sentence)
                self._take_down(cause)
                for child in self._children():
                    child.kill()
                end_at_once(cause.status)

    def cause(self) -> Cause | None:
        """Return what ended first, None where all are well."""
        if words := sorted(self._words()):
            return words[0][1]
        for number, child in enumerate(self._children(), 1):
            code = child.poll()
            if code is not None and code < 0:
                name = signal.Signals(-code).name
                why = ", as the system does where memory is short" if code == -signal.SIGKILL else ""
                return Cause(f"process {number} was ended by {name}{why}", 1)
            if code:
                return Cause(f"process {number} has failed, and said why", code)
        if self._parent and os.getppid() != self._parent:
            return Cause("process 0 has ended without a word", 1)
        return None

    def _wait_for_cause(self) -> Cause:
        deadline = time.monotonic() + GRACE
        while time.monotonic() < deadline:
            if cause := self.cause():
                return cause
            time.sleep(0.1)
        return Cause("the connection to another process was lost, and none says why", 1)

    def _words(self) -> Iterator[tuple[float, Cause]]:
        for file in self._run.glob(f"{WORD}*"):
            with contextlib.suppress(FileNotFoundError):  # another process has removed an old one
                left = file.stat().st_mtime
                if left < self._begun:
                    file.unlink()
                elif file.name != f"{WORD}{rank()}":
                    yield left, Cause(*json.loads(file.read_text()))

    def _leave_word(self, cause: Cause, number: int) -> None:
        with contextlib.suppress(OSError, InputError):  # the folder is gone, or full: perhaps that is the failure
            write_text(self._run / f"{WORD}{number}", json.dumps(cause))

    def _take_down(self, cause: Cause) -> None:
        if rank() == 0:
            with contextlib.suppress(OSError, InputError):  # as above; it has been said, and this process ends now
                self._note(self._run, cause.sentence)

    def forget_words(self) -> None:
        """Remove what failed processes have left, once all have read it."""
        for file in self._run.glob(f"{WORD}*"):
            file.unlink(missing_ok=True)

    def _look_at_stopped(self) -> None:
        """End a process on this machine that somebody has stopped; nothing else ends it."""
        others = {number: child.pid for number, child in enumerate(self._children(), 1) if child.poll() is None}
        others |= {0: self._parent} if self._parent and os.getppid() == self._parent else {}
        for number, process in others.items():
            self._still[number] = self._still.get(number, 0) + 1 if _state(process) == "T" else 0
            if self._still[number] >= STILL:
                self._leave_word(Cause(f"process {number} was stopped, and not continued for {STILL} s", 1), number)
                os.kill(process, signal.SIGKILL)

    def _look_at_myself(self) -> None:
        """End this process where its main thread has done nothing for long, and waits for nobody."""
        frame = frame_of_main_thread()
        places = [(one.f_code, one.f_lasti) for one in _stack(frame)]
        seen = places, time.clock_gettime(time.pthread_getcpuclockid(threading.main_thread().ident or 0))
        idle = seen == self._seen and not _waits(frame) and _state(os.getpid()) != "D"
        self._seen = seen
        self._still[rank()] = self._still.get(rank(), 0) + 1 if idle else 0
        if self._still[rank()] >= STILL:
            place = f"{frame.f_code.co_filename}, line {frame.f_lineno}, {frame.f_code.co_name}"
            cause = Cause(f"process {rank()} has done nothing for {STILL} s ({place})", 1)
            self._leave_word(cause, rank())
            say(f"error: {cause.sentence}")
            self._take_down(cause)
            for child in self._children():
                child.kill()
            end_at_once(1)


def _say(sentence: str) -> None:
    say(f"error: {sentence}" if rank() == 0 else f"ends, since {sentence}")


def _said(problem: Exception) -> Cause:
    if isinstance(problem, InputError):
        return Cause(one_line(problem), BAD_INPUT)
    return Cause(f"{type(problem).__name__}: {one_line(problem)[:300]}", 1)


def _is_of_another(problem: Exception) -> bool:
    """Whether an error says no more than that another process does not answer."""
    lost = ("gloo", "NCCL", "Connection closed by peer", "Connection reset by peer", "Broken pipe")
    return isinstance(problem, distributed.DistError) or (
        isinstance(problem, RuntimeError) and any(word in str(problem) for word in lost)
    )


def _stack(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _waits(frame: FrameType) -> bool:
    names = (str(one.f_globals.get("__name__", "")) for one in [*_stack(frame)][:4])
    return any(name.startswith(WAITS) for name in names)


def _state(process: int) -> str:
    """Return the system's letter for what a process does, such as T for stopped; none where it does not tell."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""

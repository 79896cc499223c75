"""A command of ours in a process of its own, and the file that keeps what it says."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from callbacks.figures import several
from callbacks.text import printable
from fulgurite.processes import say

PATIENCE = 120.0  # seconds in which a training that was asked to end writes its checkpoint
PROGRAM = (sys.executable, "-m", "fulgurite")


def begin(words: Sequence[str], log: Path | None, **how: Any) -> "subprocess.Popen[bytes]":
    """Start a command and return its process.

    Args:
        words: of it, without ``lightning``.
        log: what it says is added to this file, behind its own words; None: it says it where this process does.
        how: further arguments of ``subprocess.Popen``.
    """
    command = [*PROGRAM, *words]
    if log is None:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, **how)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as file:
        file.write(f"$ lightning {' '.join(words)}\n".encode("utf-8", "surrogateescape"))
        file.flush()
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, **how)


class Command:
    """A command that runs, which Ctrl-C does not reach: it is for this process to ask it to end.

    Args:
        words: of it, without ``lightning``.
        log: what it says is added to this file.
        environment: what its process has beside the environment of this one, such as the device that it sees.
    """

    def __init__(self, words: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
        self._asked = False
        self.process = begin(words, log, env={**os.environ, **environment}, start_new_session=True)

    def status(self) -> int | None:
        """Return how it has ended, None while it runs."""
        return self.process.poll()

    def ask_to_end(self) -> None:
        """Let it end where it can be continued; asked once more it would end at once, and so it is not."""
        if not self._asked:
            self._asked = True
            self.process.send_signal(signal.SIGINT)

    def end_at_once(self) -> None:
        """End it and all that it has started, if it still runs."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@contextmanager
def ended_together(running: Mapping[int, Command]) -> Iterator[None]:
    """Where this process has to end, ask the others to write their checkpoints, and wait for them.

    Args:
        running: those that run at the moment.
    """
    try:
        yield
    except BaseException:
        commands = list(running.values())
        if commands:
            say(f"waiting for {several(len(commands), 'run')} to write a checkpoint; once more ends without")
        for command in commands:
            command.ask_to_end()
        deadline = time.monotonic() + PATIENCE
        try:
            for command in commands:
                command.process.wait(max(deadline - time.monotonic(), 0.1))
        finally:  # asked once more, or for too long
            for command in commands:
                command.end_at_once()
        raise


def last_line(log: Path) -> str:
    """Return the last that was said, as a sentence for the screen."""
    text = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
    lines = [line for line in text.splitlines() if line.strip()]
    return printable(lines[-1].removeprefix("error: ")) if lines else "it said nothing"

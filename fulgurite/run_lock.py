"""One training at a time in a run folder: two would write into one metrics.csv and over each other's checkpoints."""

import fcntl
import os
import socket
import time
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import IO, ClassVar

from datamodules.errors import InputError
from fulgurite.run_names import LOCK

TRIES = 3
"""How often a lock is tried: whoever lists the runs has it for a moment."""


class RunLock:
    """The right to train in a run folder; the system takes it back when the process ends, however it ends.

    The kind of lock is one that loader processes do not inherit: they may outlive a killed training for seconds.

    Args:
        run: the run folder.

    Attributes:
        file: its name in the folder.
        refusal: what is said where another process has it.
    """

    file: ClassVar[str] = LOCK
    refusal: ClassVar[str] = (
        "run.name: {run} is being trained by {owner}. Wait until it ends, or end it; for another run give another "
        "--run.name"
    )

    def __init__(self, run: Path) -> None:
        self._run = run
        self._held: IO[bytes] | None = None

    def acquire(self) -> None:
        """Take the lock; the file says who has it.

        Raises:
            InputError: if another process trains in the folder, with its name; if the folder cannot be written.
        """
        owner = f"process {os.getpid()} on {socket.gethostname()}, since {datetime.now():%Y-%m-%d %H:%M:%S}\n"
        with ExitStack() as opened:
            try:
                file = opened.enter_context((self._run / self.file).open("a+b", buffering=0))
                self._lock(file)
                file.truncate(0)
                file.write(owner.encode())
            except OSError as problem:
                raise InputError(f"run.root: cannot write into {self._run} ({problem.strerror})") from None
            self._held = file
            opened.pop_all()

    def _lock(self, file: IO[bytes]) -> None:
        for _ in range(TRIES - 1):
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(0.05)
            else:
                return
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            owner = file.read().decode().strip() or "another process"
            raise InputError(self.refusal.format(run=self._run, owner=owner)) from None

    def release(self) -> None:
        """Give the lock back, if it was taken."""
        if self._held:
            self._held.close()
            self._held = None

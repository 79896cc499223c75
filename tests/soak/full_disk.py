"""Lets the writing of a process fail from its n-th step on, as a disk that is full, worn out or read-only does.

What Python itself opens, makes or renames is counted and refused by an audit hook; what is written into files that are
open already, by whatever library, is cut by the system's own limit of the size of files.
"""

import errno
import fcntl
import os
import resource
import sys
from collections.abc import Callable, Sequence
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any

from tests.soak.trainings import finish, start

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_ROOM = 1 << 20  # bytes of a pipe for what a command says


class Fault(Enum):
    """What happens to a disk."""

    FULL = "full"  # nothing fits into a file, by the limit of the system
    CUT = "full after 700 bytes"  # the same, with a beginning of each file
    NO_INODE = "without room for new files"
    READ_ONLY = "read-only"
    WORN_OUT = "worn out"

    @property
    def reason(self) -> str:
        """What the system says of it."""
        return os.strerror(_ERRORS[self])


_ERRORS = {
    Fault.FULL: errno.EFBIG,
    Fault.CUT: errno.EFBIG,
    Fault.NO_INODE: errno.ENOSPC,
    Fault.READ_ONLY: errno.EROFS,
    Fault.WORN_OUT: errno.EIO,
}
_SIZES = {Fault.FULL: 0, Fault.CUT: 700}


def run_on(fault: Fault, step: int, folders: Sequence[Path], words: Sequence[str], log: Path, seconds: float) -> int:
    """Run a command whose writing fails from a step on, and return its status.

    Args:
        fault: what happens.
        step: at which opening for writing, making of a folder or renaming, from 1.
        folders: of the disk; what lies in no other is counted and refused.
        words: the command.
        log: file for what it says; it comes to it through a pipe, since nothing can be written into files.
        seconds: time after which it is killed.
    """
    reading, writing = os.pipe()
    fcntl.fcntl(reading, fcntl.F_SETPIPE_SZ, _ROOM)
    process = start(words, log, partial(_prepare, writing, partial(break_at, fault, step, folders)))
    os.close(writing)
    code = finish(process, seconds)
    with os.fdopen(reading, "rb") as said:
        log.write_bytes(said.read())
    return code


def _prepare(writing: int, breaking: Callable[[], None]) -> None:
    for output in (1, 2):
        os.dup2(writing, output)
    breaking()


def break_at(fault: Fault, step: int, folders: Sequence[Path]) -> None:
    """Let writing fail in this process from a step on; there is no way back.

    Args:
        fault: what happens.
        step: see :func:`run_on`.
        folders: likewise.
    """
    inside = tuple(f"{folder.resolve()}/" for folder in folders)
    left = step

    def hook(event: str, values: tuple[Any, ...]) -> None:
        nonlocal left
        path = _written(event, values)
        if path is None or not os.path.realpath(path).startswith(inside):
            return
        left -= 1
        if left == 0 and fault in _SIZES:
            resource.setrlimit(resource.RLIMIT_FSIZE, (_SIZES[fault], resource.RLIM_INFINITY))
        if left <= 0 and _fails(fault, event, path):
            code = _ERRORS[fault]
            raise OSError(code, os.strerror(code), str(path))

    sys.addaudithook(hook)


def _written(event: str, values: tuple[Any, ...]) -> str | None:
    """Return the path that an event changes, None where it changes none."""
    if event == "open":
        path, _, flags = values
        return os.fsdecode(path) if not isinstance(path, int | None) and flags & _WRITES else None
    if event in ("os.mkdir", "os.remove", "os.rmdir", "os.truncate"):
        return os.fsdecode(values[0])
    if event in ("os.rename", "os.symlink", "os.link"):
        return os.fsdecode(values[1])
    return None


def _fails(fault: Fault, event: str, path: str) -> bool:
    if event == "os.mkdir" and os.path.lexists(path):
        return False  # that it is there comes first
    if fault is Fault.NO_INODE:
        return event in ("open", "os.mkdir", "os.symlink", "os.link") and not os.path.lexists(path)
    return fault not in _SIZES

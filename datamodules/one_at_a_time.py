"""One builder at a time for what many want, in this process and in others on the machine."""

import errno
import fcntl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from weakref import WeakValueDictionary

_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}
_of_threads: WeakValueDictionary[Path, threading.Lock] = WeakValueDictionary()
_list = threading.Lock()


@contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Let one thread of one process into the block, while those that want the same ``path`` wait.

    The system takes the lock back when a process ends, however it ends, and loader processes do not inherit it. Where a
    file system has no locks, processes do not wait for each other: the block must be safe then too.

    Args:
        path: What is built; ``.lock-<name>`` lies beside it meanwhile.

    Raises:
        OSError: If the folder cannot be written.
    """
    with _list:
        own = _of_threads.setdefault(path, threading.Lock())
    file = path.with_name(f".lock-{path.name}")
    with own, file.open("a") as opened:
        while not _taken(opened):
            time.sleep(0.05)
        try:
            yield
        finally:
            file.unlink(missing_ok=True)  # whoever waits for it finds the work done


def _taken(opened: IO[str]) -> bool:
    """Try to take the lock, without waiting: a system that lets whole processes wait sees deadlocks among threads."""
    try:
        fcntl.lockf(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as problem:
        if problem.errno not in _NO_LOCKS:
            raise
    return True

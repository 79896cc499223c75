"""A process that ends when the one that has started it does, however that came about; nothing heavy is imported."""

import ctypes
import signal
import sys
from collections.abc import Callable

LIBC = ctypes.CDLL(None)
PARENT_DIES = 1
"""PR_SET_PDEATHSIG of Linux."""


def ended_with_parent(number: signal.Signals) -> Callable[[], None]:
    """Return what a new process calls first, to get a signal when its parent is gone; all signals reach it.

    Args:
        number: of the signal. Elsewhere than on Linux none is sent.
    """

    def prepare() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, ())  # Ray blocks Ctrl-C, which is inherited
        if sys.platform == "linux":
            LIBC.prctl(PARENT_DIES, number)

    return prepare

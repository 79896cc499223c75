"""What is said of files that are opened more than once: of each thing, once."""

import warnings
from collections.abc import Hashable

from lightning.pytorch.utilities import rank_zero_info

_said: set[Hashable] = set()  # the process's, as Python's own memory of warnings is


def warn_once(message: str, about: Hashable = None) -> None:
    """Warn, unless this process has warned about the same thing; None: in the same words."""
    if _is_new(message if about is None else about):
        warnings.warn(message, stacklevel=3)


def tell_once(message: str) -> None:
    """Say what is no warning, unless this process has said the same."""
    if _is_new(("told", message)):
        rank_zero_info(message)


def _is_new(key: Hashable) -> bool:
    if key in _said:
        return False
    _said.add(key)
    return True

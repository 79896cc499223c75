"""Warnings about files that are opened more than once: of each thing, one."""

import warnings
from collections.abc import Hashable

_said: set[Hashable] = set()  # the process's, as Python's own memory of warnings is


def warn_once(message: str, about: Hashable = None) -> None:
    """Warn, unless this process has warned about the same thing; None: in the same words."""
    key = message if about is None else about
    if key not in _said:
        _said.add(key)
        warnings.warn(message, stacklevel=3)

"""Checks that a number given to a system or a schedule lies in its range."""

import math

from datamodules.errors import InputError


def at_least_zero(name: str, value: float) -> float:
    """Return a number that is finite and at least 0.

    Raises:
        InputError: for any other.
    """
    if not (math.isfinite(value) and value >= 0):
        raise InputError(f"{name} is {value}: give a number of at least 0")
    return value


def above_zero(name: str, value: float) -> float:
    """Return a number that is finite and above 0.

    Raises:
        InputError: for any other.
    """
    if not (math.isfinite(value) and value > 0):
        raise InputError(f"{name} is {value}: give a number above 0")
    return value

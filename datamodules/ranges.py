"""Numbers in a configuration: within their range, or refused by name in one sentence."""

import math
from numbers import Integral, Real

from datamodules.errors import InputError

_SHOWN = 40  # characters of a value in a message


def check_range(key: str, value: object, low: float, high: float, why: str = "") -> None:
    """Make sure that a setting is a number from ``low`` to ``high``.

    Args:
        key: of the setting, such as ``data.batch_size``.
        value: what it was set to.
        low: least value; where both bounds are of type int, only whole numbers are accepted.
        high: greatest value.
        why: the reason of a bound that depends on another setting, for the message.

    Raises:
        InputError: if it is no number (also null, NaN and a truth value), or outside.
    """
    whole = isinstance(low, int) and isinstance(high, int)
    number = isinstance(value, Integral if whole else Real) and not isinstance(value, bool)
    if not (number and low <= value <= high):  # type: ignore[operator]  # NaN compares as false
        sort = " and whole" if whole else ""
        because = f": {why}" if why else ""
        raise InputError(f"{key}: is {_shown(value)}, must be from {_plain(low)} to {_plain(high)}{sort}{because}")


def at_least_zero(key: str, value: float) -> float:
    """Return a setting that is a finite number of at least 0.

    Raises:
        InputError: if it is anything else.
    """
    if not (_is_finite(value) and value >= 0):
        raise InputError(f"{key} is {_shown(value)}: give a number of at least 0")
    return value


def above_zero(key: str, value: float) -> float:
    """Return a setting that is a finite number above 0.

    Raises:
        InputError: if it is anything else.
    """
    if not (_is_finite(value) and value > 0):
        raise InputError(f"{key} is {_shown(value)}: give a number above 0")
    return value


def height_and_width(key: str, size: object, low: int, high: int) -> tuple[int, int]:
    """Return height and width of a setting that is one number for both, or two.

    Raises:
        InputError: if it is something else, or outside ``low`` to ``high`` pixels.
    """
    sides = tuple(size) if isinstance(size, list | tuple) else (size, size)
    if len(sides) != 2:
        raise InputError(f"{key}: is {_shown(size)}, must be one number, or height and width as [64, 96]")
    for side in sides:
        check_range(key, side, low, high)
    return sides


def _is_finite(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def _shown(value: object) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]  # as in YAML
    if isinstance(value, int) and abs(value) >= 10**_SHOWN:
        return f"a number of {int(math.log10(abs(value))) + 1} digits"
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def _plain(bound: float) -> str:
    return str(bound) if isinstance(bound, int) else f"{bound:.4g}"

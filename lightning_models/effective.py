"""Arguments that count in some combinations only, and are refused where they would change nothing.

Such an argument is None by default, so that one that somebody gave can be told from one that nobody touched. In a YAML
file or on the command line ``null`` takes back what a file below has given.
"""

from typing import TypeVar

from datamodules.errors import InputError

Value = TypeVar("Value")


def effective(name: str, given: Value | None, default: Value, counts: bool, needs: str, off: str = "null") -> Value:
    """Return what an argument was given, and its default where that is None.

    Args:
        name: of the argument.
        given: its value.
        default: its value where none is given.
        counts: whether it changes anything beside the other arguments.
        needs: argument and value without which it changes nothing, e.g. ``flow_backend flownet_sd``.
        off: how to write that it is not given.

    Raises:
        InputError: a value was given that would change nothing.
    """
    if given is None:
        return default
    if not counts:
        shown = str(given).lower() if isinstance(given, bool) else given
        raise InputError(
            f"model.{name} is {shown}, but changes nothing without model.{needs}: set that, or model.{name} to {off}"
        )
    return given

"""What a model and its data must agree on, compared before anything is decoded."""

from collections.abc import Mapping
from typing import Any

from datamodules.errors import InputError


def check_shared(shared: Mapping[str, str], arguments: Mapping[str, Any], data: object) -> None:
    """Refuse data that were made for another model.

    Args:
        shared: name of the data's argument by the name of the model's.
        arguments: of the model.
        data: data module, which keeps its arguments as attributes; one that has none of that name has other batches,
            which are checked one by one.

    Raises:
        InputError: naming both keys and both values.
    """
    for own, theirs in shared.items():
        if not hasattr(data, theirs):
            continue
        wanted, given = as_pair(arguments[own]), as_pair(getattr(data, theirs))
        if given == wanted:
            continue
        if isinstance(given, tuple) and given[0] != given[1] and not isinstance(arguments[own], list | tuple):
            remedy = f"its pictures are squares, give data.{theirs} one number"
        else:
            remedy = "give both the same; with the command one of them is enough"
        raise InputError(f"data.{theirs} is {_shown(given)}, but model.{own} is {_shown(wanted)}: {remedy}")


def as_pair(value: object) -> object:
    """Return height and width where a list or tuple of two gives them, or the number that stands for both."""
    if isinstance(value, list | tuple) and len(value) == 2:
        return value[0] if value[0] == value[1] else tuple(value)
    return value


def _shown(value: object) -> str:
    return "x".join(map(str, value)) if isinstance(value, tuple) else str(value)

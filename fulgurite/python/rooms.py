"""What every kind of data has in common where a loaded model works on it."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from lightning.pytorch import LightningModule

from datamodules.errors import InputError
from fulgurite.python.runner import Runner

Each = TypeVar("Each")


class Room:
    """What a model can be asked about one kind of data; a kind without a room has nothing to be asked.

    Args:
        runner: The model.
    """

    def __init__(self, runner: Runner) -> None:
        self.runner = runner

    def offered(self) -> list[str]:
        """Return the names of the methods that answer."""
        return []


def the_only(found: Sequence[Each], name_of: Callable[[Each], str], kind: str, instead: str) -> Each:
    """Return what is alone.

    Args:
        found: As many as there are, or the first two of them.
        name_of: Its name, for the message.
        kind: What it is, in the singular.
        instead: What to use for several.

    Raises:
        InputError: If there are several, or none.
    """
    if not found:
        raise InputError(f"no {kind} is given; give one")
    if len(found) > 1:
        some = ", ".join(name_of(one) for one in found[:2])
        raise InputError(
            f"several {kind}s are given ({some}{', ...' if len(found) > 2 else ''}), one is asked for; use {instead}"
        )
    return found[0]


def check_answer(module: LightningModule, answer: object, kind: type) -> None:
    """Refuse a model whose answers are not those of its room.

    Raises:
        InputError: If they are not.
    """
    if not isinstance(answer, kind):
        raise InputError(
            f"{type(module).__name__}: its predict_step answers {type(answer).__name__}, where {kind.__name__} of "
            "datamodules.batches is needed"
        )

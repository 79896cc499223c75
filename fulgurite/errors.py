"""How a verb ends when something is wrong: a sentence for what the user can put right, a traceback for our defects."""

from collections.abc import Iterator
from contextlib import contextmanager

from datamodules.errors import InputError
from fulgurite.processes import rank, say
from fulgurite.refuse import refuse
from fulgurite.signals import SIGNALS


@contextmanager
def readable_errors() -> Iterator[None]:
    """End the process with status 2 and one message after InputError.

    Every other exception passes through.
    """
    try:
        yield
    except InputError as problem:
        refuse(_sentence(problem))
    except RuntimeError as problem:
        if rank() > 0 and "Connection closed by peer" in str(problem):
            say("ends, since another process has failed")
            raise SystemExit(1) from None
        if SIGNALS.received is not None and "DataLoader worker" in str(problem):
            SIGNALS.end()  # whoever ended this process has ended its loaders too
        if not str(problem).startswith("Error(s) in loading state_dict"):
            raise
        detail = str(problem).splitlines()[1].strip()
        refuse(
            f"the configured model is not the one that the checkpoint holds ({detail}). Use the configuration "
            "that it was trained with: config.yaml in its run folder"
        )


def _sentence(problem: InputError) -> str:
    """Return the message alone: a data worker sends its traceback along, within the message."""
    return str(problem).rpartition("errors.InputError: ")[2].strip()

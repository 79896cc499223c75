"""How a verb ends when something is wrong: a sentence for what the user can put right, a traceback for our defects."""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from traceback import walk_tb

from lightning.fabric.utilities.exceptions import MisconfigurationException

from datamodules.atomic_file import BAD_DISK
from datamodules.errors import InputError
from fulgurite.refuse import refuse
from fulgurite.signals import SIGNALS


@contextmanager
def readable_errors() -> Iterator[None]:
    """End the process with status 2 and one message after InputError, or what Lightning says of a configuration.

    Every other exception passes through.
    """
    try:
        yield
    except InputError as problem:
        refuse(_sentence(problem))
    except MemoryError as problem:
        refuse(_larger_than_memory(problem))
    except OSError as problem:
        if problem.errno == errno.ENAMETOOLONG:
            refuse(f"{problem.filename}: a part of this path, or all of it, is too long; give a shorter one")
        if problem.errno not in BAD_DISK:
            raise
        what = problem.filename2 or problem.filename or "a file"
        refuse(f"{what} cannot be written: {problem.strerror}. Free some space, or name another folder")
    except (MisconfigurationException, ModuleNotFoundError) as problem:
        if not _raised_by_lightning(problem):
            raise
        refuse(one_line(problem))
    except RuntimeError as problem:
        if SIGNALS.received is not None and "DataLoader worker" in str(problem):
            SIGNALS.end()  # whoever ended this process has ended its loaders too
        if lacks_memory(problem):
            refuse(_larger_than_memory(problem))
        said = of_another_model(problem)
        if said is None:
            raise
        refuse(said)


def of_another_model(problem: RuntimeError) -> str | None:
    """Return the sentence for torch's error about a checkpoint whose tensors the model has not, None for any other."""
    if not str(problem).startswith("Error(s) in loading state_dict"):
        return None
    detail = str(problem).splitlines()[1].strip()
    return (
        f"the configured model is not the one that the checkpoint holds ({detail}). Use the configuration "
        "that it was trained with: config.yaml in its run folder"
    )


def lacks_memory(problem: BaseException) -> bool:
    """Whether an error says that something is larger than the memory; torch has no class of its own for it on a CPU."""
    said = ("allocate memory", "out of memory", "Storage size calculation overflowed")
    return isinstance(problem, MemoryError) or (
        isinstance(problem, RuntimeError) and any(s in str(problem) for s in said)
    )


def one_line(problem: BaseException) -> str:
    """Return what an error says, in one line without its full stop and without torch's place in its C++ code."""
    return " ".join(re.sub(r"^\[enforce fail at .*?\] .*?\. ", "", str(problem)).split()).removesuffix(".")


def _larger_than_memory(problem: BaseException) -> str:
    return (
        f"there is not enough memory ({one_line(problem)}). Give a smaller data.batch_size for training, a smaller "
        "data.eval_batch_size for all else, or a smaller model"
    )


def _raised_by_lightning(problem: BaseException) -> bool:
    """Return whether Lightning itself has looked and found something missing, or that does not fit together."""
    *_, (frame, _) = walk_tb(problem.__traceback__)
    return str(frame.f_globals.get("__name__", "")).partition(".")[0] in ("lightning", "lightning_utilities")


def _sentence(problem: InputError) -> str:
    """Return the message alone: a data worker sends its traceback along, within the message."""
    return str(problem).rpartition("errors.InputError: ")[2].strip()

"""How a verb ends when something is wrong: a sentence for what the user can put right, a traceback for our defects."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from datamodules.errors import InputError
from fulgurite.refuse import BAD_INPUT

INTERRUPTED = 130


@contextmanager
def readable_errors() -> Iterator[None]:
    """End the process with status 2 and one message after InputError, with 130 after Ctrl-C.

    Every other exception passes through.
    """
    try:
        yield
    except InputError as problem:
        _say(f"error: {_sentence(problem)}")
        raise SystemExit(BAD_INPUT) from None
    except RuntimeError as problem:
        if _rank() > 0 and "Connection closed by peer" in str(problem):
            _say("ends, since another process has failed")
            raise SystemExit(1) from None
        if not str(problem).startswith("Error(s) in loading state_dict"):
            raise
        detail = str(problem).splitlines()[1].strip()
        _say(
            f"error: the configured model is not the one that the checkpoint holds ({detail}). Use the configuration "
            "that it was trained with: config.yaml in its run folder"
        )
        raise SystemExit(BAD_INPUT) from None
    except KeyboardInterrupt:
        _say_interrupted()
        raise SystemExit(INTERRUPTED) from None
    except SystemExit as end:
        if isinstance(end.__context__, KeyboardInterrupt):  # Lightning has tidied up and exits with 1
            _say_interrupted()
            raise SystemExit(INTERRUPTED) from None
        raise


def _sentence(problem: InputError) -> str:
    """Return the message alone: a data worker sends its traceback along, within the message."""
    return str(problem).rpartition("errors.InputError: ")[2].strip()


def _say(message: str) -> None:
    rank = _rank()
    print(message if rank == 0 else f"[process {rank}] {message}", file=sys.stderr, flush=True)


def _rank() -> int:
    return int(os.environ.get("RANK", os.environ.get("LOCAL_RANK", 0)))


def _say_interrupted() -> None:
    if _rank() == 0:
        _say("interrupted. The run goes on from its last checkpoint with --ckpt_path last")

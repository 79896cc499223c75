"""The one error for input that cannot be used, and what becomes of a run when a file is to blame."""

import warnings
from typing import Literal

BadFile = Literal["error", "skip"]
"""Whether a file that cannot be used ends the run, or is left out with a warning."""


class InputError(ValueError):
    """What the user gave cannot be used.

    The message names the thing, its value and the remedy. The command prints it without a traceback and exits
    with status 2; any other exception is a defect of ours and keeps its traceback.
    """


def refuse_several(processes: int, what: str) -> None:
    """Raise ``InputError`` where several processes share what one has to do.

    Args:
        processes: their number.
        what: what cannot be shared, e.g. ``"ClipPredictions works"``; what is said goes on with "in one process".
    """
    if processes > 1:
        raise InputError(f"{what} in one process, not in {processes}; give --trainer.devices 1 --trainer.num_nodes 1")


def refuse_or_warn(message: object, on_bad_file: BadFile, kind: str) -> None:
    """Say that a file cannot be used: with an error, or with a warning where such files are left out.

    Args:
        message: which file, and why.
        on_bad_file: what is to become of the run.
        kind: what such files are called, e.g. ``"clips"``.

    Raises:
        InputError: with the message, unless ``on_bad_file`` is ``skip``.
    """
    if on_bad_file == "error":
        raise InputError(f"{message}\n(data.on_bad_file: skip leaves such {kind} out)")
    warnings.warn(f"left out: {message}", stacklevel=3)

"""The one error for input that cannot be used."""

from typing import Literal

BadFile = Literal["error", "skip"]
"""Whether a file that cannot be used ends the run, or is left out with a warning."""


class InputError(ValueError):
    """What the user gave cannot be used.

    The message names the thing, its value and the remedy. The command prints it without a traceback and exits
    with status 2; any other exception is a defect of ours and keeps its traceback.
    """

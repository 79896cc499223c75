"""How a verb ends before anything heavy is imported: one sentence, and status 2."""

from typing import NoReturn

from fulgurite.processes import say

BAD_INPUT = 2
"""Exit status of everything the user can put right: a typo, a missing file, a wrong value."""


def refuse(sentence: str) -> NoReturn:
    """Print ``sentence`` as an error and end the process.

    Raises:
        SystemExit: Always, with status 2.
    """
    say(f"error: {sentence}")
    raise SystemExit(BAD_INPUT)

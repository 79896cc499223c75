"""What a verb says before anything heavy is imported, and how it ends there."""

import os
import re
import sys
from typing import NoReturn

from fulgurite.processes import say

BAD_INPUT = 2
"""Exit status of everything the user can put right: a typo, a missing file, a wrong value."""
LONG_WORD = re.compile(r"\S{400,}")


def refuse(sentence: str) -> NoReturn:
    """Print ``sentence`` as an error and end the process.

    Raises:
        SystemExit: Always, with status 2.
    """
    say(f"error: {LONG_WORD.sub(lambda word: shortened(word[0]), sentence)}")
    raise SystemExit(BAD_INPUT)


def shortened(text: str, most: int = 300) -> str:
    """Return a text as it is shown: of a long one both ends."""
    return text if len(text) <= most else f"{text[: most - 100]}…{text[-100:]} ({len(text)} characters)"


def show(text: str) -> None:
    """Print ``text``; end quietly where nobody reads on, as in ``lightning experiments | head``.

    Raises:
        SystemExit: With the status of a process that SIGPIPE has ended.
    """
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes once more at its end
        raise SystemExit(141) from None

"""The words of a command line, walked in one way by all who look for an option before jsonargparse does."""

from collections import deque
from collections.abc import Iterator, Sequence


def options(words: Sequence[str]) -> Iterator[tuple[str, str, list[str]]]:
    """Yield every word with its value, empty where it has none, and the words that it is made of.

    ``--key value`` and ``--key=value`` are one option. A word behind an option is its value unless it begins with
    ``--``, so that a number below zero is one.
    """
    left = deque(words)
    while left:
        used = [left.popleft()]
        option, equals, value = used[0].partition("=")
        if option.startswith("-") and not equals and left and not left[0].startswith("--"):
            used.append(value := left.popleft())
        yield option, value, used

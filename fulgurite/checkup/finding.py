"""One thing that was looked at, and what is wrong with it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """What was found.

    Attributes:
        what: was looked at, in a word or two.
        says: what it is.
        problem: what is wrong with it and how it is put right, without a full stop; empty where all is well.
    """

    what: str
    says: str
    problem: str = ""

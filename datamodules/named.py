"""What is known by a name, and can be divided by it."""

from typing import Protocol, TypeVar


class Named(Protocol):
    """Anything with a name."""

    @property
    def name(self) -> str:
        """Unique within its split."""


NamedT = TypeVar("NamedT", bound=Named)

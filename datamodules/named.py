"""What is known by a name, and can be divided by it."""

from pathlib import Path
from typing import Protocol, TypeVar


class Named(Protocol):
    """Anything with a name."""

    @property
    def name(self) -> str:
        """Unique within its split."""


NamedT = TypeVar("NamedT", bound=Named)


def source_name(path: Path) -> str:
    """Return what a source is called: a folder by its name, a file without its ending; never ``.`` or ``..``.

    The path is resolved first: a folder given as ``.`` has its own name too.
    """
    path = path.expanduser().resolve()
    name = path.name if path.is_dir() else path.stem
    return name if name.strip(".") else path.name.replace(".", "_") or "root"

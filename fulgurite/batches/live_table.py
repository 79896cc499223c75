"""A table of what runs, redrawn in a terminal; without one a line for every change."""

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator

from rich.console import Console
from rich.constrain import Constrain
from rich.live import Live
from rich.table import Table

from callbacks.text import printable

MOST_ROWS = 40
"""Rows of the last table."""
AROUND = 6
"""Lines of a table that are no rows, and one for what is typed."""


class LiveTable(ABC):
    """Shows how far several runs have come, until its block ends; the last table stays on the screen."""

    def __init__(self) -> None:
        self._console = Console()
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._told: dict[str, str] = {}
        self._drawn = 0.0

    def __enter__(self) -> "LiveTable":
        """Begin to draw."""
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the last table on the screen."""
        if self._console.is_terminal:
            self._live.stop()
        self._console.print(self.table(MOST_ROWS, whole=True))

    def update(self) -> None:
        """Draw what has changed."""
        if not self._console.is_terminal:
            for name, state in self.states():
                if self._told.get(name) != state:
                    print(f"{printable(name)}: {state}", flush=True)
                self._told[name] = state
        elif time.monotonic() - self._drawn > 0.5:
            self._drawn = time.monotonic()
            table = self.table(max(self._console.height - AROUND, 1), whole=False)
            # the terminal writes ^C behind it, and would begin a line for that which nobody takes away
            self._live.update(Constrain(table, self._console.width - 2), refresh=True)

    @abstractmethod
    def table(self, most: int, whole: bool) -> Table:
        """Return the table as it is now.

        Args:
            most: rows that there is room for.
            whole: whether a row may take several lines.
        """

    @abstractmethod
    def states(self) -> Iterator[tuple[str, str]]:
        """Yield name and state of each run that has begun."""

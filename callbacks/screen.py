"""Where tables are printed."""

from rich.console import Console


def plain_console() -> Console:
    """Return the screen, on which a text is what it says: names may hold ``[...]`` and ``:...:``, which rich reads."""
    return Console(markup=False, emoji=False, highlight=False)

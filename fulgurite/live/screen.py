"""What a watch shows in a terminal: one line that is drawn anew; without a terminal a line now and then."""

import time
from typing import Any

from rich.live import Live
from rich.text import Text

from callbacks.figures import clock, figure, several
from callbacks.screen import plain_console
from callbacks.text import printable

EVERY, EVERY_PLAIN = 0.25, 10.0
"""Seconds between two lines, with and without a terminal."""
RATE_OVER = 1.0  # seconds that the rate of frames is of


class Screen:
    """Shows how a watch goes, and what happens above it.

    Args:
        source: what is watched.
        threshold: raw score above which an event begins.
    """

    def __init__(self, source: str, threshold: float) -> None:
        self._source, self._threshold = printable(source), threshold
        self._console = plain_console()
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._began = self._drawn = self._counted = time.monotonic()
        self._frames = 0
        self.fps = 0.0

    def __enter__(self) -> "Screen":
        """Begin to draw."""
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Take the line away."""
        if self._console.is_terminal:
            self._live.stop()

    def tell(self, sentence: str) -> None:
        """Print a sentence, from any thread."""
        self._console.print(printable(sentence), soft_wrap=True)

    def update(
        self, score: float | None, rings: bool, frames: int, dropped: int, events: int, behind: float | None
    ) -> None:
        """Draw the line, if it is time.

        Args:
            score: newest that is final; None before there is one.
            rings: whether an event goes on.
            frames: how many were scored.
            dropped: how many were left out.
            events: how many there were.
            behind: seconds between the newest frame with a score and now; None where it comes from a file.
        """
        now = time.monotonic()
        if now - self._counted >= RATE_OVER or (frames and not self.fps):
            self.fps = (frames - self._frames) / max(now - self._counted, 1e-3)
            self._counted, self._frames = now, frames
        if now - self._drawn < (EVERY if self._console.is_terminal else EVERY_PLAIN):
            return
        self._drawn = now
        line: Any = Text(no_wrap=True, overflow="ellipsis")  # one line, whose end is the least
        line.append(f"{clock(now - self._began)}  ")
        shown = "waiting for frames" if score is None else f"score {figure(score)}, threshold {figure(self._threshold)}"
        line.append(shown, "bold")
        line.append("  ALARM" if rings else "  normal", "bold white on red" if rings else "green")
        line.append(f"  {self.fps:.1f} frames/s, {dropped:,} dropped, {several(events, 'event')}")
        line.append("" if behind is None else f", {behind:.1f} s behind")
        line.append(f"  {self._source}")
        if self._console.is_terminal:
            self._live.update(line, refresh=True)
        else:
            self._console.print(line, soft_wrap=True)

"""The command that is run for every alarm: without a shell, beside the watch, few at once."""

import re
import shlex
import shutil
import subprocess
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from datamodules.errors import InputError

PLACEHOLDERS = ("clip", "event", "start", "score", "threshold")
MOST = 4
"""Commands that run at once."""


class AlarmCommand:
    """Runs a command for an alarm.

    It is divided into words once, as a shell would, and a value takes the place of its name within a word: whatever it
    holds, it stays in its word, and no shell reads it. What a command prints goes to a file.

    Args:
        text: the command, with ``{clip}`` and the like; see ``PLACEHOLDERS``.
        log: file for what commands print.
        tell: gets a sentence where a command fails, or cannot be run.

    Attributes:
        failed: how many failed, or could not be run.

    Raises:
        InputError: if it cannot be divided, names something else in braces, or its program is not there.
    """

    def __init__(self, text: str, log: Path, tell: Callable[[str], None]) -> None:
        self.failed = 0
        self._words, self._log, self._tell = words_of(text), log, tell
        self._running: list[threading.Thread] = []

    def run(self, values: Mapping[str, str]) -> None:
        """Run it, unless as many as may run at once do."""
        self._running = [one for one in self._running if one.is_alive()]
        if len(self._running) >= MOST:
            self._fail(f"--on-alarm was not run for event {values['event']}: {MOST} earlier ones still run")
            return
        words = [re.sub(r"\{(\w+)\}", lambda name: values[name[1]], word) for word in self._words]
        thread = threading.Thread(target=self._run, args=(words, values["event"]), daemon=True)
        self._running.append(thread)
        thread.start()

    def wait(self, seconds: float) -> None:
        """Wait until all are through, at most so long each; what still runs then goes on without us."""
        for thread in self._running:
            thread.join(seconds)
        if left := sum(thread.is_alive() for thread in self._running):
            self._tell(f"--on-alarm: {left} still running, and left to themselves")

    def _run(self, words: list[str], event: str) -> None:
        try:
            with self._log.open("ab") as log:
                # a session of its own, so that Ctrl-C ends the watch and not the command
                done = subprocess.run(
                    words, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
                )
        except OSError as problem:
            self._fail(f"--on-alarm could not be run for event {event}: {problem.strerror}")
            return
        if done.returncode:
            self._fail(f"--on-alarm failed for event {event} with status {done.returncode}; it said: {self._log}")

    def _fail(self, sentence: str) -> None:
        self.failed += 1
        self._tell(sentence)


def words_of(text: str) -> list[str]:
    """Return the words of a command.

    Raises:
        InputError: if they cannot be run.
    """
    try:
        words = shlex.split(text)
    except ValueError as problem:
        raise InputError(f"--on-alarm {text}: {problem}; close what is quoted") from None
    if unknown := [name for name in re.findall(r"\{(\w+)\}", text) if name not in PLACEHOLDERS]:
        known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
        raise InputError(f"--on-alarm {text}: {{{unknown[0]}}} is not known; there are {known}")
    if not words or shutil.which(words[0]) is None:
        raise InputError(f"--on-alarm {text}: there is no program {words[0] if words else ''!r}; give one on PATH")
    return words

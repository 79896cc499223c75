"""A command that Ctrl-C ends once something is saved."""

import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path


def interrupted(words: Sequence[str], saved: Path) -> str:
    """Start a command, interrupt it as soon as a file is there, and return what it said as it ended with status 130.

    Args:
        words: the command.
        saved: the file.
    """
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 120
        while not saved.is_file():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline, "it has saved nothing yet"
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=120)
    finally:
        process.kill()  # where something failed
    assert process.returncode == 130
    return said

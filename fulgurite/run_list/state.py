"""How a run stands, as told by what is on the disk: by its lock, and by what its training has written of its end."""

import fcntl
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from fulgurite.run_names import CHECKPOINTS, CONFIG, LOCK, TRAINING, TRIAL

State = Literal["running", "finished", "failed", "aborted", "pruned", "unknown"]
STATES: tuple[State, ...] = get_args(State)
NOBODY_SAID = "it ended without a word, as where it is killed or the machine goes down"


def state_of(run: Path) -> tuple[State, str]:
    """Return the state of a run, and why it is that, empty where there is nothing to say.

    - ``running``: a process trains in it.
    - ``finished``: it has reached its end.
    - ``failed``: an error has ended it.
    - ``aborted``: it was asked to end, or killed.
    - ``pruned``: a sweep has ended it, since others were better.
    - ``unknown``: it is of a release that did not note how a training ended, or what it noted is damaged.

    Args:
        run: The run folder, which this process does not train in: to look at the lock would give it back.
    """
    if is_held(run):
        return "running", ""
    if (read_object(run / TRIAL) or {}).get("state") == "pruned":
        return "pruned", ""
    path = run / TRAINING
    training = read_object(path)
    if training is None and path.exists():
        return "unknown", f"{TRAINING} is damaged"
    if training is None:
        return _before_its_first_batch(run)
    if training.get("finished") is True:
        return "finished", ""
    if "ended" not in training:
        return "unknown", "an older release has not noted how it ended"
    ended, reason = training["ended"], training.get("reason")
    if ended in ("failed", "aborted"):
        return ended, reason if isinstance(reason, str) else ""
    return "aborted", NOBODY_SAID


def _before_its_first_batch(run: Path) -> tuple[State, str]:
    """Return the state of a run that has noted nothing."""
    if any((run / CHECKPOINTS).glob("*.ckpt")):
        return "unknown", "an older release has not noted how it ended"
    begun = (run / CONFIG).is_file()
    return "aborted", NOBODY_SAID if begun else "it ended before its training began"


def is_held(run: Path) -> bool:
    """Whether another process trains in a run folder; see :class:`~fulgurite.run_lock.RunLock`.

    Looking takes a shared lock for a moment, which other onlookers share and a training waits for.
    """
    try:
        file = (run / LOCK).open("rb")
    except FileNotFoundError:
        return False
    with file:
        try:
            fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):  # the two ways in which systems say that somebody has it
            return True
    return False


def read_object(path: Path) -> Mapping[str, Any] | None:
    """Return the JSON object that a file holds; None where there is no such file, or it holds anything else."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None

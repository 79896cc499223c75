"""Runs as they are listed: found by the words of the user, and read from their folders."""

import glob
import math
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fulgurite.refuse import refuse
from fulgurite.run_list.state import State, read_object, state_of
from fulgurite.run_names import CHECKPOINTS, CONFIG, LATEST, LOCK, TRAINING, UNFINISHED


@dataclass(frozen=True)
class Listed:
    """A run.

    Attributes:
        folder: of the run, as it was found.
        state: how it stands.
        reason: why, empty where there is nothing to say.
        monitor: what picks its best weights, None where nobody knows.
        mode: whether more (``max``) or less (``min``) of it is better, None where nobody knows.
        best: best value of the monitor so far; None: it had none.
        batches: that the weights have seen, None where nobody knows.
        began: when it was begun, or gone on with, the last time, in seconds since 1970.
        size: of all that is in the folder, in bytes; links are not followed.
        is_latest: whether ``latest`` leads to it.
    """

    folder: Path
    state: State
    reason: str
    monitor: str | None
    mode: str | None
    best: float | None
    batches: int | None
    began: float
    size: int
    is_latest: bool

    @property
    def experiment(self) -> str:
        """Name of the folder that holds the run."""
        return self.folder.parent.name

    @property
    def name(self) -> str:
        """Name of the run's own folder."""
        return self.folder.name


def find(words: Sequence[str], root: Path) -> list[Path]:
    """Return the folders of runs, each once, by experiment and name.

    Args:
        words: Folders of runs or experiments, names below ``root``, or globs of either; none: all below ``root``.
        root: Folder of all experiments.

    Raises:
        SystemExit: With one sentence, if a word names no run.
    """
    if not words:
        return [run for experiment in _folders(root) for run in _runs_in(experiment)]
    found: dict[Path, Path] = {}
    for word in words:
        runs = next(filter(None, (_matching(pattern) for pattern in (word, str(root / word)))), None)
        if runs is None:
            there = ", ".join(folder.name for folder in _folders(root)) or "none"
            refuse(f"runs {word}: there is no such run. Experiments in {root}: {there}")
        for run in runs:
            found.setdefault(run.resolve(), run)
    return sorted(found.values())


def read(run: Path) -> Listed:
    """Read a run; what a damaged file should tell is not known, and the state says so."""
    state, reason = state_of(run)
    training = read_object(run / TRAINING)
    if training is None:  # of before version 0.3
        index = read_object(run / CHECKPOINTS / "index.json") or {}
        best = index.get("best")
        best = best if isinstance(best, dict) else {}
        training = {"monitor": best.get("monitor"), "best_value": best.get("value")}
    return Listed(
        folder=run,
        state=state,
        reason=reason,
        monitor=_text(training.get("monitor")),
        mode=_text(training.get("mode")),
        best=_number(training.get("best_value")),
        batches=None if (batches := _number(training.get("batches"))) is None else int(batches),
        began=_changed(run / CONFIG, run),
        size=size_of(run),
        is_latest=_leads_to(run.parent / LATEST, run),
    )


def size_of(folder: Path) -> int:
    """Return the bytes of all files below a folder, without following links; what is deleted meanwhile counts not."""
    total = 0
    for place, _, files in os.walk(folder):
        for name in files:
            try:
                total += os.lstat(os.path.join(place, name)).st_size  # noqa: PTH118  # a run may hold 100,000 files
            except FileNotFoundError:
                continue
    return total


def _matching(pattern: str) -> list[Path]:
    written = os.path.expanduser(pattern)  # noqa: PTH111  # a shell leaves what is quoted to us
    matches = [written] if Path(written).exists() else sorted(glob.glob(written, recursive=True))  # noqa: PTH207
    return [run for match in matches for run in _named(Path(match))]


def _named(path: Path) -> Iterator[Path]:
    if _is_run(path):
        yield path.resolve() if path.name == LATEST else path.absolute()
    else:
        yield from _runs_in(path.absolute())


def _runs_in(experiment: Path) -> Iterator[Path]:
    return (path.absolute() for path in _folders(experiment) if not path.is_symlink() and _is_run(path))


def _folders(folder: Path) -> list[Path]:
    inside = folder.iterdir() if folder.is_dir() else ()
    return sorted(path for path in inside if path.is_dir() and not path.name.startswith((UNFINISHED, ".")))


def _is_run(path: Path) -> bool:
    return (path / CONFIG).is_file() or (path / LOCK).is_file()


def _leads_to(link: Path, run: Path) -> bool:
    return link.is_symlink() and link.resolve() == run.resolve()


def _changed(*paths: Path) -> float:
    """Return when the first of these that is there was changed; now where somebody has just deleted all."""
    for path in paths:
        try:
            return path.stat().st_mtime
        except FileNotFoundError:
            continue
    return time.time()


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if is_number else None

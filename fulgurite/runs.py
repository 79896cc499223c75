"""Run folders: ``<root>/<experiment>/<name>/`` holds everything that one training leaves behind."""

import os
import re
import shutil
import sys
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path

from datamodules.atomic_file import DRAFT, readable_errors
from datamodules.errors import InputError
from fulgurite.run_lock import RunLock
from fulgurite.run_names import BEST
from fulgurite.run_names import CHECKPOINTS as CHECKPOINTS
from fulgurite.run_names import CONFIG as CONFIG
from fulgurite.run_names import LATEST as LATEST


@dataclass
class RunSettings:
    """Where a run leaves its files: root/experiment/name/.

    Args:
        experiment: folder of the runs that belong together; the stem of the first --config file when not given.
        name: folder of this run; the date and time when not given.
        root: folder of all experiments.
    """

    experiment: str | None = None
    name: str | None = None
    root: str = "runs"

    def __post_init__(self) -> None:
        for key in ("experiment", "name"):
            value = getattr(self, key)
            if value is not None and (not re.fullmatch(r"[\w][\w.+=-]*", value) or value == LATEST):
                raise InputError(
                    f"run.{key} = {value}: this cannot name a folder; use letters, digits and . _ + = -, "
                    f"begin with a letter or digit, and do not use '{LATEST}'"
                )


def timestamp() -> str:
    """Return the local date and time as a name that sorts, e.g. ``2026-11-21_20-55-03``."""
    return datetime.now().strftime("%Y-%m-%d_%H-%M-%S")


def create_run(folder: Path, name: str | None) -> Path:
    """Create and return a new run folder in ``folder``, the folder of an experiment.

    A run of that name that ended before its first checkpoint is no loss: it is put aside.

    Args:
        folder: Folder of the experiment; made where it is missing.
        name: Name of the run; None takes the time, with a number behind it where that is taken.

    Raises:
        InputError: If a run of that name is there already, or the folder cannot be made.
    """
    stem = name or timestamp()
    for attempt in range(1, 1000):
        run = folder / (stem if attempt == 1 or name else f"{stem}-{attempt}")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            run.mkdir()
        except FileExistsError:
            if not folder.is_dir():
                raise InputError(f"run.root: {folder} cannot be a folder, a file is in the way") from None
            if name:  # without one, two runs were started within one second
                _put_aside(run)
        except OSError as problem:
            raise InputError(f"run.root: cannot create {run} ({problem.strerror}). Choose another --run.root") from None
        else:
            return run
    raise InputError(f"run.root: {folder} holds a thousand runs of this second; give --run.name")


def _put_aside(run: Path) -> None:
    """Rename a run that ended before its first checkpoint, and say so; refuse where there is anything to lose."""
    names = {path.name for path in run.iterdir()} if run.is_dir() else {run.name}
    held = {name for name in names if name != RunLock.file and not name.startswith(DRAFT)}
    ours = CONFIG in names or RunLock.file in names  # which is there from the beginning
    if held and (not ours or any((run / CHECKPOINTS).glob("*.ckpt"))):
        remedy = f"--run.name {run.name} --ckpt_path last" if CONFIG in held else "its checkpoint"
        raise InputError(f"run.name: {run} exists already. Give another --run.name, or go on with it by {remedy}")
    lock = RunLock(run)
    lock.acquire()  # whoever has it has only just begun
    if held:
        number = next(n for n in count(1) if not run.with_name(f"{run.name}.unfinished-{n}").exists())
        aside = run.with_name(f"{run.name}.unfinished-{number}")
        print(f"{run} ended before its first checkpoint; what it left is now {aside.name}", file=sys.stderr, flush=True)
        run.rename(aside)
    else:
        shutil.rmtree(run)
    lock.release()


def point_latest(run: Path) -> None:
    """Let ``latest`` beside ``run`` point at it, in one step: readers see the old run or the new one."""
    link = run.parent / f".{LATEST}-{os.getpid()}"
    with readable_errors(run.parent / LATEST):
        link.unlink(missing_ok=True)
        link.symlink_to(run.name)
        link.replace(run.parent / LATEST)


def renew_latest(experiment: Path) -> Path | None:
    """Let ``latest`` lead to the newest run that can be used, and return that.

    It is the newest with a ``best.ckpt``, which verbs take where nothing else is said: a run that ended before its
    first validation never hides a good one. Where none has one it is the newest with any checkpoint, and else the
    newest. That one is newer which was begun, or gone on with, later.

    Args:
        experiment: Folder of the runs.

    Returns:
        None, with ``latest`` removed, where there is no run.

    Raises:
        InputError: If the link cannot be written.
    """
    found: list[tuple[bool, bool, int, str]] = []
    for config in experiment.glob(f"*/{CONFIG}"):
        run = config.parent
        if run.is_symlink() or run.name.startswith(DRAFT):
            continue
        try:
            begun = config.stat().st_mtime_ns
        except FileNotFoundError:  # somebody has just deleted the run
            continue
        kept = {path.name for path in (run / CHECKPOINTS).glob("*.ckpt")}
        found.append((BEST in kept, bool(kept), begun, run.name))
    link = experiment / LATEST
    if not found:
        if link.is_symlink():
            link.unlink()
        return None
    newest = experiment / max(found)[-1]
    if not (link.is_symlink() and link.readlink() == Path(newest.name)):
        point_latest(newest)
    return newest


def run_of(path: Path) -> Path | None:
    """Return the run folder that a checkpoint or a saved configuration lies in, None where it lies elsewhere."""
    folder = path.resolve().parent
    folder = folder.parent if folder.name == CHECKPOINTS else folder
    return folder if (folder / CONFIG).is_file() else None


def find_run(folder: Path, name: str | None) -> Path:
    """Return the existing run ``name`` in ``folder``, the newest one when ``name`` is None.

    Raises:
        InputError: If there is no such run; the message lists those that are there.
    """
    run = folder / (name or LATEST)
    if run.is_dir():
        return run.resolve()
    found = sorted(p.name for p in folder.iterdir() if p.is_dir() and p.name != LATEST) if folder.is_dir() else []
    if name is None and found:
        raise InputError(f"run.name: {run} leads to no run any more. Name one by --run.name: {', '.join(found[-10:])}")
    if name is None:
        raise InputError(
            f"run.experiment: no run in {folder} yet. Train one first (lightning fit), or name a checkpoint by "
            f"--ckpt_path PATH"
        )
    raise InputError(f"run.name: no run '{name}' in {folder}. Runs there: {', '.join(found[-10:]) or 'none'}")


def forget_unused(run: Path, failed: bool) -> None:
    """Remove a run folder that never came to hold a run: no configuration in it, and empty or ``failed``."""
    if run.is_dir() and not (run / CONFIG).exists() and (failed or {p.name for p in run.iterdir()} <= {RunLock.file}):
        shutil.rmtree(run, ignore_errors=True)

"""Which runs go where disk is to be freed, and how they go."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from pathlib import Path

from fulgurite.refuse import refuse
from fulgurite.run_list.listed import Listed
from fulgurite.run_list.shown import worth


def divide(
    runs: Sequence[Listed], keep_best: int | None, states: Collection[str]
) -> tuple[list[Listed], list[tuple[Listed, str]]]:
    """Return which runs go, and which stay, and why, where that is not just what was asked for.

    Args:
        runs: All that were named.
        keep_best: Of each experiment, and of each monitor in it, so many of the best stay; None: none for that.
        states: Only runs in one of these go; empty: runs in any, but for those that run, or of which nobody knows.
    """
    best = _best(runs, keep_best or 0)
    go: list[Listed] = []
    stay: list[tuple[Listed, str]] = []
    for run in runs:
        if run.state == "running":
            stay.append((run, "it is being trained"))
        elif run.folder in best or (states and run.state not in states):
            stay.append((run, ""))
        elif not states and run.state == "unknown":
            stay.append((run, f"how it stands is not known ({run.reason}); --state unknown lets such runs go"))
        elif keep_best and run.best is not None and run.mode not in ("max", "min"):
            stay.append((run, f"whether more or less of {run.monitor} is better is not known"))
        else:
            go.append(run)
    return go, stay


def refuse_elsewhere(runs: Sequence[Listed], root: Path) -> None:
    """End with one sentence if a run does not lie at ``root/experiment/name``, links left out of account.

    Raises:
        SystemExit: Naming the run.
    """
    top = root.resolve()
    for run in runs:
        own = run.folder.parent.parent.resolve()
        if own != top:
            refuse(f"runs clean: {run.folder} does not lie in {root}; give --root {own}")
        if run.folder.is_symlink() or run.folder.parent.is_symlink():
            refuse(f"runs clean: {run.folder} lies behind a link, and nothing is removed through one; name its place")


def remove(runs: Sequence[Listed]) -> None:
    """Remove runs, each as a whole or not at all, and let ``latest`` lead to what is left.

    Raises:
        InputError: If one of them is being trained by now, or cannot be removed; those before it are gone.
    """
    from datamodules.atomic_file import remove_folder  # here: it takes seconds to import
    from fulgurite.run_lock import RunLock
    from fulgurite.runs import renew_latest

    experiments: dict[Path, None] = {}
    try:
        for run in runs:
            lock = RunLock(run.folder)
            lock.acquire()  # nobody begins to train in what is being removed
            try:
                remove_folder(run.folder)
                (run.folder.parent / f"{run.folder.name}.log").unlink(missing_ok=True)  # what a batch wrote beside it
            finally:
                lock.release()
            experiments[run.folder.parent] = None
    finally:
        for experiment in experiments:
            before = (experiment / "latest").resolve()
            now = renew_latest(experiment)
            if now is None or now.resolve() != before:
                print(f"{experiment / 'latest'} {f'now leads to {now.name}' if now else 'is gone: no run is left'}")


def _best(runs: Sequence[Listed], count: int) -> set[Path]:
    """Return the folders of the best runs of each experiment and monitor."""
    judged: dict[tuple[Path, str, str], list[Listed]] = defaultdict(list)
    for run in runs:
        if run.best is not None and run.monitor and run.mode in ("max", "min") and run.state != "running":
            judged[run.folder.parent, run.monitor, run.mode].append(run)
    return {run.folder for alike in judged.values() for run in sorted(alike, key=worth)[:count]}

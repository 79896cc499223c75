"""The verb dashboard: trainings in a terminal, without a network; or the workspaces on Weights & Biases.

lightning dashboard                       # the newest run
lightning dashboard vta_gan               # all runs of an experiment, side by side
lightning dashboard --workspace --dry-run
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from fulgurite.refuse import refuse
from fulgurite.trainings import Training, chosen

KEYS = "space shows a run beside the others, 3 its media, / filters metrics, h lists all keys, q ends"


def main(argv: Sequence[str] | None = None) -> None:
    """Run ``dashboard``; see :func:`fulgurite.cli.main`."""
    parser = argparse.ArgumentParser(
        prog="lightning dashboard", description="Look at trainings in this terminal, or lay out their pages on W&B."
    )
    parser.add_argument(
        "names",
        metavar="RUN",
        nargs="*",
        help="folder of a run, or an experiment, whose runs are shown side by side (default: the newest run); with "
        "--workspace experiments (default: all that are installed)",
    )
    parser.add_argument("--root", type=Path, default=Path("runs"), help="folder of all experiments (default: runs)")
    parser.add_argument(
        "--workspace", action="store_true", help="save workspaces on W&B: one an experiment, and one that compares"
    )
    parser.add_argument("--dry-run", action="store_true", help="with --workspace: print them, without a network")
    parser.add_argument("--project", help="with --workspace: the project on W&B (default: fulgurite)")
    parser.add_argument("--entity", help="with --workspace: user or team on W&B (default: your own)")
    given = parser.parse_args((sys.argv[1:] if argv is None else list(argv))[1:])
    if given.workspace:
        from fulgurite.workspace import save_workspaces  # takes seconds to import

        save_workspaces(given.names, given.project or "fulgurite", given.entity, given.dry_run)
        return
    if given.dry_run or given.project or given.entity:
        refuse("dashboard: --dry-run, --project and --entity belong to --workspace; add it, or leave them out")
    show(chosen(given.names, given.root))


def show(trainings: Sequence[Training]) -> None:
    """Open W&B's dashboard on trainings, and wait until it is closed.

    Raises:
        SystemExit: with one sentence where there is no terminal, or with the dashboard's own status where it fails.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        refuse("dashboard: it is drawn in a terminal, and this is none. Run it in one, or look at the files in media/")
    print(KEYS, flush=True)
    with TemporaryDirectory(prefix="fulgurite-") as folder:
        what = trainings[0].folder if len(trainings) == 1 else _side_by_side(trainings, Path(folder) / "wandb")
        command = [sys.executable, "-m", "wandb", "leet", "run", str(what)]
        quiet = {"WANDB_ERROR_REPORTING": "false"}  # a report of its own crash would be a connection
        if status := subprocess.run(command, env={**os.environ, **quiet}).returncode:
            raise SystemExit(status)


def _side_by_side(trainings: Sequence[Training], folder: Path) -> Path:
    """Return a folder in which W&B finds all of them, called as they are known here: by experiment and run."""
    for one in trainings:
        link = folder / f"run-{one.began}-{one.name}"
        link.mkdir(parents=True)
        for file in one.folder.resolve().iterdir():
            (link / (f"run-{one.name}.wandb" if file.suffix == ".wandb" else file.name)).symlink_to(file)
    return folder

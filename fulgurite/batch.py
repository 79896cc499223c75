"""The verb batch: many runs by one command, trained and tested, some at once; started again it goes on.

lightning batch vta_gan aitex_vae --seeds 0,1,2
lightning batch vta_gan --set model.ngf=16,32 --jobs 2
"""

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from callbacks.text import printable
from datamodules.atomic_file import write_text
from datamodules.errors import InputError
from fulgurite.batches.command import last_line
from fulgurite.batches.plan import Plan, checked_seeds, read_choices, read_plan
from fulgurite.batches.pool import Work, run_all
from fulgurite.batches.screen import Screen
from fulgurite.batches.slots import slots
from fulgurite.batches.state import DONE, stage_of
from fulgurite.comparison import tables
from fulgurite.comparison.leaderboard import leaderboard
from fulgurite.comparison.run import read_run, sources_of
from fulgurite.errors import readable_errors
from fulgurite.experiment_files import named
from fulgurite.given import Given
from fulgurite.processes import say
from fulgurite.signals import SIGNALS

FAILED = 1
"""Exit status where a run has failed."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run ``batch``; see :func:`fulgurite.cli.main`."""
    words = sys.argv[1:] if argv is None else list(argv)
    given = _parser().parse_args(words[1:])
    with readable_errors():
        plan = _plan(given)
        if given.write:
            write_text(given.write, plan.written())
            print(f"Written: {printable(str(given.write))}; run it by lightning batch {shlex.quote(str(given.write))}")
            return
        _run(plan, given.dry_run, shlex.join(["lightning", *words]))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lightning batch",
        description="Train and test every combination of experiments, settings and seeds, each in its own run folder. "
        "What is there already is not done again, so that the same command goes on with what was broken off.",
    )
    add = parser.add_argument
    add("experiments", metavar="CONFIG", nargs="+", help="names or YAML files of experiments, or one file of --write")
    add("--config", metavar="OVERLAY", action="append", default=[], help="laid on top of each experiment; repeatable")
    add("--seeds", metavar="N,N", help="seeds of the trainings (default: 0)")
    add("--set", metavar="KEY=V,V", action="append", default=[], help="values to try, e.g. model.ngf=16,32; repeatable")
    add("--jobs", metavar="N", type=int, help="runs at once (default: one a GPU, else 1)")
    add("--root", metavar="FOLDER", help="folder of all experiments (default: runs)")
    add("--write", metavar="FILE", type=Path, help="write the batch as a YAML file, and run nothing")
    add("--dry-run", action="store_true", help="list the runs and what is left to do of each, and run nothing")
    return parser


def _plan(given: argparse.Namespace) -> Plan:
    """Return the batch that was typed, or the one in a file, whose entries what is typed replaces."""
    first = Path(given.experiments[0])
    plan = read_plan(first) if len(given.experiments) == 1 and first.is_file() else None
    plan = plan or Plan(given.experiments)
    try:
        seeds = checked_seeds([int(seed) for seed in given.seeds.split(",")]) if given.seeds else plan.seeds
    except ValueError:
        raise InputError(f"--seeds {given.seeds}: write whole numbers with commas, such as 0,1,2") from None
    jobs = given.jobs if given.jobs is not None else plan.jobs
    if jobs is not None and (not isinstance(jobs, int) or jobs < 1):
        raise InputError(f"--jobs {jobs}: give at least 1")
    choices = read_choices(given.set) or plan.choices
    root = given.root or plan.root
    return Plan(plan.experiments, given.config or plan.configs, seeds, choices, jobs, root)


def _run(plan: Plan, dry: bool, command: str) -> None:
    for config in (*plan.experiments, *plan.configs):
        Given(named(["fit", "--config", config])[1:])  # refused now, rather than by each of its runs
    works = [Work(task, stage_of(task)) for task in plan.tasks()]
    for work in works:
        work.was_done = work.stage == DONE
    if dry:
        for work in works:
            print(f"{printable(os.path.relpath(work.task.run))}: {work.stage}")
        return
    places = slots(plan.jobs)
    SIGNALS.remedy = f"The same command goes on: {command}"
    with Screen(works, len(places)) as screen:
        run_all((work for work in works if not work.is_over), places, screen.update)
    _compare(works)
    if failed := [work for work in works if work.failed is not None]:
        for work in failed:
            say(f"error: {printable(work.task.name)}: {last_line(work.task.log)}")
        say(f"{len(failed)} of {len(works)} runs have failed; the same command tries them again: {command}")
        raise SystemExit(FAILED)


def _compare(works: Sequence[Work]) -> None:
    """Print the leaderboard of each experiment that has a test."""
    console = Console()
    for experiment in dict.fromkeys(work.task.experiment for work in works):
        done = [work.task.run for work in works if work.task.experiment == experiment and work.stage == DONE]
        runs = [read_run(run, next(iter(sources_of(run)), None)) for run in done]
        if any(run.test for run in runs):
            board = leaderboard(runs, None, None)
            console.print(tables.on_screen(tables.ranking(board), f"{experiment}, by {board.ranked_by}"))

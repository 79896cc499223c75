"""The verb batch: many runs by one command, trained and tested, some at once; started again it goes on.

lightning batch vta_gan aitex_vae --seeds 0,1,2
lightning batch vta_gan --set model.ngf=16,32 --jobs 2
lightning batch vta_gan --seeds 0,1,2 --on slurm --slurm partition=gpu
"""

import os
import shlex
import sys
from collections.abc import Sequence

from rich.console import Console

from callbacks.text import printable
from datamodules.atomic_file import write_text
from fulgurite.batches.command import last_line
from fulgurite.batches.engine import Engine, engine_of
from fulgurite.batches.follow import Work, follow
from fulgurite.batches.plan import Task
from fulgurite.batches.screen import Screen
from fulgurite.batches.state import DONE, stage_of
from fulgurite.batches.typed import typed, typed_plan
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
    given = typed(words[1:])
    with readable_errors():
        plan = typed_plan(given)
        if given.write:
            write_text(given.write, plan.written())
            print(f"Written: {printable(str(given.write))}; run it by lightning batch {shlex.quote(str(given.write))}")
            return
        tasks = plan.tasks()
        for config in dict.fromkeys(config for task in tasks for config in task.configs):
            Given(named(["fit", "--config", config])[1:])  # refused now, rather than by each of its runs
        works = [Work(task, stage_of(task)) for task in tasks]
        for work in works:
            work.was_done = work.stage == DONE
        engine = engine_of(plan, tasks)
        if given.dry_run:
            _list(works, engine)
        elif given.cancel:
            _cancel(tasks, engine)
        else:
            _run(works, engine, shlex.join(["lightning", *words]))


def _list(works: Sequence[Work], engine: Engine) -> None:
    """Print the runs and what is left to do of each."""
    states = engine.states()
    for work in works:
        state = states.get(work.task.run)
        is_open = state and state.place != "ended"
        now = f" ({', '.join(part for part in (state.place, state.says) if part)})" if state and is_open else ""
        print(f"{printable(os.path.relpath(work.task.run))}: {work.stage}{now}")


def _cancel(tasks: Sequence[Task], engine: Engine) -> None:
    """End what a cluster has of the batch."""
    states = {run: state for run, state in engine.states().items() if state.place != "ended"}
    for task in tasks:
        if task.run in states:
            engine.cancel(task)
            kept = "; its training writes a checkpoint first" if states[task.run].place == "running" else ""
            print(f"{printable(task.experiment)}/{printable(task.name)}: cancelled{kept}")
    if not states:
        print("none of these runs is queued or running")


def _run(works: Sequence[Work], engine: Engine, command: str) -> None:
    goes_on = f"The same command goes on: {command}"
    follows = (
        f"The jobs go on without this screen. The same command follows them, and ends them with --cancel: {command}"
    )
    SIGNALS.remedy = follows if engine.outlives else goes_on
    with Screen(works, engine) as screen:
        follow(works, engine, screen.update)
    _compare(works)
    if failed := [work for work in works if work.failed is not None]:
        for work in failed:
            say(f"error: {printable(work.task.name)}: {last_line(engine.log(work.task))}")
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

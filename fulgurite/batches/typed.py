"""A batch as it is typed: the options of ``lightning batch``, and the file whose entries they replace."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from datamodules.errors import InputError
from fulgurite.batches.options import CLUSTERS, ENGINES, LOCAL, checked_engine, read_options
from fulgurite.batches.plan import Plan, checked_seeds, read_choices, read_plan


def typed(words: Sequence[str]) -> argparse.Namespace:
    """Return the words behind ``batch`` by option."""
    parser = argparse.ArgumentParser(
        prog="lightning batch",
        description="Train and test every combination of experiments, settings and seeds, each in its own run folder. "
        "What is there already is not done again, so that the same command goes on with what was broken off.",
    )
    add = parser.add_argument
    add("experiments", metavar="CONFIG", nargs="+", help="names or YAML files of experiments, or one file of --write")
    add(
        "--config",
        metavar="OVERLAY",
        action="append",
        default=[],
        help="laid on top of each experiment, {} is its name; repeatable",
    )
    add("--seeds", metavar="N,N", help="seeds of the trainings (default: 0)")
    add("--set", metavar="KEY=V,V", action="append", default=[], help="values to try, e.g. model.ngf=16,32; repeatable")
    add("--root", metavar="FOLDER", help="folder of all experiments (default: runs)")
    add("--write", metavar="FILE", type=Path, help="write the batch as a YAML file, and run nothing")
    add("--dry-run", action="store_true", help="list the runs and what is left to do of each, and run nothing")
    add("--on", metavar="ENGINE", help=f"where the runs are done: {', '.join(ENGINES)} (default: {LOCAL})")
    add("--jobs", metavar="N", type=int, help="on this machine: runs at once (default: one a GPU, else 1)")
    cluster = parser.add_argument_group(
        "on a cluster", "a job for each run; the root is a folder that all machines see"
    )
    add = cluster.add_argument
    add(
        "--slurm",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="an option of sbatch, e.g. partition=gpu, account=lab, time=4:00:00, gpus-per-node=1; repeatable",
    )
    add(
        "--ray",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="address=HOST:6379 (default: RAY_ADDRESS, else this machine's), gpus and cpus of a run; repeatable",
    )
    add("--cancel", action="store_true", help="end what of the batch is queued or running, and run nothing")
    return parser.parse_args(words)


def typed_plan(given: argparse.Namespace) -> Plan:
    """Return the batch that was typed, or the one in a file, whose entries what is typed replaces.

    Raises:
        InputError: if a value has no meaning, or an option is one of another engine.
    """
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
    on = checked_engine(given.on or plan.on)
    _check_engine(given, on)
    options = {name: {**plan.options.get(name, {}), **read_options(name, getattr(given, name))} for name in CLUSTERS}
    return Plan(
        plan.experiments,
        given.config or plan.configs,
        seeds,
        choices,
        jobs,
        given.root or plan.root,
        on,
        {name: of for name, of in options.items() if of},
    )


def _check_engine(given: argparse.Namespace, on: str) -> None:
    """Refuse what is typed for another engine; a file may hold the options of several, for ``--on`` to choose."""
    for name in CLUSTERS:
        words = getattr(given, name)
        if words and name != on:
            raise InputError(
                f"--{name} {words[0]}: this is for --on {name}, and the batch runs on {on}; give one engine"
            )
    if given.jobs is not None and on != LOCAL:
        raise InputError(
            f"--jobs {given.jobs}: this is for --on {LOCAL}; on {on} the cluster decides how many run at once"
        )
    if given.cancel and on == LOCAL:
        raise InputError(f"--cancel: this is for the jobs of a cluster; a batch on {LOCAL} is ended by Ctrl-C")

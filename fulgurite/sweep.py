"""The verb sweep: search the settings of an experiment by many trainings, and give up those that fall behind.

lightning sweep vta_gan --trials 20
lightning sweep my_space.yaml --jobs 2 --data.source PATH
"""

import argparse
import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace

from datamodules.errors import InputError
from fulgurite.errors import readable_errors
from fulgurite.quiet import keep_quiet
from fulgurite.runs import RunSettings
from fulgurite.sweeps.chosen import PRUNERS, chosen
from fulgurite.sweeps.space import Space
from fulgurite.sweeps.space_file import find_space, read_space

MISSING = "lightning sweep needs the package optuna, which is not installed: pip install 'fulgurite[sweep]'"


def main(argv: Sequence[str] | None = None) -> None:
    """Run ``sweep``; see :func:`fulgurite.cli.main`."""
    words = sys.argv[1:] if argv is None else list(argv)
    own, settings = separated(words[1:])
    given = _parser().parse_args(own)
    keep_quiet()
    with readable_errors():
        space = _space(given, settings)
        if given.print:
            from fulgurite.sweeps.wandb_form import wandb_sweep

            print(wandb_sweep(space), end="")
            return
        _search(space, given.jobs, given.dry_run, shlex.join(["lightning", *words]))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lightning sweep",
        usage="%(prog)s SPACE [--trials N] [--jobs N] [further options] [--KEY VALUE ...]",
        description="Search the settings of an experiment: each trial is a training in its own run folder, chosen by "
        "what the earlier ones have reached, and given up where it falls behind them. The same command goes on with "
        "what was broken off. Options of lightning fit, such as --data.source PATH, hold for every trial.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("space", metavar="SPACE", help="a YAML file, see docs/sweeps.md, or an experiment that has one: vta_gan")
    add("--config", metavar="OVERLAY", action="append", default=[], help="laid on top of the experiment; repeatable")
    add("--trials", metavar="N", type=int, help="how many, those of earlier calls included (default: as in the space)")
    add("--jobs", metavar="N", type=int, help="trials at once (default: one a GPU, else 1)")
    add("--pruner", choices=PRUNERS, help="which trials are given up (default: as in the space)")
    add("--seed", metavar="N", type=int, help="of the search and of every training (default: as in the space)")
    add("--name", metavar="NAME", help="folder of the study (default: the name of the space, and _sweep)")
    add("--root", metavar="FOLDER", default="runs", help="folder of all experiments (default: runs)")
    add("--dry-run", action="store_true", help="check the space, show it, and train nothing")
    add("--print", choices=["wandb"], help="print the space as a sweep of Weights & Biases, and train nothing")
    return parser


def separated(words: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Return the words of this verb, and the options of ``fit`` among them, which have a dot: value by key.

    Raises:
        SystemExit: with one sentence, if a value is missing.
    """
    own, settings = [], {}
    rest = iter(words)
    for word in rest:
        found = re.fullmatch(r"--(\w[\w-]*\.[\w.-]+)(?:=(.*))?", word, re.DOTALL)
        if not found:
            own.append(word)
            continue
        value = found[2] if found[2] is not None else next(rest, None)
        with readable_errors():
            if value is None or value.startswith("--"):
                raise InputError(f"--{found[1]}: a value is missing behind it")
        settings[found[1]] = value
    return own, settings


def _space(given: argparse.Namespace, settings: dict[str, str]) -> Space:
    space = read_space(find_space(given.space), settings, given.config)
    for option, value, least in (("trials", given.trials, 1), ("jobs", given.jobs, 1), ("seed", given.seed, 0)):
        if value is not None and value < least:
            raise InputError(f"--{option} {value}: give at least {least}")
    return replace(
        space,
        name=RunSettings(experiment=given.name or space.name).experiment or space.name,
        root=given.root,
        trials=given.trials if given.trials is not None else space.trials,
        seed=given.seed if given.seed is not None else space.seed,
        pruner=chosen(given.pruner, PRUNERS, "--pruner") if given.pruner else space.pruner,
    )


def _search(space: Space, jobs: int | None, dry: bool, command: str) -> None:
    try:
        from fulgurite.sweeps.search import search, told
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "optuna":
            raise
        raise InputError(MISSING) from error
    if dry:
        print("\n".join(told(space)))
    else:
        search(space, jobs, command)

"""The verb runs: what has been trained, how it stands and what it holds; and what can go.

lightning runs                         # all of them, the newest first
lightning runs vta_gan --sort best
lightning runs clean --keep-best 5
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from fulgurite.refuse import refuse, show
from fulgurite.run_list.clean import divide, refuse_elsewhere, remove
from fulgurite.run_list.listed import Listed, find, read
from fulgurite.run_list.shown import ORDERS, as_json, print_table, size, summary
from fulgurite.run_list.state import STATES


def main(argv: Sequence[str] | None = None) -> None:
    """Run ``runs``; see :func:`fulgurite.cli.main`."""
    words = (sys.argv[1:] if argv is None else list(argv))[1:]
    if words[:1] == ["clean"]:
        clean(words[1:])
    else:
        listing(words)


def listing(words: Sequence[str]) -> None:
    """List runs.

    Raises:
        SystemExit: With one sentence, if a word names no run.
    """
    parser = argparse.ArgumentParser(
        prog="lightning runs",
        description="List runs: how each stands, its best value, when it was begun, what it holds. "
        "lightning runs clean --help tells how to free disk.",
    )
    _add_choice(parser)
    parser.add_argument("--sort", choices=ORDERS, default="age", help="(default: age, the newest first)")
    parser.add_argument("--json", action="store_true", help="print a list of objects, for scripts")
    given = parser.parse_args(words)
    runs = sorted(_chosen(given), key=ORDERS[given.sort])
    runs = [run for run in runs if not given.state or run.state in given.state]
    if given.json:
        show(json.dumps([as_json(run) for run in runs], indent=2))
    elif runs:
        print_table(runs)
    else:
        asked = f" that is {' or '.join(given.state)}" if given.state else ""
        show(f"No run{asked} in {given.root}. Train one: lightning fit --config vta_gan")


def clean(words: Sequence[str]) -> None:
    """Remove runs, after saying which and asking.

    Raises:
        SystemExit: With one sentence and status 2, if nothing says which may go, or one of them may not.
    """
    parser = argparse.ArgumentParser(
        prog="lightning runs clean",
        description="Free disk: remove runs, after saying which and asking. A run that is being trained stays, and so "
        "does one of which nobody knows how it stands. latest then leads to the newest that is left.",
    )
    _add_choice(parser)
    parser.add_argument(
        "--keep-best", metavar="N", type=int, help="all go but the N best of each experiment (of each monitor in it)"
    )
    parser.add_argument("--yes", action="store_true", help="do not ask")
    given = parser.parse_args(words)
    if given.keep_best is None and not given.state:
        refuse("runs clean: say what stays, --keep-best 5, or what goes, --state failed,aborted")
    if given.keep_best is not None and given.keep_best < 1:
        refuse(f"--keep-best {given.keep_best}: give at least 1; to remove all runs remove the folder")
    if "running" in given.state:
        refuse("--state running: a run that is being trained is not removed; end it first")
    runs = _chosen(given)
    for run in runs:
        if run.state == "running" and _is_named(run, given.words):
            refuse(f"runs clean: {run.folder} is being trained; end it first")
    go, stay = divide(runs, given.keep_best, given.state)
    refuse_elsewhere(go, given.root)
    for run, reason in stay:
        if reason:
            print(f"{run.experiment}/{run.name} stays: {reason}")
    if not go:
        show("Nothing goes.")
        return
    print_table(sorted(go, key=ORDERS["best"]), "to be removed")
    print(f"This frees {size(sum(run.size for run in go))}; {len(stay):,} of {len(runs):,} runs stay.", flush=True)
    if not given.yes and not _agreed():
        show("Nothing was removed.")
        return
    from fulgurite.errors import readable_errors  # here: it takes seconds to import

    with readable_errors():
        remove(go)
    show(f"Removed: {summary(go)}")


def _add_choice(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "words", metavar="RUN", nargs="*", help="experiments, folders of runs, or globs of them (default: all)"
    )
    parser.add_argument("--root", type=Path, default=Path("runs"), help="folder of all experiments (default: runs)")
    parser.add_argument(
        "--state", type=_states, default=[], metavar="STATE,...", help=f"only runs in one of: {', '.join(STATES)}"
    )


def _states(text: str) -> list[str]:
    states = [word.strip() for word in text.split(",")]
    if unknown := [state for state in states if state not in STATES]:
        raise argparse.ArgumentTypeError(f"there is no state {unknown[0]!r}; choose among {', '.join(STATES)}")
    return states


def _chosen(given: argparse.Namespace) -> list[Listed]:
    return [read(run) for run in find(given.words, given.root)]


def _is_named(run: Listed, words: Sequence[str]) -> bool:
    """Whether a word names this very run, and not its experiment or a pattern."""
    return any(Path(word).name in (run.name, "latest") for word in words)


def _agreed() -> bool:
    try:
        return input("Remove them? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        refuse("runs clean: nobody is there to ask, and nothing was removed; give --yes")

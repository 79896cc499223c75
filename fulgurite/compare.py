"""The verb compare: a leaderboard of runs, what differs between them, and which differences may be chance.

lightning compare runs/vta_gan
"""

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from callbacks.screen import plain_console
from callbacks.text import printable
from datamodules.errors import InputError
from fulgurite.comparison import tables
from fulgurite.comparison.leaderboard import leaderboard
from fulgurite.comparison.page import comparison_page
from fulgurite.comparison.run import Run, find_runs, names_of, read_run, sources_of
from fulgurite.errors import readable_errors
from fulgurite.pages.page import write_page


def main(argv: Sequence[str] | None = None) -> None:
    """Run ``compare``; see :func:`fulgurite.cli.main`."""
    parser = argparse.ArgumentParser(
        prog="lightning compare",
        description="Rank runs by their tests. Runs that differ by their seed alone are one row: mean and standard "
        "deviation. With --baseline each difference has a 95 % interval: the videos, pictures or clips of the test are "
        "drawn again and again, the same for both.",
    )
    parser.add_argument("runs", metavar="RUN", nargs="+", help="folders of runs or of experiments, or globs of them")
    parser.add_argument("--baseline", metavar="NAME", help="a run, or a row of the leaderboard, to compare with")
    parser.add_argument("--metric", metavar="NAME", help="to rank by (default: the headline of the tests)")
    parser.add_argument("--source", metavar="NAME", help="folder below results/, where runs were tested on several")
    parser.add_argument(
        "--output", metavar="FOLDER", type=Path, default=Path("comparison"), help="(default: comparison)"
    )
    parser.add_argument("--resamples", metavar="N", type=int, default=2000, help="draws of an interval (default: 2000)")
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="of the draws (default: 0)")
    words = sys.argv[1:] if argv is None else list(argv)
    given = parser.parse_args(words[1:])
    with readable_errors():
        if given.resamples < 100:
            raise InputError(f"--resamples {given.resamples}: give at least 100; an interval needs its tails")
        _compare(given, words)


def _compare(given: argparse.Namespace, words: Sequence[str]) -> None:
    folders = find_runs(given.runs)
    runs = _read(folders, given.source)
    board = leaderboard(runs, given.metric, given.baseline, given.resamples, given.seed)
    written = tables.write_tables(given.output, board, runs)
    page = given.output / "comparison.html"
    write_page(page, comparison_page(board, runs, shlex.join(["lightning", *words])))
    written.append(page)
    console = plain_console()
    for remark in board.remarks:
        print(f"warning: {printable(remark)}.", file=sys.stderr, flush=True)
    meaning = board.meanings.get(board.ranked_by)
    console.print(
        tables.on_screen(tables.ranking(board), f"by {board.ranked_by}" + (f": {meaning}" if meaning else ""))
    )
    console.print("* the best of its column" if any(map(board.best, board.shown)) else "")
    if board.baseline:
        console.print(tables.on_screen(tables.differences(board), f"less {board.baseline}"))
    console.print(tables.on_screen(tables.costs(board), "what the trainings cost"))
    if board.differing:
        console.print(tables.on_screen(tables.settings(board), "settings that differ"))
    print(f"Written: {', '.join(printable(os.path.relpath(path)) for path in written)}", flush=True)


def _read(folders: Sequence[Path], source: str | None) -> list[Run]:
    """Read the runs with the test on one source: the one that was named, or the only one that all of them share."""
    tested = {folder: sources_of(folder) for folder in folders}
    every = list(dict.fromkeys(name for names in tested.values() for name in names))
    if source is not None and source not in every:
        raise InputError(f"--source {source}: no run was tested on it. Tested were {', '.join(every) or 'none'}")
    if source is None and len(every) > 1:
        shared = [name for name in every if all(name in names for names in tested.values() if names)]
        if len(shared) != 1:
            raise InputError(f"the runs were tested on several sources: choose one by --source {' or '.join(every)}")
        source = shared[0]
        print(f"Compared on {printable(source)}, the only source that all of them were tested on", flush=True)
    chosen = source or (every[0] if every else None)
    names = names_of(folders)
    return [read_run(folder, chosen if chosen in tested[folder] else None, names[folder]) for folder in folders]

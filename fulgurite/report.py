"""The verb report: one HTML file of all that a run has left behind, to look at or to send.

lightning report runs/vta_gan
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from callbacks.results import FOLDER, RESULTS
from callbacks.text import printable
from fulgurite.errors import readable_errors
from fulgurite.pages.page import bytes_text, write_page
from fulgurite.pages.report_page import LARGEST_PAGE, report
from fulgurite.processes import say
from fulgurite.run_option import run_folder
from fulgurite.runs import CONFIG, run_of

FILE = "report.html"
HOLDS = (CONFIG, f"{FOLDER}/*/{RESULTS}")
"""What a run has, and what a test leaves where the weights are from elsewhere."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run ``report``; see :func:`fulgurite.cli.main`."""
    parser = argparse.ArgumentParser(
        prog="lightning report",
        description="Write one HTML file of all that a run has left behind: results, curves, cases, pictures, clips, "
        "configuration. It needs no network and no other file.",
    )
    parser.add_argument("run", metavar="RUN", type=Path, help="folder of a run, or of an experiment: its newest run")
    parser.add_argument(
        "--output", metavar="FILE", type=Path, help=f"where to write it (default: {FILE} in the run folder)"
    )
    given = parser.parse_args((sys.argv[1:] if argv is None else list(argv))[1:])
    with readable_errors():
        run = run_of(given.run) if given.run.is_file() else None  # of a checkpoint
        write_report(run or run_folder(given.run, "report", HOLDS).resolve(), given.output)


def write_report(run: Path, output: Path | None = None) -> Path:
    """Write the report of a run, say where it is and what is not in it, and return its path.

    Args:
        run: The run folder.
        output: The file; ``report.html`` in the run folder when None.

    Raises:
        InputError: If the run's results or tables are damaged, or the file cannot be written.
    """
    path = output or run / FILE
    made = report(run)
    write_page(path, made.page)
    for note in made.notes:
        say(f"warning: {printable(note)}")
    if made.left_out:
        size = bytes_text(sum(one.size for one in made.left_out))
        say(
            f"warning: {len(made.left_out)} of the pictures and clips, {size}, are left out: the page stays below "
            f"{bytes_text(LARGEST_PAGE)}"
        )
    print(f"Report: {printable(os.path.relpath(path))} ({bytes_text(path.stat().st_size)})", flush=True)
    return path

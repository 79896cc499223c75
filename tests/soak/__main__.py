"""``make soak``: try every promise in full, and print one table. ``python -m tests.soak crash`` tries one of them."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress
from rich.table import Table

from tests.soak.promise import try_promises
from tests.soak.promises import PROMISES


def main() -> int:
    """Return 0 if every promise was kept."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="PROMISE", help=f"of {', '.join(one.name for one in PROMISES)}")
    parser.add_argument("--seed", type=int, default=0, help="of the cases (default 0)")
    parser.add_argument("--most", type=int, help="cases of a promise; all of them without it")
    parser.add_argument("--jobs", type=int, default=2, help="processes that share the cases (default 2)")
    given = parser.parse_args()
    chosen = [one for one in PROMISES if not given.names or one.name in given.names]
    if unknown := set(given.names) - {one.name for one in chosen}:
        parser.error(f"there is no promise {', '.join(sorted(unknown))}")
    console = Console(file=sys.stdout)
    table = Table("promise", "tried", "passed", "seconds", title=f"seed {given.seed}")
    broken, begun = 0, time.monotonic()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder, _bars(console) as bars:
        tasks = {one.name: bars.add_task(one.name, total=None) for one in chosen}

        def done(name: str, tried: int, total: int) -> None:
            bars.update(tasks[name], completed=tried, total=total)

        for name, outcome in try_promises(chosen, Path(folder), given.seed, given.most, given.jobs, done):
            passed = outcome.tried - len(outcome.failures)
            broken += len(outcome.failures)
            table.add_row(name, str(outcome.tried), str(passed), f"{outcome.seconds:.0f}")
            for case, what in outcome.failures.items():
                console.print(f"{name}: {case}\n{what}", markup=False, highlight=False)
            console.print(f"{name}: {passed} of {outcome.tried} in {outcome.seconds:.0f} s")
    table.caption = f"{(time.monotonic() - begun) / 60:.1f} minutes in all; where one ends the next has begun"
    console.print(table)
    return int(broken > 0)


def _bars(console: Console) -> Progress:
    return Progress(*Progress.get_default_columns(), MofNCompleteColumn(), console=console, transient=True)


if __name__ == "__main__":
    sys.exit(main())

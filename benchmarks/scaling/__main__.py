"""How every system grows: ``python -m benchmarks.scaling``, less than 15 minutes on two cores.

Everything is done in a process and with a thread of its own, and CPU time is taken, so that others may use the machine.
The repeats go round: all sizes once, then all of them again; the median counts.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks import common
from benchmarks.scaling import storage, systems
from benchmarks.scaling.estimates import ESTIMATES, PEAK, SHARE, TOGETHER
from benchmarks.scaling.growth import QUANTITIES, Growth, Kind
from benchmarks.scaling.isolated import in_own_process
from benchmarks.scaling.picture import draw
from datamodules.atomic_file import write_text

KINDS = [*systems.KINDS, *storage.KINDS]


def measure(kinds: Sequence[Kind], repeats: int, after: Callable[[dict[str, Growth], int], None]) -> dict[str, Growth]:
    """Do all work ``repeats`` times, in turns; ``after`` each what there is so far can be kept."""
    found = {kind.name: Growth(kind.name, kind.unit) for kind in kinds}
    work = [(kind, size) for kind in kinds for size in kind.sizes]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, transient=True) as progress:
        task = progress.add_task("", total=len(work) * repeats)
        for turn in range(1, repeats + 1):
            for kind, size in work:
                progress.update(task, description=f"{kind.name}: {size:,}")
                found[kind.name].add(size, in_own_process(kind.measure, size))
                after(found, turn)
                progress.advance(task)
    return found


def keep(path: Path, found: dict[str, Growth], repeats: int) -> None:
    """Write what was measured as JSON."""
    record = {"device": common.processor(), "commit": common.commit(), "repeats": repeats}
    write_text(path, json.dumps(record | {"growth": [asdict(one) for one in found.values()]}, indent=1) + "\n")


def read(path: Path) -> tuple[dict[str, Growth], int]:
    """Return what was measured, and how often, from such a file."""
    record = json.loads(path.read_text())
    found = {}
    for one in record["growth"]:
        values = {
            name: {int(size): times for size, times in by_size.items()} for name, by_size in one["values"].items()
        }
        found[one["name"]] = Growth(one["name"], one["unit"], values)
    return found, record["repeats"]


def table(found: dict[str, Growth]) -> list[list[str]]:
    """Return a row for every kind of work: its sizes, and of every quantity the largest value and the exponents."""
    rows = []
    for one in found.values():
        sizes = sorted(one.values["cpu"])
        row = [one.name, f"{sizes[0]:,} to {sizes[-1]:,} {one.unit}"]
        for quantity in QUANTITIES:
            if quantity not in one.values:
                row += ["", ""]
                continue
            power, last = one.exponent(quantity), one.last_doubling(quantity)
            row.append(_shown(quantity, one.medians(quantity)[sizes[-1]]))
            row.append("" if power is None or last is None else f"{power:.2f} ({last:.2f})")
        rows.append(row)
    return rows


def _shown(quantity: str, value: float) -> str:
    if quantity == "cpu":
        return f"{value:.3g} s"
    return f"{value / 1e9:,.3g} G" if quantity == "operations" else f"{value / 2**20:,.3g} MiB"


def main(argv: list[str] | None = None) -> None:
    """Measure, print the tables, and write ``scaling.json`` and ``scaling.png``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="", help="only the work whose name contains this; without estimates")
    parser.add_argument("--repeats", type=int, default=3, help="how often everything is done")
    parser.add_argument("--sizes", type=int, default=99, help="how many of its sizes, from the smallest")
    parser.add_argument("--read", type=Path, metavar="JSON", help="measure nothing, show what this file holds")
    parser.add_argument("--out", type=Path, default=Path("runs/scaling"), help="folder of the JSON and the picture")
    given = parser.parse_args(argv)
    kinds = [
        Kind(kind.name, kind.unit, kind.sizes[: given.sizes], kind.measure) for kind in KINDS if given.only in kind.name
    ]
    if not kinds or given.repeats < 1 or given.sizes < 1:
        parser.error("nothing to measure: give a part of a name of the table, and at least 1 repeat and 1 size")
    path = given.out / "scaling.json"
    if given.read:
        found, repeats = read(given.read)
    else:
        found, repeats = measure(kinds, given.repeats, lambda *done: keep(path, *done)), given.repeats
        print(f"Written: {path}\n")
    common.print_header("Growth")
    print(f"- one thread a process; medians of {repeats}; behind a value the power of the size, and of its end\n")
    head = [part for name in QUANTITIES.values() for part in (f"{name}, largest", "power")]
    common.print_table(["work", "sizes", *head], table(found))
    draw(given.out / "scaling.png", found)
    if found.keys() == {kind.name for kind in KINDS}:
        print(f"\n## Estimates\n- a GPU: {PEAK / 1e12:.0f} T operations a second stated, {SHARE:.0%} of it assumed")
        print(f"- 64 of them: {TOGETHER:.0%} of 64 times the speed assumed")
        for estimate in ESTIMATES:
            told = estimate(found)
            print(f"\n### {told.name}\n")
            print(*(f"- {one}" for one in told.assumed), sep="\n", end="\n\n")
            common.print_table(["what", "estimate"], told.rows)
    print(f"\nWritten: {given.out / 'scaling.png'}")


if __name__ == "__main__":
    main()

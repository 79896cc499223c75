"""What the benchmarks share: the header, the timing and the table.

Absolute times depend on the machine and on whoever else uses it. Every benchmark therefore also reports its
time as a multiple of one 2048 x 2048 x 2048 float32 matrix product, timed in the same process
(``matmul_seconds``).
"""

import argparse
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from fulgurite.huge_pages import use_huge_pages

use_huge_pages()  # as the command does
MATMUL_SIZE = 2048


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds per call over ``runs`` calls."""

    median: float
    fastest: float
    slowest: float
    runs: int

    def __str__(self) -> str:
        scale, unit = (1e3, "ms") if self.median < 10 else (1.0, "s")
        low, middle, high = (scale * value for value in (self.fastest, self.median, self.slowest))
        return f"{middle:.4g} {unit} ({low:.4g}-{high:.4g})"


def synchronize() -> None:
    """Wait for the accelerator, where there is one."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def measure(
    work: Callable[[], object],
    *,
    runs: int = 7,
    warmup: int = 2,
    clock: Callable[[], float] = time.perf_counter,
) -> Timing:
    """Time ``work``: ``warmup`` calls that do not count, then ``runs`` that do.

    With ``time.process_time`` as the clock and a single thread the figures hold on a machine that others use too.
    """
    for _ in range(warmup):
        work()
    seconds = []
    for _ in range(runs):
        synchronize()
        start = clock()
        work()
        synchronize()
        seconds.append(clock() - start)
    return Timing(statistics.median(seconds), min(seconds), max(seconds), runs)


def matmul_seconds(
    device: torch.device | str = "cpu", *, runs: int = 9, clock: Callable[[], float] = time.perf_counter
) -> Timing:
    """Time the unit of all ratios: a 2048 x 2048 by 2048 x 2048 float32 product."""
    left = torch.randn(MATMUL_SIZE, MATMUL_SIZE, device=device)
    right = torch.randn(MATMUL_SIZE, MATMUL_SIZE, device=device)
    return measure(lambda: left @ right, runs=runs, warmup=3, clock=clock)


def peak_rss_bytes() -> int:
    """Largest resident set of this process so far, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def commit() -> str:
    """Short hash of the checkout, with ``+`` if files are changed; ``unknown`` outside a checkout."""
    root = Path(__file__).parents[1]

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else ""

    revision = git("rev-parse", "--short", "HEAD")
    return revision + ("+" if git("status", "--porcelain", "-uno") else "") if revision else "unknown"


def processor() -> str:
    """Name of the CPU, and of the GPU where there is one."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if "model name" in line]
        name = names[0] if names else name
    return f"{name}; {torch.cuda.get_device_name()}" if torch.cuda.is_available() else name


def parser(description: str) -> argparse.ArgumentParser:
    """Return a parser with the options that every benchmark has: ``--threads`` and ``--runs``."""
    arguments = argparse.ArgumentParser(description=description)
    arguments.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1), help="CPU threads")
    arguments.add_argument("--runs", type=int, default=7, help="timed calls per row")
    return arguments


def print_header(title: str) -> None:
    """Print on what and with what the numbers were taken."""
    print(f"## {title}")
    print(f"- device: {processor()}; threads: {torch.get_num_threads()} of {os.cpu_count()}")
    print(f"- python {platform.python_version()}, torch {torch.__version__}, commit {commit()}")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print ``rows`` as a Markdown table that also reads well in a terminal."""
    widths = [max(len(str(row[i])) for row in [columns, *rows]) for i in range(len(columns))]

    def line(cells: Sequence[object]) -> str:
        return "| " + " | ".join(str(cell).ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"

    print(line(columns))
    print("|" + "|".join("-" * (width + 2) for width in widths) + "|")
    for row in rows:
        print(line(row))

"""What a promise is, and how its cases are tried."""

import multiprocessing
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple


class Case(NamedTuple):
    """One try. ``check`` gets an empty folder and raises where the promise is broken."""

    name: str
    check: Callable[[Path], None]


@dataclass(frozen=True)
class Promise:
    """What is promised, and how it is tried.

    Attributes:
        name: In a word or two.
        cases: All cases in a fixed order, the same for the same seed. What one needs is made as it is tried.
        short: How many of them ``make test`` tries.
        together: How many may be tried at once; 1 where a case takes both cores.
    """

    name: str
    cases: Callable[[int], Iterator[Case]]
    short: int
    together: int = 2


@dataclass(frozen=True)
class Outcome:
    """What became of a promise.

    Attributes:
        tried: Number of cases.
        failures: What was raised, by the name of the case.
        seconds: Time for all of them.
    """

    tried: int
    failures: dict[str, str]
    seconds: float


_cases: list[Case] = []  # those of the promise that is tried; the processes that share them are forked with it


def try_promise(
    promise: Promise,
    folder: Path,
    seed: int,
    most: int | None,
    jobs: int = 1,
    done: Callable[[int, int], object] = lambda tried, total: None,
) -> Outcome:
    """Try the cases of a promise, each in a folder of its own.

    Args:
        promise: What is tried.
        folder: Folder for those of the cases.
        seed: Of the cases.
        most: How many are tried; None for all.
        jobs: Processes that share the work.
        done: Called with the number of cases that were tried, and of all.
    """
    begun, failures, tried = time.monotonic(), dict[str, str](), 0
    _cases[:] = islice(promise.cases(seed), most)
    total, jobs = len(_cases), min(jobs, promise.together)
    size = max(1, total // (jobs * 20))
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("fork")) as pool:
        parts = [
            pool.submit(_try_some, folder / promise.name.replace(" ", "_"), range(first, min(first + size, total)))
            for first in range(0, total, size)
        ]
        for part in as_completed(parts):
            count, broken = part.result()
            tried += count
            failures |= broken
            done(tried, total)
    return Outcome(tried, failures, time.monotonic() - begun)


def _try_some(stem: Path, numbers: range) -> tuple[int, dict[str, str]]:
    """Return how many cases were tried, and what was raised by the name of the case."""
    failures = {}
    for number in numbers:
        place = stem.with_name(f"{stem.name}-{number:04d}")
        place.mkdir(parents=True)
        try:
            _cases[number].check(place)
        except Exception:  # the table counts it, and shows what it was
            failures[_cases[number].name] = traceback.format_exc()
    return len(numbers), failures

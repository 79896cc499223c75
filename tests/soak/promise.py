"""What a promise is, and how its cases are tried."""

import multiprocessing
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
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
    """

    name: str
    cases: Callable[[int], Iterator[Case]]
    short: int


@dataclass(frozen=True)
class Outcome:
    """What became of a promise.

    Attributes:
        tried: Number of cases.
        failures: What was raised, by the name of the case.
        seconds: Time from the beginning of the first case to the end of the last.
    """

    tried: int
    failures: dict[str, str]
    seconds: float


_cases: dict[str, list[Case]] = {}  # by the name of the promise; the processes that share them are forked with it


def try_promises(
    promises: Sequence[Promise],
    folder: Path,
    seed: int,
    most: int | None,
    jobs: int = 1,
    done: Callable[[str, int, int], object] = lambda name, tried, total: None,
) -> Iterator[tuple[str, Outcome]]:
    """Try the cases of promises, each in a folder of its own, and yield what became of a promise when it is through.

    The cases of a promise begin while the last ones of the promise before are tried, so that no core waits.

    Args:
        promises: What is tried, in this order.
        folder: Folder for those of the cases.
        seed: Of the cases.
        most: How many are tried of each; None for all.
        jobs: Processes that share the work.
        done: Called with the name of a promise, the number of its cases that were tried, and of all.
    """
    _cases.clear()
    _cases.update({one.name: list(islice(one.cases(seed), most)) for one in promises})
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("fork")) as pool:
        parts = {}
        for name, cases in _cases.items():
            size = max(1, len(cases) // (jobs * 20))
            stem = folder / name.replace(" ", "_")
            for first in range(0, len(cases), size):
                part = pool.submit(_try_some, name, stem, range(first, min(first + size, len(cases))))
                parts[part] = name
        so_far: dict[str, list[_Part]] = {name: [] for name in _cases}
        for part in as_completed(parts):
            name = parts[part]
            so_far[name].append(part.result())
            tried = sum(one.tried for one in so_far[name])
            done(name, tried, len(_cases[name]))
            if tried == len(_cases[name]):
                yield name, _outcome(so_far[name])


class _Part(NamedTuple):
    tried: int
    failures: dict[str, str]
    begun: float
    ended: float


def _outcome(parts: Sequence[_Part]) -> Outcome:
    failures = {name: what for part in parts for name, what in part.failures.items()}
    seconds = max(part.ended for part in parts) - min(part.begun for part in parts)
    return Outcome(sum(part.tried for part in parts), failures, seconds)


def _try_some(name: str, stem: Path, numbers: range) -> _Part:
    """Try some cases of a promise, and say what was raised by the name of the case."""
    begun, failures = time.monotonic(), {}
    for number in numbers:
        case = _cases[name][number]
        place = stem.with_name(f"{stem.name}-{number:04d}")
        place.mkdir(parents=True)
        try:
            case.check(place)
        except Exception:  # the table counts it, and shows what it was
            failures[case.name] = traceback.format_exc()
    return _Part(len(numbers), failures, begun, time.monotonic())

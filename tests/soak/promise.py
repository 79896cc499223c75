"""What a promise is, and how its cases are tried."""

import time
import traceback
from collections.abc import Callable, Iterator
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
        cases: All cases in a fixed order, the same for the same seed; made one by one as they are tried.
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
        seconds: Time for all of them.
    """

    tried: int
    failures: dict[str, str]
    seconds: float


def try_promise(promise: Promise, folder: Path, seed: int, most: int | None, told: Callable[[str], None]) -> Outcome:
    """Try the cases of a promise, each in a folder of its own.

    Args:
        promise: What is tried.
        folder: Folder for those of the cases.
        seed: Of the cases.
        most: How many are tried; None for all.
        told: Called with the names of promise and case before it begins.
    """
    begun, tried, failures = time.monotonic(), 0, dict[str, str]()
    for number, case in enumerate(islice(promise.cases(seed), most)):
        told(f"{promise.name}: {case.name}")
        place = folder / f"{promise.name.replace(' ', '_')}-{number:04d}"
        place.mkdir(parents=True)
        tried += 1
        try:
            case.check(place)
        except Exception:  # the table counts it, and shows what it was
            failures[case.name] = traceback.format_exc()
    return Outcome(tried, failures, time.monotonic() - begun)

"""How long many runs still take, judged by those that are over."""

import heapq
from collections.abc import Mapping, Sequence


def seconds_left(
    took: Mapping[str, Sequence[float]],
    running: Sequence[tuple[str, float]],
    waiting: Sequence[str],
    at_once: int,
) -> float | None:
    """Return the seconds until the last run is over; None where nothing is left, or nothing is known yet.

    A run is taken to last as long as those of its kind have, or as those of all where none of its kind is over. Runs
    that wait take the places of those that end first.

    Args:
        took: seconds of what is over, by kind.
        running: kind of each run that runs, and the seconds since it began.
        waiting: kind of each run that waits, in their order.
        at_once: how many run beside each other, at least 1.
    """
    every = [seconds for of_one in took.values() for seconds in of_one]
    if not every or not (running or waiting):
        return None

    def mean(kind: str) -> float:
        known = took.get(kind) or every
        return sum(known) / len(known)

    places = [max(mean(kind) - passed, 0.0) for kind, passed in running]
    places += [0.0] * (at_once - len(places))
    heapq.heapify(places)
    for kind in waiting:
        heapq.heapreplace(places, places[0] + mean(kind))
    return max(places)

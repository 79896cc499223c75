"""The threshold above which normal video has no more than so many events an hour."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from callbacks.clips.events import EventRule, find_events
from datamodules.errors import InputError

CONFIDENCE = 0.95
"""With which a number of events in some hours says what the rate is at most."""

Recording = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Scores ``(N,)`` and times ``(N,)`` in seconds, rising."""


@dataclass(frozen=True, slots=True)
class AlarmRate:
    """What a threshold means on normal video.

    Attributes:
        threshold: raw score above which an event begins.
        events: how many there are.
        hours: length of the video.
    """

    threshold: float
    events: int
    hours: float

    @property
    def rate(self) -> float:
        """Events per hour on that video."""
        return self.events / self.hours

    @property
    def at_most(self) -> float:
        """Events per hour that a rate as on that video is not above, with ``CONFIDENCE`` (Poisson, exact)."""
        return float(chi2.ppf(CONFIDENCE, 2 * (self.events + 1))) / 2 / self.hours

    def record(self) -> dict[str, Any]:
        """Return what is written of it."""
        return {"events": self.events, "hours": round(self.hours, 4), "per_hour_at_most": round(self.at_most, 4)}


def hours_needed(rate: float) -> float:
    """Return how much normal video a rate needs: with no event in so many, it holds with ``CONFIDENCE``."""
    return -math.log(1 - CONFIDENCE) / rate


def refuse_too_little(hours: float, rate: float, what: str) -> None:
    """Refuse a rate that so little video can say nothing of.

    Args:
        hours: length of the video.
        rate: events per hour.
        what: the video.

    Raises:
        InputError: with how much is needed.
    """
    needed = hours_needed(rate)
    if not hours >= needed:
        raise InputError(
            f"--false-alarms-per-hour {rate:g}: {what} lasts {_time(hours)}, and {_time(needed)} are needed: in less, "
            f"not even a threshold without any false alarm shows that they are so few ({CONFIDENCE:.0%} confidence). "
            "Give more normal video of this camera by --normal, a higher rate, or a --threshold"
        )


def threshold_for(
    recordings: Sequence[Recording], hours: float, rate: float, rule: Callable[[float], EventRule]
) -> AlarmRate:
    """Return the lowest threshold at which, and above which, normal video has at most ``rate`` events an hour.

    It is searched from above: far below, everything is one long event, and few events would mean nothing.

    Args:
        recordings: of normal video.
        hours: their length.
        rate: events per hour.
        rule: what an event is at a threshold.

    Raises:
        InputError: if the video has fewer events than that at every threshold above its median score.
    """

    def events(threshold: float) -> int:
        return sum(len(find_events(scores, times, rule(threshold))) for scores, times in recordings)

    every = np.concatenate([scores for scores, _ in recordings])
    peaks = np.unique(np.concatenate([_peaks(scores) for scores, _ in recordings]))[::-1]
    most = 0
    for threshold in peaks[peaks > np.median(every)].tolist():
        below = events(math.nextafter(threshold, -math.inf))
        if below > rate * hours:
            return AlarmRate(threshold, events(threshold), hours)
        most = max(most, below)
    raise InputError(
        f"--false-alarms-per-hour {rate:g}: normal video has fewer events at every threshold above its median score "
        f"({most / hours:.3g} an hour at most); give a lower rate, or a --threshold"
    )


def _peaks(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the scores that no neighbour exceeds: only where a threshold falls below one are there more events."""
    edged = np.concatenate([[-np.inf], scores, [-np.inf]])
    return scores[(scores >= edged[:-2]) & (scores >= edged[2:])]


def _time(hours: float) -> str:
    if hours >= 1:
        return f"{hours:.1f} hours"
    return f"{3600 * hours:.3g} seconds" if hours < 1 / 30 else f"{60 * hours:.0f} minutes"

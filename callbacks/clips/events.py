"""From the scores of frames to events: when something began, when it ended, and when it was strongest.

A score that sways around a threshold would be a new event with every swing. So an event begins above the threshold and
ends below a lower level, the release; events that follow each other closely are one; what is too short is none.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from datamodules.errors import InputError

EVENTS = "events.csv"
RELEASE, SHORTEST, GAP = "80%", 0.0, 1.0
"""What holds where nobody says otherwise: a share of the threshold, and seconds."""
Numbers = Sequence[float] | NDArray[Any]
COLUMNS = ("start", "end", "first_frame", "last_frame", "peak_frame", "peak_time", "peak_score")


@dataclass(frozen=True, slots=True)
class Event:
    """Something that lasted from one frame to another, both part of it.

    Attributes:
        start: time of its first frame, in seconds.
        end: time of its last frame, in seconds.
        first: number of its first frame.
        last: number of its last frame.
        peak: number of the frame with its highest score, the first of several.
        peak_time: time of that frame, in seconds.
        peak_score: the highest score.
    """

    start: float
    end: float
    first: int
    last: int
    peak: int
    peak_time: float
    peak_score: float

    def row(self) -> list[Any]:
        """Return its cells of ``events.csv``, see ``COLUMNS``; times have milliseconds."""
        return [
            f"{self.start:.3f}",
            f"{self.end:.3f}",
            self.first,
            self.last,
            self.peak,
            f"{self.peak_time:.3f}",
            float(self.peak_score),
        ]

    def joined(self, other: "Event") -> "Event":
        """Return the event that reaches from the beginning of this one to the end of a later one."""
        peak = max(self, other, key=lambda one: one.peak_score)  # of equal ones the first
        return replace(peak, start=self.start, first=self.first, end=other.end, last=other.last)


@dataclass(frozen=True, slots=True)
class EventRule:
    """What an event is.

    Attributes:
        threshold: raw score above which one begins.
        release: raw score below which it ends, at most the threshold.
        shortest: seconds from its first to its last frame that it lasts at least; 0: one frame is enough.
        gap: seconds from the end of one to the beginning of the next up to which both are one.

    Raises:
        InputError: if a value is out of its range.
    """

    threshold: float
    release: float
    shortest: float = SHORTEST
    gap: float = GAP

    def __post_init__(self) -> None:
        check_durations(self.shortest, self.gap)
        if not (math.isfinite(self.threshold) and math.isfinite(self.release)):
            raise InputError(f"threshold {self.threshold}, release {self.release}: give finite numbers")
        if self.release > self.threshold:
            raise InputError(
                f"release = {self.release:g}: an event would end where it begins, above the threshold of "
                f"{self.threshold:g}; give a lower value, or a share such as {RELEASE}"
            )

    @classmethod
    def of(cls, threshold: float, release: str | float = RELEASE, shortest: float = SHORTEST, gap: float = GAP) -> Self:
        """Return the rule with a release that is written as a share of the threshold, ``80%``, or as a raw score."""
        return cls(threshold, release_level(release, threshold), shortest, gap)


def check_durations(shortest: float, gap: float) -> None:
    """Refuse durations that are none.

    Raises:
        InputError: if one is negative or not finite.
    """
    for name, value in (("shortest", shortest), ("gap", gap)):
        if not (math.isfinite(value) and value >= 0):
            raise InputError(f"{name} = {value:g}: give seconds, 0 or more")


def release_level(release: str | float, threshold: float) -> float:
    """Return the raw score below which an event ends.

    Args:
        release: a share of the threshold such as ``"80%"``, or a raw score. A share below a negative threshold lies as
            far below it as one of a positive does: 80 % of 1 are 0.8, of -1 they are -1.2.
        threshold: raw score above which an event begins.

    Raises:
        InputError: if it is neither, or the share is above 100 %.
    """
    share = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*%\s*", release) if isinstance(release, str) else None
    if share and float(share[1]) <= 100:
        return threshold - (1 - float(share[1]) / 100) * abs(threshold)
    try:
        value = math.nan if share else float(release)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(
            f"release = {release}: give a share of the threshold such as {RELEASE}, or a score such as 0.9"
        )
    return value


class EventFinder:
    """Finds events in scores that come one after another; holds the one that is not over, however long it lasts.

    Args:
        rule: what an event is.
    """

    def __init__(self, rule: EventRule) -> None:
        self.rule = rule
        self._held: Event | None = None  # it may end here, go on, or be joined by the next
        self._on = False
        self._time = -math.inf

    @property
    def open(self) -> Event | None:
        """What has been found of an event that is not over yet; None where there is none, or it is too short so far."""
        return self._if_long_enough(self._held)

    def add(self, frame: int, time: float, score: float) -> Event | None:
        """Take in a frame, and return the event that it shows to be over.

        Args:
            frame: its number.
            time: of the frame in seconds, later than the one before.
            score: raw.

        Raises:
            ValueError: if a time does not rise, or a score is not finite.
        """
        if not time > self._time:
            raise ValueError(f"frame {frame} is at {time} s, the one before at {self._time} s: times must rise")
        if not math.isfinite(score):
            raise ValueError(f"the score of frame {frame} is {score}")
        goes_on, self._time = self._on, time
        self._on = score >= self.rule.release if goes_on else score > self.rule.threshold
        over = None
        if self._held is not None and not (goes_on and self._on) and time - self._held.end > self.rule.gap:
            over, self._held = self._if_long_enough(self._held), None
        if self._on:
            here = Event(time, time, frame, frame, frame, time, score)
            self._held = here if self._held is None else self._held.joined(here)
        return over

    def close(self) -> Event | None:
        """End what is open, and return it: no more frames come, or the next one is much later."""
        over, self._held, self._on = self._if_long_enough(self._held), None, False
        return over

    def _if_long_enough(self, event: Event | None) -> Event | None:
        return event if event is not None and event.end - event.start >= self.rule.shortest else None


def find_events(scores: Numbers, times: Numbers, rule: EventRule) -> list[Event]:
    """Return all events of a recording, the same that :class:`EventFinder` finds frame by frame.

    Args:
        scores: ``(N,)``, raw, one a frame.
        times: ``(N,)``, in seconds, rising.
        rule: what an event is.

    Raises:
        ValueError: if there are not as many times as scores, a time does not rise, or a score is not finite.
    """
    score, time = np.asarray(scores, np.float64), np.asarray(times, np.float64)
    if score.shape != time.shape or score.ndim != 1:
        raise ValueError(f"{score.shape} scores and {time.shape} times: one of each a frame is needed")
    if not np.isfinite(score).all() or not (np.diff(time) > 0).all():
        raise ValueError("scores must be finite, and times must rise")
    joined: list[Event] = []
    for first, last in _spans(score, rule):
        peak = first + int(score[first : last + 1].argmax())
        ends = (float(time[first]), float(time[last]), first, last)
        event = Event(*ends, peak, float(time[peak]), float(score[peak]))
        if joined and event.start - joined[-1].end <= rule.gap:
            joined[-1] = joined[-1].joined(event)
        else:
            joined.append(event)
    return [event for event in joined if event.end - event.start >= rule.shortest]


def _spans(score: NDArray[np.float64], rule: EventRule) -> Iterator[tuple[int, int]]:
    """Yield first and last frame of what begins above the threshold and stays at the release or above it."""
    stays = np.flatnonzero(np.diff(np.concatenate([[False], score >= rule.release, [False]]).astype(np.int8)))
    for begin, end in zip(stays[::2].tolist(), stays[1::2].tolist(), strict=True):
        above = np.flatnonzero(score[begin:end] > rule.threshold)
        if len(above):
            yield begin + int(above[0]), end - 1

"""What the metrics mean: their range, which way is better, and beside which one a reference stands.

Each room has a table of them, ``<room>/meanings.py``. From it ``results.json`` takes what a report, a comparison and
the screen say of its figures, and ``docs/metrics.md`` is written.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypedDict

Better = Literal["higher", "lower"]


class Described(TypedDict):
    """A meaning as it stands in ``results.json``."""

    means: str
    better: Better | None
    range: tuple[float | None, float | None]
    beside: str | None


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a metric is.

    Attributes:
        name: of the metric, without the stage. ``<part>`` stands for any word, such as the name of a kind of evidence;
            the same in ``means`` and ``beside`` is that word.
        means: in a clause of plain English, without a full stop.
        better: which way is better; None where neither is.
        lowest: smallest possible value, None without a bound.
        highest: largest possible value, None without a bound.
        beside: the metric that this one is a reference for: a rule without learning, chance, a target.
        trap: what it is easily mistaken for, in sentences; empty where there is nothing to warn of.
    """

    name: str
    means: str
    better: Better | None = None
    lowest: float | None = None
    highest: float | None = None
    beside: str | None = None
    trap: str = ""

    def of(self, name: str) -> Described | None:
        """Return what ``name`` means by this entry, None where it is another metric."""
        pattern = re.escape(self.name).replace(re.escape("<part>"), "(?P<part>.+)")
        match = re.fullmatch(pattern, name)
        if not match:
            return None
        part = match.groupdict().get("part", "")
        return {
            "means": self.means.replace("<part>", part),
            "better": self.better,
            "range": (self.lowest, self.highest),
            "beside": self.beside.replace("<part>", part) if self.beside else None,
        }


def describe(names: Iterable[str], meanings: Sequence[Meaning]) -> dict[str, Described]:
    """Return the meaning of every metric that has one; the first entry that fits counts.

    Args:
        names: of metrics, without the stage.
        meanings: the table of a room.
    """
    found: dict[str, Described] = {}
    for name in names:
        for one in meanings:
            if described := one.of(name):
                found[name] = described
                break
    return found


def references_of(metric: str, described: Mapping[str, Described], known: Iterable[str]) -> list[str]:
    """Return the names among ``known`` that are references for a metric, in their order."""
    return [name for name in known if name in described and described[name]["beside"] == metric]

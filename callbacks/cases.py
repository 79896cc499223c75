"""The worst and best cases of a test: what they are, how they are kept, and the files that show them.

``docs/results_format.md`` documents ``cases.json`` for other programs.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from callbacks.results import write_record

CASES, CASES_FOLDER = "cases.json", "cases"
MOST = 12
"""Cases of a test."""

Kind = Literal["worst", "best"]
End = Literal["highest", "lowest"]
Plan = tuple[tuple[Kind, int, End], ...]
"""What is looked for: kind of the cases, label of what they are taken from, and the end of its scores."""

JUDGED: Plan = (("worst", 0, "highest"), ("worst", 1, "lowest"), ("best", 1, "highest"), ("best", 0, "lowest"))
"""Of a detector: false alarms, misses, finds, and what it was surest to be normal."""

UNJUDGED: Plan = (("worst", -1, "highest"), ("best", -1, "lowest"))
"""Where no label is known."""

RowsT = TypeVar("RowsT", contravariant=True)


@dataclass(frozen=True, slots=True)
class Case:
    """One case.

    Attributes:
        name: of what it shows: the picture, or the video and frame.
        kind: ``worst`` or ``best``.
        says: one sentence for a reader.
        figures: finite numbers by name.
        ending: of its file, ``.png`` or ``.mp4``.
        draw: writes the file.
    """

    name: str
    kind: Kind
    says: str
    figures: dict[str, float | int]
    ending: Literal[".png", ".mp4"]
    draw: Callable[[Path], None]


class CaseBook(ABC, Generic[RowsT]):
    """Keeps what may be a case while the batches of a test pass, and chooses at the end."""

    @abstractmethod
    def add(self, outputs: Any, batch: Any) -> None:
        """Look at the answer to a batch; what is held must not grow with their number."""

    @abstractmethod
    def choose(self, rows: RowsT, details: Mapping[str, Any]) -> list[Case]:
        """Return at most ``MOST`` cases, worst first; all processes must call it.

        Args:
            rows: what was judged, of all processes.
            details: the thresholds among it, as in ``results.json``.
        """


def write_cases(folder: Path, cases: Sequence[Case]) -> list[Path]:
    """Write ``cases/<kind>-<number>.png`` or ``.mp4`` and ``cases.json``; nothing where there is no case.

    Returns:
        The files of the cases.
    """
    written, listed, count = [], [], {"worst": 0, "best": 0}
    for case in cases:
        count[case.kind] += 1
        file = f"{CASES_FOLDER}/{case.kind}-{count[case.kind]}{case.ending}"
        case.draw(folder / file)
        about = {"name": case.name, "kind": case.kind, "says": case.says, "figures": case.figures, "file": file}
        listed.append(about)
        written.append(folder / file)
    if listed:
        write_record(folder / CASES, {"cases": listed})
    return written


def plan_of(labels: NDArray[np.int64]) -> tuple[Plan, int]:
    """Return what to look for, and how many of each, among items of these labels: 1 anomalous, 0 normal, -1 unknown."""
    plan = tuple(one for one in JUDGED if one[1] in labels) or UNJUDGED
    return plan, MOST // len(plan)


def rank_of(score: float, scores: NDArray[np.float64], end: End) -> int:
    """Return the place of a score among all, counted from one end; 1 is the outermost."""
    beyond = scores > score if end == "highest" else scores < score
    return int(beyond.sum()) + 1


def outermost(rank: int, end: End) -> str:
    """Say a rank: ``highest``, ``2nd highest``, ``11th lowest``."""
    ending = "th" if rank % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(rank % 10, "th")
    return end if rank == 1 else f"{rank:,}{ending} {end}"


def sentence(label: int, end: End, what: str, place: tuple[int, int], score: float, threshold: float | None) -> str:
    """Say why something is a case.

    Args:
        label: 1 anomalous, 0 normal, -1 unknown.
        end: of the scores, at which it lies.
        what: is counted, in the plural, for example ``normal frames``.
        place: its rank from that end, and the number of all.
        score: raw.
        threshold: above which it is called anomalous; None where unknown.
    """
    rank, count = place
    said = f"The {outermost(rank, end)} score of {count:,} {what}: {score:.4g}"
    if threshold is None:
        return f"{said}; no threshold is known."
    above = score > threshold
    verdict = {(0, True): "a false alarm", (0, False): "no alarm", (1, True): "found", (1, False): "missed"}
    told = verdict.get((label, above), "whether rightly is not known, since it has no label")
    return f"{said}, {'above' if above else 'not above'} the threshold of {threshold:.4g}: {told}."

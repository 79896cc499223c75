"""What the tests of a run have left in ``results/`` show it."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from callbacks.meanings import Better, Described
from callbacks.results import FOLDER, RESULTS, read_results
from datamodules.atomic_file import DRAFT
from datamodules.errors import InputError
from fulgurite.pages.checked import Checked, is_number

Number = float | int


@dataclass(frozen=True)
class Outcome:
    """One ``results.json``.

    Attributes:
        folder: its folder.
        about: from ``system`` to ``test_seconds``, as far as it is text or a number.
        headline: the metric that comes first; None where the file is older than that.
        metrics: finite value by name, references among them.
        meanings: by the name of a metric; empty where the file is older than that.
        undefined: reason by the name of a metric without value.
        counts: of what was judged.
        groups: by what is grouped, by the group's name: its figures.
        details: further entries of one number each, such as ``threshold``.
        verdict: what the figures come to, in a sentence; None where they speak for themselves.
        matter: names of the metrics that tell the most, the first above all; empty where the file is older than that.
        warnings: what a callback that watched the training has to say.
    """

    folder: Path
    about: Checked
    headline: str | None
    metrics: dict[str, Number]
    meanings: dict[str, Described] = field(default_factory=dict)
    undefined: dict[str, str] = field(default_factory=dict)
    counts: dict[str, Number] = field(default_factory=dict)
    groups: dict[str, dict[str, dict[str, Number | None]]] = field(default_factory=dict)
    details: dict[str, Number] = field(default_factory=dict)
    verdict: str | None = None
    matter: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Name of what was tested, which is that of the folder."""
        return self.folder.name

    @property
    def is_complete(self) -> bool:
        """Whether all data were judged."""
        return self.about.flag("complete") is not False


def read_tests(run: Path) -> list[Outcome]:
    """Return the tests of a run, the newest first.

    Raises:
        InputError: if a ``results.json`` is damaged, or has the form of before version 0.2.
    """
    files = [file for file in run.glob(f"{FOLDER}/*/{RESULTS}") if not file.parent.name.startswith(DRAFT)]
    tests = [read_test(file) for file in sorted(files)]
    return sorted(tests, key=lambda test: test.about.text("date") or "", reverse=True)


def read_test(path: Path) -> Outcome:
    """Read and check one ``results.json``.

    Raises:
        InputError: see :func:`read_tests`.
    """
    held: dict[str, Any] = {**read_results(path)}
    found = Checked(held, str(path))
    groups = found.within("groups")
    return Outcome(
        folder=path.parent,
        about=found,
        headline=found.text("headline"),
        metrics=_given(found.within("metrics")),
        meanings={name: _described(one) for name, one in found.each("meanings").items()},
        undefined=found.within("undefined").all_texts(),
        counts=_given(found.within("counts")),
        groups={kind: {name: one.all_numbers() for name, one in groups.each(kind).items()} for kind in groups.held},
        details={key: value for key, value in held.items() if is_number(value) and key not in ABOUT},
        verdict=found.text("verdict"),
        matter=[name for name in held.get("matter") or () if isinstance(name, str)],
        warnings=_warnings(found.within("adversarial_health")),
    )


ABOUT = ("seed", "processes", "test_seconds")
"""Entries of one number that tell how it was tested, not what came out."""


def when(text: str | None) -> str | None:
    """Return a date of one of these files as people read it, to the minute; any other text as it is."""
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return text
    return f"{moment.day} {moment:%B %Y, %H:%M} {moment.tzname() or ''}".strip()


def _given(found: Checked) -> dict[str, Number]:
    return {name: value for name, value in found.all_numbers().items() if value is not None}


def _described(found: Checked) -> Described:
    bounds, better = found.held.get("range"), found.text("better")
    if not isinstance(bounds, list) or len(bounds) != 2 or not all(one is None or is_number(one) for one in bounds):
        raise InputError(f"{found.place}: range is no pair of numbers or null; run `lightning test` again")
    if better not in ("higher", "lower", None):
        raise InputError(
            f"{found.place}: better is {better}, expected higher, lower or null; run `lightning test` again"
        )
    way: Better | None = "higher" if better == "higher" else "lower" if better == "lower" else None
    return {
        "means": found.text("means") or "",
        "better": way,
        "range": (bounds[0], bounds[1]),
        "beside": found.text("beside"),
    }


def _warnings(health: Checked) -> list[str]:
    return [why for one in health.each("collapsed").values() if (why := one.text("why"))]

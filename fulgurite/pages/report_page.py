"""The report of one run, put together from the files in its folder; none of them is trusted."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from datamodules.errors import InputError
from fulgurite.pages import facts
from fulgurite.pages.embedded import embedded
from fulgurite.pages.logged import read_logged, training_panels, validation_panels
from fulgurite.pages.media import Medium, medium, of_last_validation, title_of
from fulgurite.pages.page import render
from fulgurite.pages.results_files import read_tests
from fulgurite.pages.section import Section, section
from fulgurite.pages.settings import read_configuration

LARGEST_PAGE = 15_000_000
"""Bytes below which a report stays, so that it can be sent."""
AROUND = 1000
"""Bytes of HTML that a picture or a clip takes besides its content, at most."""
KINDS = ("worst", "best")
T = TypeVar("T")


@dataclass(frozen=True)
class Report:
    """A page, and what could not be shown on it.

    Attributes:
        page: the HTML.
        notes: a sentence for each part that is damaged or missing.
        left_out: pictures and clips for which there was no room.
    """

    page: str
    notes: list[str]
    left_out: list[Medium]


def report(run: Path, largest: int = LARGEST_PAGE) -> Report:
    """Make the report of a run.

    Args:
        run: its folder.
        largest: bytes below which the page stays; the largest pictures are compressed for it, then the largest left out

    Raises:
        InputError: if a table or the results of a test are damaged.
    """
    notes: list[str] = []
    training = _optional(notes, partial(facts.read_training, run))
    best = facts.best_facts(training, _optional(notes, partial(facts.read_index, run)))
    monitor, _, best_batches = best
    sections = [section(run, test, monitor, notes) for test in read_tests(run)]
    configured = _optional(notes, partial(read_configuration, run))
    logged = read_logged(run / "metrics.csv")
    meanings = {name: one for shown in sections for name, one in shown.test.meanings.items()}
    picked = (monitor or "").removeprefix("val/")
    parts = [*([("training", training)] if training else []), *((one.test.name, one.test.about) for one in sections)]
    values: dict[str, Any] = {
        "run": run,
        "experiment": configured.experiment if configured else run.parent.name,
        "training": facts.training_facts(training) if training else None,
        "best": best,
        "sections": sections,
        "validation": validation_panels(logged, meanings, picked, best_batches),
        "losses": training_panels(logged),
        "settings": configured,
        "parts_of_run": [name for name, _ in parts],
        "release": version("fulgurite"),
        "environment": facts.environment(parts),
        "commands": [(name, facts.command_of(part)) for name, part in parts],
        "kinds": KINDS,
        "notes": notes,
    }
    system = next((one.text("system") for _, one in parts), None)
    values["summary"] = facts.summary(system, training, [one.test.name for one in sections], run)
    media = {
        "shown_media": _media(run, of_last_validation(run), notes),
        "samples": _media(run, sorted(run.glob("samples/*/sheet.png")), notes),
    }
    return _fitted(values, media, largest)


def _fitted(values: dict[str, Any], media: dict[str, list[Medium]], largest: int) -> Report:
    """Put as much of the media into the page as there is room for."""
    sections: list[Section] = values["sections"]
    groups = [*media.values(), *(cases for one in sections for cases in one.cases.values())]
    every = [one for group in groups for one in group]
    bare = render("report.html", **values, **media, left_out=every, largest=largest)
    taken = iter(embedded(every, largest - len(bare.encode()) - AROUND * len(every)))
    for group in groups:
        group[:] = [next(taken) for _ in group]
    left_out = [one for group in groups for one in group if not one.uri]
    page = render("report.html", **values, **media, left_out=left_out, largest=largest)
    return Report(page, values["notes"], left_out)


def _media(run: Path, paths: list[Path], notes: list[str]) -> list[Medium]:
    found = (_optional(notes, partial(medium, run, path, *_titled(path))) for path in paths)
    return [one for one in found if one is not None]


def _titled(path: Path) -> tuple[str, str]:
    return (path.parent.name, "") if path.name == "sheet.png" else title_of(path)


def _optional(notes: list[str], read: Callable[[], T]) -> T | None:
    """Return what ``read`` returns; where it cannot, the page says so."""
    try:
        return read()
    except InputError as problem:
        notes.append(str(problem))
        return None

"""The report of one run, put together from the files in its folder; none of them is trusted."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from datamodules.errors import InputError
from fulgurite import experiment_files
from fulgurite.pages import facts, settings
from fulgurite.pages.cases import read_cases
from fulgurite.pages.checked import Checked, read_object
from fulgurite.pages.logged import Panel, read_logged, training_panels, validation_panels
from fulgurite.pages.media import Medium, medium, of_last_validation, taken_in, title_of
from fulgurite.pages.metric_table import Row, Variants, headline_of, metric_rows, variants
from fulgurite.pages.page import render
from fulgurite.pages.results_files import Tested, read_tests, read_training
from fulgurite.pages.score_table import curve_panels, read_scores, spreads, timelines
from fulgurite.runs import CHECKPOINTS, CONFIG
from fulgurite.yaml_file import read_yaml

LARGEST_PAGE = 15_000_000
"""Bytes below which a report stays, so that it can be sent."""
KINDS = ("worst", "best")
T = TypeVar("T")


@dataclass(frozen=True)
class Section:
    """What one test has to show."""

    test: Tested
    rows: list[Row]
    variants: Variants | None
    curves: list[Panel] = field(default_factory=list)
    timelines: list[Panel] = field(default_factory=list)
    timelines_left: int = 0
    spreads: list[Panel] = field(default_factory=list)
    cases: dict[str, list[Medium]] = field(default_factory=dict)

    @property
    def headline(self) -> Row | None:
        """The metric that comes first, if it is known which."""
        return self.rows[0] if self.rows and self.rows[0].is_headline else None


@dataclass(frozen=True)
class Settings:
    """The configuration of a run.

    Attributes:
        text: the whole file.
        experiment: name of the experiment that ships; empty where none of that name does.
        differences: from it.
    """

    text: str
    experiment: str
    differences: list[settings.Difference]


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
        largest: bytes below which the page stays; the largest pictures and clips are left out for it.

    Raises:
        InputError: if a table or the results of a test are damaged.
    """
    notes: list[str] = []
    training = _optional(notes, partial(read_training, run))
    index = _optional(notes, partial(_index, run))
    best = _optional(notes, partial(facts.best_facts, training, index)) or (None, None, None)
    monitor, _, best_batches = best
    sections = [_section(run, test, monitor, notes) for test in read_tests(run)]
    logged = read_logged(run / "metrics.csv")
    meanings = {name: one for section in sections for name, one in section.test.meanings.items()}
    picked = (monitor or "").removeprefix("val/")
    parts = [*([("training", training)] if training else []), *((one.test.name, one.test.about) for one in sections)]
    values: dict[str, Any] = {
        "run": run,
        "experiment": run.parent.name,
        "training": _optional(notes, partial(facts.training_facts, training)) if training else None,
        "best": best,
        "sections": sections,
        "validation": validation_panels(logged, meanings, picked, best_batches),
        "losses": training_panels(logged),
        "settings": _optional(notes, partial(_settings, run)),
        "parts_of_run": [name for name, _ in parts],
        "release": version("fulgurite"),
        "environment": _optional(notes, partial(facts.environment, parts)) or [],
        "commands": [(name, _optional(notes, partial(facts.command_of, part))) for name, part in parts],
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
    taken = iter(taken_in(every, largest - len(bare.encode())))
    for group in groups:
        group[:] = [next(taken) for _ in group]
    left_out = [one for group in groups for one in group if not one.uri]
    page = render("report.html", **values, **media, left_out=left_out, largest=largest)
    return Report(page, values["notes"], left_out)


def _section(run: Path, test: Tested, monitor: str | None, notes: list[str]) -> Section:
    headline = headline_of(test, monitor)
    rows = metric_rows(test, headline)
    cases = read_cases(run, test.folder, notes)
    scores = read_scores(test.folder)
    if scores is None:
        notes.append(f"{test.folder}: there is no scores.csv, so that no curves are drawn of this test")
        return Section(test, rows, variants(test), cases=cases)
    beside = {one.name.removeprefix(f"{headline}_") for row in rows if row.is_headline for one in row.beside}
    shown, left = timelines(scores, test.details.get("threshold"))
    curves = curve_panels(scores, beside) if scores.is_labelled else []
    return Section(test, rows, variants(test), curves, shown, left, spreads(scores), cases)


def _media(run: Path, paths: list[Path], notes: list[str]) -> list[Medium]:
    found = (_optional(notes, partial(medium, run, path, *_titled(path))) for path in paths)
    return [one for one in found if one is not None]


def _titled(path: Path) -> tuple[str, str]:
    return (path.parent.name, "") if path.name == "sheet.png" else title_of(path)


def _index(run: Path) -> Checked | None:
    path = run / CHECKPOINTS / "index.json"
    return Checked(read_object(path), str(path)) if path.is_file() else None


def _settings(run: Path) -> Settings | None:
    path = run / CONFIG
    if not path.is_file():
        return None
    config = read_yaml(path)
    if not isinstance(config, dict):
        raise InputError(f"{path}: expected lines of 'key: value'")
    name = settings.shipped_name(config, run)
    shipped = experiment_files.find(name)
    found = settings.differences(config, read_yaml(shipped)) if shipped else []
    return Settings(path.read_text(encoding="utf-8"), name if shipped else "", found)


def _optional(notes: list[str], read: Callable[[], T]) -> T | None:
    """Return what ``read`` returns; where it cannot, the page says so."""
    try:
        return read()
    except InputError as problem:
        notes.append(str(problem))
        return None

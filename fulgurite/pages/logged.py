"""The curves of a training, from ``metrics.csv``: validations, losses by phase, rates, the adversarial game."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from callbacks.meanings import Described
from datamodules.errors import InputError
from fulgurite.pages import plots
from fulgurite.pages.plots import Figure, Line
from fulgurite.pages.thin import MOST_POINTS

Series = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Batches and values, both ``(N,)``."""
STEP = "step"
"""Column with the batches that the weights have seen; older runs have one less there."""


@dataclass(frozen=True)
class Panel:
    """A figure with what stands above and below it."""

    title: str
    figure: Figure
    caption: str


def read_logged(path: Path) -> dict[str, Series]:
    """Return what was logged, by its name; empty where there is no such file.

    A last row that a full disk has cut is left out, as it is where a run goes on.

    Raises:
        InputError: if the file is damaged.
    """
    if not path.is_file():
        return {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        rows = list(csv.DictReader(io.StringIO("".join(line for line in lines if line.endswith("\n")), newline="")))
        found = {
            name: [(float(row[STEP]), float(value)) for row in rows if (value := row[name])]
            for name in (rows[0] if rows else {})
            if name != STEP
        }
    except OSError as problem:
        raise InputError(f"{path} cannot be read: {problem.strerror}") from None
    except (ValueError, KeyError, TypeError, csv.Error) as problem:
        raise InputError(f"{path} is damaged: {type(problem).__name__} {problem}. Remove it, or train again") from None
    pairs = {name: np.array(values, np.float64) for name, values in found.items() if values}
    return {name: (table[:, 0], table[:, 1]) for name, table in pairs.items()}


def validation_panels(
    logged: Mapping[str, Series], meanings: Mapping[str, Described], headline: str | None, best: float | None
) -> list[Panel]:
    """Return a panel for each validation metric and what it is beside, the headline's first.

    Args:
        logged: see :func:`read_logged`.
        meanings: by the name of a metric without its stage.
        headline: name of a metric without its stage.
        best: batches that the weights of ``best.ckpt`` have seen.
    """
    names = [name.removeprefix("val/") for name in logged if name.startswith("val/")]
    families: dict[str, list[str]] = {}
    for name in sorted(names, key=len):  # a metric comes before those that begin like it
        beside = meanings[name]["beside"] if name in meanings else None
        head = next((one for one in families if one == beside or name.startswith(f"{one}_")), None)
        families.setdefault(head or name, []).append(name)
    order = sorted(families, key=lambda head: (headline not in families[head], names.index(head)))
    panels = []
    for head in order:
        references = {name for name in families[head] if name in meanings and meanings[name]["beside"] == head}
        lines = [
            _validation_line(name, logged, name in references, not references or name in (head, headline, *references))
            for name in sorted(
                families[head], key=lambda name: (name != headline, name != head, name not in references)
            )
        ]
        means = f"{_sentence(meanings[head]['means'])} " if head in meanings else ""
        hidden = "A click on a name shows or hides its line." if len(lines) > 1 else ""
        figure = plots.curves(lines, "batches", marked=best, mark="best.ckpt")
        panels.append(Panel(head, figure, f"{means}{hidden}".strip() or "At every validation."))
    return panels


def training_panels(logged: Mapping[str, Series]) -> list[Panel]:
    """Return a panel for each phase's losses, one for the rates, one for the adversarial game, and one for the rest."""
    groups: dict[str, dict[str, Series]] = {}
    for name, series in logged.items():
        stage, _, rest = name.partition("/")
        phase, slash, term = rest.partition("/")
        if stage != "train":
            continue
        if term == "learning_rate":
            groups.setdefault("learning rate", {})[phase] = series
        elif phase == "health":
            groups.setdefault("what the discriminator makes of real and generated data", {})[term] = series
        elif slash:
            groups.setdefault(f"losses of the {phase}", {})[term] = series
        else:
            groups.setdefault("further", {})[rest] = series
    panels = []
    for title, lines in groups.items():
        drawn = [Line(name, *series) for name, series in lines.items()]
        longest = max(len(line[0]) for line in lines.values())
        caption = f"{longest:,} rows logged."
        if longest > MOST_POINTS:
            caption += f" Drawn are the lowest and the highest value of each of {MOST_POINTS // 2:,} equal parts."
        panels.append(Panel(title, plots.curves(drawn, "batches"), caption))
    return panels


def _sentence(clause: str) -> str:
    return f"{clause[:1].upper()}{clause[1:]}."


def _validation_line(name: str, logged: Mapping[str, Series], is_reference: bool, shown: bool) -> Line:
    return Line(name, *logged[f"val/{name}"], kind="reference" if is_reference else "dots", shown=shown)

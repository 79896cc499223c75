"""What a page shows of one test: its metrics, its curves, its scores over time, its worst and best cases."""

from dataclasses import dataclass, field
from pathlib import Path

from fulgurite.pages.cases import read_cases
from fulgurite.pages.logged import Panel
from fulgurite.pages.media import Medium
from fulgurite.pages.metric_table import Row, Variants, headline_of, metric_rows, variants
from fulgurite.pages.results_files import Outcome
from fulgurite.pages.score_table import curve_panels, read_scores, spreads, timelines


@dataclass(frozen=True)
class Section:
    """What one test has to show."""

    test: Outcome
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


def section(run: Path, test: Outcome, monitor: str | None, notes: list[str]) -> Section:
    """Return what there is to show of a test.

    Args:
        run: the run folder.
        test: its results.
        monitor: by what ``best.ckpt`` was picked, which comes first where the test does not say what does.
        notes: gets a sentence for each part that cannot be shown.

    Raises:
        InputError: if ``scores.csv`` is damaged.
    """
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

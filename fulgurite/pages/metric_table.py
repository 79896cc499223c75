"""Metrics as a reader takes them in: the headline first, each beside what is reached without learning."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fulgurite.pages.results_files import Number, Outcome

_FREE = (None, None)
FEWEST = 6
"""Variants that are worth a table of their own."""


@dataclass(frozen=True)
class Reference:
    """What a metric is beside: a rule without learning, chance, a target.

    Attributes:
        name: of the metric.
        value: of it.
        means: a sentence.
    """

    name: str
    value: Number
    means: str


@dataclass(frozen=True)
class Row:
    """One metric.

    Attributes:
        name: of it.
        value: None where undefined.
        means: a sentence; empty where nobody says.
        better: ``higher``, ``lower``, or None.
        bounds: the least and the most that it can be, as text; empty where nothing bounds it.
        beside: its references, the best first.
        why: why it has no value.
        is_headline: whether it comes first.
    """

    name: str
    value: Number | None
    means: str
    better: str | None
    bounds: str
    beside: list[Reference]
    why: str = ""
    is_headline: bool = False

    @property
    def wins(self) -> bool | None:
        """Whether it is better than its best reference; None where that cannot be said."""
        if self.value is None or not self.beside or self.better is None:
            return None
        best = self.beside[0].value
        return self.value > best if self.better == "higher" else self.value < best


@dataclass(frozen=True)
class Variants:
    """Metrics that are one of several applied to one of several scores: a table instead of a long list.

    Attributes:
        heads: names of the metrics, the columns.
        rows: by the score's name, a value for each head; None where there is none.
    """

    heads: list[str]
    rows: dict[str, list[Number | None]]


def headline_of(test: Outcome, monitor: str | None) -> str | None:
    """Return the metric that comes first: the test's own, else what ``best.ckpt`` was picked by; None for neither."""
    picked = (monitor or "").removeprefix("val/")
    named = (one for one in (test.headline, picked) if one in test.metrics or one in test.undefined)
    return next(named, None)


def metric_rows(test: Outcome, headline: str | None) -> list[Row]:
    """Return the metrics of a test, references beside the metric that they are for, variants left out."""
    names = [*test.metrics, *test.undefined]
    left = _references(test) | set(_suffixes(test))
    shown = [name for name in names if name == headline or name not in left]
    shown.sort(key=lambda name: name != headline)  # the others stay in their order
    beside: dict[str, list[str]] = {}
    for name in test.metrics:
        if name in test.meanings and (metric := test.meanings[name]["beside"]):
            beside.setdefault(metric, []).append(name)
    return [_row(name, test, beside.get(name, ()), name == headline) for name in shown]


def variants(test: Outcome) -> Variants | None:
    """Return the metrics that are left out of :func:`metric_rows`, None where there is none."""
    placed = _suffixes(test)
    if not placed:
        return None
    heads = list(dict.fromkeys(head for head, _ in placed.values()))
    suffixes = list(dict.fromkeys(suffix for _, suffix in placed.values()))
    by_place = {place: test.metrics.get(name) for name, place in placed.items()}
    return Variants(heads, {suffix: [by_place.get((head, suffix)) for head in heads] for suffix in suffixes})


def _row(name: str, test: Outcome, references: Sequence[str], is_headline: bool) -> Row:
    meaning = test.meanings.get(name)
    means, better, bounds = (meaning["means"], meaning["better"], meaning["range"]) if meaning else ("", None, _FREE)
    found = [Reference(one, test.metrics[one], test.meanings[one]["means"]) for one in references]
    if better:
        found.sort(key=lambda one: one.value, reverse=better == "higher")
    return Row(
        name, test.metrics.get(name), means, better, _bounds(*bounds), found, test.undefined.get(name, ""), is_headline
    )


def _references(test: Outcome) -> set[str]:
    """Return the names of the metrics that stand beside another one."""
    names = {*test.metrics, *test.undefined}
    beside = ((one, test.meanings[one]["beside"]) for one in names if one in test.meanings)
    return {one for one, metric in beside if metric in names and metric != one}


def _bounds(low: Number | None, high: Number | None) -> str:
    if low is None and high is None:
        return ""
    if high is None:
        return f"at least {low:g}"
    return f"at most {high:g}" if low is None else f"{low:g} to {high:g}"


def _suffixes(test: Outcome) -> Mapping[str, tuple[str, str]]:
    """Return head and suffix of every metric that is a variant.

    ``tile_auroc_macro_kl`` is ``kl`` of ``tile_auroc_macro``, and not ``macro_kl`` of ``tile_auroc``, since other
    metrics have a ``kl`` too. A suffix that only one metric has makes no variant.
    """
    names = [*test.metrics, *test.undefined]
    references = _references(test)
    own = dict.fromkeys(name for name in names if name not in references)
    places = {
        name: [(head, name[end + 1 :]) for end, one in enumerate(name) if one == "_" and (head := name[:end]) in own]
        for name in own
    }
    common = Counter(suffix for found in places.values() for _, suffix in found)
    chosen = {
        name: max(found, key=lambda place: (common[place[1]], -len(place[0])))
        for name, found in places.items()
        if found
    }
    repeated = {name: place for name, place in chosen.items() if common[place[1]] > 1}
    heads = {head for head, _ in repeated.values()}
    placed = {name: place for name, place in repeated.items() if name not in heads}
    return placed if len(placed) >= FEWEST else {}

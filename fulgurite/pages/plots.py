"""Plots for a page, in one style for light and dark: figures of plotly as plain dictionaries.

A colour is written ``var(--c1)``; the page puts the one of its style in its place. Text in them is made safe here:
plotly takes some of HTML's marks for its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from callbacks import auc
from callbacks.text import printable
from fulgurite.pages.thin import evenly, numbers, thinned

Figure = dict[str, Any]
"""``data`` and ``layout``, made of JSON's types."""

COLOURS = tuple(f"var(--c{number})" for number in range(1, 9))
SHOWN = 8
"""Lines of a plot that are drawn at once; the others are a click on their names away."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a plot.

    Attributes:
        name: in the legend; may be any text.
        x: ``(N,)``, rising.
        y: ``(N,)``; what is not finite leaves a gap.
        kind: ``line``, ``dots`` (few values, each with a point), or ``reference`` (dashed: what the others are beside).
        shown: whether it is drawn at once, or after a click on its name.
    """

    name: str
    x: ArrayLike
    y: ArrayLike
    kind: Literal["line", "dots", "reference"] = "line"
    shown: bool = True


def curves(lines: Sequence[Line], across: str, up: str = "", marked: float | None = None, mark: str = "") -> Figure:
    """Return lines over a common axis.

    Args:
        lines: at least one; beyond eight that are shown, the last wait for a click.
        across: title of the horizontal axis.
        up: title of the vertical axis.
        marked: place of a vertical line.
        mark: what stands at it.
    """
    shown = [line for line in lines if line.shown][:SHOWN]
    data = [
        _trace(line, COLOURS[number % len(COLOURS)], any(line is one for one in shown))
        for number, line in enumerate(lines)
    ]
    layout = base_layout(across, up, legend=len(lines) > 1, height=280 + _further_rows([line.name for line in lines]))
    if bounds := _around_constant(shown):
        layout["yaxis"]["range"] = bounds
    if marked is not None:
        layout["shapes"] = [_line({"x0": marked, "x1": marked, "y0": 0, "y1": 1, "yref": "paper"})]
        layout["annotations"] = [_note(mark, x=marked, y=1, yref="paper", yanchor="bottom")]
        layout["margin"]["t"] = 24
    return {"data": data, "layout": layout}


def roc(found: Mapping[str, auc.RankCurve], shown: Sequence[str]) -> Figure:
    """Return ROC curves by the name of the score, with the area in the legend.

    Args:
        found: the curves; each has both classes.
        shown: names of those that are drawn at once.
    """
    lines = []
    for name, curve in found.items():
        false_rate, true_rate = auc.roc_curve(curve)
        rows = evenly(len(false_rate))
        label = f"{name}  {auc.auroc(curve):.4f}"
        lines.append(Line(label, false_rate[rows], true_rate[rows], shown=name in shown))
    figure = _square(lines, "false positive rate", "true positive rate")
    figure["layout"]["shapes"] = [_line({"x0": 0, "y0": 0, "x1": 1, "y1": 1})]
    return figure


def precision_recall(found: Mapping[str, auc.RankCurve], shown: Sequence[str]) -> Figure:
    """Return precision-recall curves by the name of the score, with the average precision in the legend; as ``roc``."""
    lines, share = [], 0.0
    for name, curve in found.items():
        recall, precision = auc.precision_recall_curve(curve)
        rows = evenly(len(recall))
        label = f"{name}  {auc.average_precision(curve):.4f}"
        lines.append(Line(label, recall[rows], precision[rows], shown=name in shown))
        share = curve.positives / (curve.positives + curve.negatives)
    figure = _square(lines, "recall", "precision", shape="vh")
    figure["layout"]["shapes"] = [_line({"x0": 0, "x1": 1, "y0": share, "y1": share})]
    figure["layout"]["annotations"] = [_note(f"chance {share:.2f}", x=0, y=share, xanchor="left", yanchor="top")]
    return figure


def timeline(
    frame: ArrayLike, score: ArrayLike, spans: Sequence[tuple[float, float]], threshold: float | None
) -> Figure:
    """Return a score over the frames, labelled spans shaded, the threshold dashed; it zooms along the frames.

    Args:
        frame: ``(N,)``, rising.
        score: ``(N,)``.
        spans: first and last frame of each span with an anomaly.
        threshold: of the score; None where unknown.
    """
    layout = base_layout("frame", "score", legend=False, height=190)
    band = {"type": "rect", "yref": "paper", "y0": 0, "y1": 1, "layer": "below", "line": {"width": 0}}
    band |= {"fillcolor": "var(--anomalous)", "opacity": 0.2}
    layout["shapes"] = [{**band, "x0": begin - 0.5, "x1": end + 0.5} for begin, end in spans]
    if threshold is not None:
        layout["shapes"].append(_line({"x0": 0, "x1": 1, "xref": "paper", "y0": threshold, "y1": threshold}))
        layout["annotations"] = [_note("threshold", x=1, xref="paper", y=threshold, xanchor="right", yanchor="bottom")]
    layout["yaxis"]["fixedrange"] = True
    return {"data": [_trace(Line("score", frame, score), COLOURS[0], True)], "layout": layout}


def spread(values: Mapping[str, NDArray[np.float64]], across: str) -> Figure:
    """Return histograms over common bins, each the share of its own values.

    Args:
        values: finite ``(N,)`` by name, at least one each.
        across: what they are.
    """
    together = np.concatenate([*values.values()])
    edges = np.histogram_bin_edges(together, bins=min(60, max(5, round(len(together) ** 0.5))))
    centres = (edges[1:] + edges[:-1]) / 2
    layout = base_layout(across, "share", legend=len(values) > 1, height=240)
    layout |= {"barmode": "overlay", "bargap": 0.04}
    colours = {"anomalous": "var(--anomalous)"}
    data = [
        {
            "type": "bar",
            "name": plain_text(name),
            "x": numbers(centres),
            "y": numbers(np.histogram(one, edges)[0] / len(one)),
            "marker": {"color": colours.get(name, COLOURS[number % len(COLOURS)])},
            "opacity": 0.65 if len(values) > 1 else 0.85,
        }
        for number, (name, one) in enumerate(values.items())
    ]
    return {"data": data, "layout": layout}


def plain_text(text: str) -> str:
    """Return a text that plotly shows as it is."""
    return escape(printable(text), quote=False)


def _trace(line: Line, colour: str, shown: bool, shape: str = "linear") -> dict[str, Any]:
    x, y = thinned(line.x, line.y)
    style = {"color": colour, "width": 1.4, "shape": shape}
    if line.kind == "reference":
        style |= {"dash": "dot"}
    return {
        "type": "scatter",
        "mode": "lines" if line.kind == "line" and len(y) > 1 else "lines+markers",
        "name": plain_text(line.name),
        "x": numbers(x),
        "y": numbers(y),
        "line": style,
        "marker": {"size": 5},
        "visible": True if shown else "legendonly",
    }


def base_layout(across: str, up: str, legend: bool, height: int = 280) -> dict[str, Any]:
    """Return what all plots of a page look like.

    Args:
        across: title of the horizontal axis.
        up: title of the vertical axis.
        legend: whether names are shown.
        height: pixels.
    """
    axis = {"gridcolor": "var(--line)", "zeroline": False, "linecolor": "var(--line)", "automargin": True}
    axis |= {"exponentformat": "e"}
    return {
        "height": height,
        "autosize": True,
        "margin": {"l": 48, "r": 12, "t": 10, "b": 40},
        "font": {"family": "var(--font)", "size": 12, "color": "var(--soft)"},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "hovermode": "x",
        "hoverlabel": {"namelength": -1},
        "dragmode": "zoom",
        "showlegend": legend,
        "legend": {"orientation": "h", "x": 0, "y": -0.22, "yanchor": "top", "font": {"size": 11}},
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": "var(--faint)", "activecolor": "var(--accent)"},
        "xaxis": {**axis, "title": {"text": across, "standoff": 6}},
        "yaxis": {**axis, "title": {"text": plain_text(up), "standoff": 8}},
        "meta": {"square": False},
    }


def _square(lines: Sequence[Line], across: str, up: str, shape: str = "linear") -> Figure:
    layout = base_layout(across, up, legend=True, height=400 + _further_rows([line.name for line in lines]))
    layout["xaxis"] |= {"range": [-0.01, 1.01]}
    layout["yaxis"] |= {"range": [-0.01, 1.02]}
    layout["legend"]["y"] = -0.16
    layout["hovermode"] = "closest"
    layout["meta"] = {"square": True}
    data = [_trace(line, COLOURS[number % len(COLOURS)], line.shown, shape) for number, line in enumerate(lines)]
    return {"data": data, "layout": layout}


def _further_rows(names: Sequence[str]) -> int:
    """Return the pixels that a legend takes below its first row in half of the page's width."""
    width = 45 + 6.3 * max(map(len, names))  # of an entry, in the font of the legend
    columns = max(1, int(460 / width))
    return 17 * (-(-len(names) // columns) - 1)


def _around_constant(lines: Sequence[Line]) -> list[float] | None:
    """Return an axis from 0 to twice the one value that all lines have; plotly's own would be 1 below to 1 above."""
    values = np.concatenate([np.empty(0), *(np.asarray(line.y, np.float64) for line in lines)])
    values = values[np.isfinite(values)]
    if not len(values) or values.min() < values.max() or values[0] == 0:
        return None
    return sorted([0.0, 2 * float(values[0])])


def _line(place: dict[str, Any]) -> dict[str, Any]:
    return {"type": "line", "line": {"color": "var(--soft)", "width": 1, "dash": "dash"}, "layer": "below", **place}


def _note(text: str, **place: Any) -> dict[str, Any]:
    return {"text": plain_text(text), "showarrow": False, "font": {"size": 11, "color": "var(--soft)"}, **place}

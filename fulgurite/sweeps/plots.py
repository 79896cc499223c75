"""Plots of a sweep: its course, what its values depend on, and every trial as a line across all parameters."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from fulgurite.pages.plots import Figure, base_layout, plain_text
from fulgurite.sweeps.parameter import Parameter
from fulgurite.sweeps.space import brief, short_names
from fulgurite.sweeps.study import Known

NOT_SEARCHED = -0.12
"""Height at which a line passes a parameter that its trial has not searched."""
GROUPS = {
    "best": {"color": "var(--c2)", "width": 3},
    "best quarter": {"color": "var(--c1)", "width": 1.6},
    "the others": {"color": "var(--c8)", "width": 1},
    "pruned": {"color": "var(--c8)", "width": 1, "dash": "dot"},
}


def history(trials: Sequence[Known], objective: str, direction: str) -> Figure:
    """Return the value of each trial over its number, and the best so far.

    Args:
        trials: all, in their order.
        objective: name of the metric.
        direction: ``maximize`` or ``minimize``.
    """
    layout = base_layout("trial", objective, legend=True)
    layout["hovermode"] = "closest"
    data: list[dict[str, Any]] = []
    for state, colour, symbol in (("complete", "var(--c1)", "circle"), ("pruned", "var(--c8)", "x-thin-open")):
        some = [one for one in trials if one.state == state and one.value is not None]
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": state,
                "x": [one.number for one in some],
                "y": [one.value for one in some],
                "text": [_told(one) for one in some],
                "hovertemplate": "%{text}<extra></extra>",
                "marker": {"color": colour, "symbol": symbol, "size": 8},
            }
        )
    better = max if direction == "maximize" else min
    places: list[int] = []
    best: list[float] = []
    for one in trials:
        if one.state == "complete" and one.value is not None:
            places.append(one.number)
            best.append(better([one.value, *best[-1:]]))
    line = {"color": "var(--c3)", "width": 1.4, "shape": "hv"}
    data.append({"type": "scatter", "mode": "lines", "name": "best so far", "x": places, "y": best, "line": line})
    return {"data": data, "layout": layout}


def importances(shares: Mapping[str, float]) -> Figure:
    """Return a bar for each key, the most important on top.

    Args:
        shares: by key, in [0, 1].
    """
    order = sorted(shares, key=lambda key: shares[key])
    layout = base_layout("share", "", legend=False, height=90 + 30 * len(order))
    layout["xaxis"]["rangemode"] = "tozero"
    names = [plain_text(name) for name in short_names(order)]
    bar = {"type": "bar", "orientation": "h", "x": [shares[key] for key in order], "y": names}
    return {"data": [{**bar, "marker": {"color": "var(--c1)"}, "opacity": 0.85}], "layout": layout}


def parallel(trials: Sequence[Known], parameters: Sequence[Parameter], objective: str, direction: str) -> Figure:
    """Return a line for each trial that has a value, across an axis for each parameter and one for the value.

    Args:
        trials: all.
        parameters: in the order of the axes.
        objective: name of the metric.
        direction: ``maximize`` or ``minimize``; good values are drawn on top.
    """
    some = [one for one in trials if one.value is not None and one.state in ("complete", "pruned")]
    values = [one.value for one in some if one.value is not None]
    low, high = min(values), max(values)
    complete = sorted(
        (one for one in some if one.state == "complete"),
        key=lambda one: _number(one.value) * (-1 if direction == "maximize" else 1),
    )
    layout = base_layout("", "", legend=True, height=430)
    names = [*short_names(one.key for one in parameters), objective]
    hidden = {"showgrid": False, "showticklabels": False, "showline": False, "fixedrange": True, "title": {"text": ""}}
    layout["xaxis"] |= {**hidden, "range": [-0.35, len(parameters) + 0.35]}
    layout["yaxis"] |= {**hidden, "range": [-0.2, 1.1]}
    layout["legend"]["y"] = -0.02
    layout |= {"hovermode": "closest", "dragmode": False, "margin": {"l": 8, "r": 8, "t": 34, "b": 30}}
    axis = {"type": "line", "y0": 0, "y1": 1, "line": {"color": "var(--line)", "width": 1.5}, "layer": "below"}
    layout["shapes"] = [{**axis, "x0": place, "x1": place} for place in range(len(names))]
    ticks = [*(_ticks(one) for one in parameters), [(0.0, brief(low)), (1.0, brief(high))]]
    layout["annotations"] = [
        *(_text(name, place, 1.08, yanchor="bottom", size=12) for place, name in enumerate(names[:-1])),
        _text(names[-1], len(parameters) + 0.35, 1.08, yanchor="bottom", xanchor="right", size=12),
        *(_text(text, place, y) for place, own in enumerate(ticks) for y, text in own),
    ]
    data = []
    seen: set[str] = set()
    for one in sorted(some, key=lambda one: list(GROUPS).index(_group(one, complete)), reverse=True):
        group = _group(one, complete)
        heights = [_height(parameter, one.values) for parameter in parameters]
        heights.append((_number(one.value) - low) / (high - low) if high > low else 0.5)
        data.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": group,
                "legendgroup": group,
                "legendrank": list(GROUPS).index(group),
                "showlegend": group not in seen,
                "x": list(range(len(names))),
                "y": heights,
                "line": GROUPS[group],
                "marker": {"size": 4, "color": GROUPS[group]["color"]},
                "opacity": 1 if group == "best" else 0.75,
                "text": [_told(one)] * len(names),
                "hovertemplate": "%{text}<extra></extra>",
            }
        )
        seen.add(group)
    return {"data": data, "layout": layout}


def _group(one: Known, complete: Sequence[Known]) -> str:
    if one.state == "pruned":
        return "pruned"
    place = [other.number for other in complete].index(one.number)
    return "best" if place == 0 else "best quarter" if place < math.ceil(len(complete) / 4) else "the others"


def _height(parameter: Parameter, values: Mapping[str, Any]) -> float:
    """Return the place of a value on its axis, in [0, 1]."""
    if parameter.key not in values:
        return NOT_SEARCHED
    value = values[parameter.key]
    if parameter.kind == "choice":
        return list(map(repr, parameter.choices)).index(repr(value)) / (len(parameter.choices) - 1)
    low, high = float(parameter.low), float(parameter.high)
    if parameter.log:
        return (math.log(value) - math.log(low)) / (math.log(high) - math.log(low))
    return float((value - low) / (high - low))


def _ticks(parameter: Parameter) -> list[tuple[float, str]]:
    none = [(NOT_SEARCHED, "not searched")] if parameter.when else []
    if parameter.kind == "choice":
        last = len(parameter.choices) - 1
        return [*none, *((place / last, text[:24]) for place, text in enumerate(parameter.texts))]
    return [*none, (0.0, brief(parameter.low)), (1.0, brief(parameter.high))]


def _text(text: str, x: float, y: float, size: int = 11, **place: Any) -> dict[str, Any]:
    place = {"xanchor": "center", "yanchor": "middle", **place}
    where = {"x": x, "y": y, "showarrow": False, "font": {"size": size, "color": "var(--ink)"}}
    return {"text": plain_text(text), "bgcolor": "var(--card)", "opacity": 0.9, **where, **place}


def _told(one: Known) -> str:
    value = f": {brief(_number(one.value))}" if one.value is not None else ""
    own = [f"{name} {brief(value)}" for name, value in zip(short_names(one.values), one.values.values(), strict=True)]
    return "<br>".join(plain_text(text) for text in (f"trial {one.number:03d}, {one.state}{value}", *own))


def _number(value: float | None) -> float:
    assert value is not None, "it was looked for"
    return value

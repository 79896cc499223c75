"""How time and memory grow: a panel a system, both axes logarithmic and in multiples of the smallest size."""

from collections.abc import Mapping
from pathlib import Path

from matplotlib.axes import Axes

from benchmarks.scaling.growth import Growth
from callbacks.plots import picture, plain

COLUMNS = 4
TICKS = (1, 2, 4, 8, 16)


def draw(path: Path, found: Mapping[str, Growth]) -> None:
    """Write the picture: lines of CPU time, dashed ones of memory, each with the power of the size."""
    panels: dict[str, list[Growth]] = {}
    for one in found.values():
        panels.setdefault(one.name.split(":")[0].split(",")[0], []).append(one)
    rows = -(-len(panels) // COLUMNS)
    with picture(path, 3.3 * min(COLUMNS, len(panels)) + 0.3, 3.1 * rows + 0.3) as figure:
        grid = figure.subplots(rows, min(COLUMNS, len(panels)), squeeze=False)
        for axes, (name, growths) in zip(grid.flat, panels.items(), strict=False):
            axes.set_title(name, loc="left", fontsize=9)
            for number, one in enumerate(growths):
                _draw_lines(axes, one, one.name.removeprefix(name).lstrip(",: "), f"C{number}")
            axes.set(xscale="log", yscale="log")
            for axis in (axes.xaxis, axes.yaxis):
                axis.set_ticks(TICKS, labels=list(map(str, TICKS)))
                axis.set_ticks([], minor=True)
            axes.set_ylim(top=4 * axes.get_ylim()[1])  # room for the legend
            axes.legend(fontsize=6.5, frameon=False, loc="upper left")
            axes.tick_params(labelsize=7)
            plain(axes)
        for axes in list(grid.flat)[len(panels) :]:
            axes.remove()
        figure.supxlabel("size, times the smallest", fontsize=8)
        figure.supylabel("CPU time (line) and memory (dashed), times the smallest", fontsize=8)


def _draw_lines(axes: Axes, one: Growth, name: str, colour: str) -> None:
    for quantity, style in (("cpu", "-"), ("memory", "--")):
        points = one.medians(quantity)
        first, power = min(points), one.exponent(quantity)
        if power is None:
            continue
        across, up = [place / first for place in points], [value / points[first] for value in points.values()]
        label = f"{name}: time ^{power:.2f}" if quantity == "cpu" else f"memory ^{power:.2f}"
        axes.plot(across, up, style, color=colour, marker=".", markersize=4, linewidth=1.1, label=label)

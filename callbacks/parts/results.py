"""What a test on inspected parts writes to scores.csv, and prints."""

from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from callbacks.evaluation import Evaluation
from callbacks.parts.table import PartRow

_PER_GROUP = {
    "defective_tiles": "defective\ntiles",
    "tile_auroc": "tile\nauroc",
    "tile_auroc_within": "within",
    "image_auroc": "image\nauroc",
    "aupro": "aupro",
    "tiles_found": "tiles\nfound",
    "false_alarms": "false\nalarms",
}
_WITH_ALTERNATIVES = {
    "tile_auroc": "tile_auroc",
    "tile_auroc_macro": "macro",
    "tile_auroc_within": "within",
    "tile_auroc_gap": "gap",
}


def part_scores(rows: Sequence[PartRow]) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
    """Return one row per tile: picture, group, defect, place in pixels, score, label (-1 unknown), alternatives."""
    names = list(rows[0].alternatives)
    header = ["name", "group", "defect", "top", "left", "height", "width", "score", "label", *names]
    cells = (
        [row.name, row.group, row.defect, *tile]
        for row in rows
        for tile in zip(
            *row.tile.T.tolist(),
            row.tile_score.tolist(),
            row.tile_label.tolist(),
            *(row.alternatives[name].tolist() for name in names),
            strict=True,
        )
    )
    return header, cells


def part_tables(evaluation: Evaluation) -> list[RenderableType]:
    """Return what is printed: the metrics, the model's beside those of the alternatives, and the groups."""
    metrics, counts = evaluation.metrics, evaluation.counts
    title = (
        f"{counts['pictures']} pictures, {counts['defective_pictures']} defective; tiles: {counts['defective_tiles']} "
        f"defective, {counts['clean_tiles_beside_defects']} clean beside them, "
        f"{counts['faultless_tiles']} of faultless pictures"
    )
    every = [*metrics, *evaluation.undefined]
    names = [name.removeprefix("tile_auroc_gap_") for name in every if name.startswith("tile_auroc_gap_")]
    beside = Table("score", *_WITH_ALTERNATIVES.values())
    for suffix, name in (("", "model"), *((f"_{name}", name) for name in names)):
        beside.add_row(name, *(_cell(metrics.get(metric + suffix)) for metric in _WITH_ALTERNATIVES))
    shown = {f"{metric}_{name}" for metric in _WITH_ALTERNATIVES for name in names} | set(_WITH_ALTERNATIVES)
    alone = Table("metric", "model")
    for metric in every:
        if metric not in shown:
            alone.add_row(metric, _cell(metrics.get(metric)))
    reasons = [
        Text(f"{metric}: undefined ({reason})", style="dim")
        for metric, reason in evaluation.undefined.items()
        if metric not in shown or metric in _WITH_ALTERNATIVES
    ]
    per_group = Table("group", *_PER_GROUP.values())
    for name, figures in evaluation.groups["group"].items():
        per_group.add_row(name, *(_cell(figures.get(column)) for column in _PER_GROUP))
    return [title, beside, alone, *reasons, per_group]


def _cell(value: float | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.4f}"

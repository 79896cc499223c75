"""What a test on inspected parts leaves behind: results.json, scores.csv and tables on the screen."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from callbacks.parts.part_evaluation import Figures, PartEvaluation
from callbacks.parts.part_table import PartRow
from callbacks.results import write_record, write_rows

_PER_GROUP = {
    "defective_tiles": "defective\ntiles",
    "tile_auroc": "tile\nauroc",
    "tile_auroc_within": "within",
    "strip_auroc": "strip\nauroc",
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


def write_part_results(
    path: Path,
    evaluation: PartEvaluation,
    groups: Mapping[str, Figures],
    defects: Mapping[str, Figures],
    about: Mapping[str, Any],
) -> None:
    """Write metrics at the top level (undefined ones as null), then reasons, counts, tables and ``about``."""
    record = {
        **evaluation.metrics,
        "undefined": evaluation.undefined,
        "rounding": evaluation.bounds,
        "counts": evaluation.counts,
        "groups": groups,
        "defects": defects,
        **about,
    }
    write_record(path, record)


def write_part_scores(path: Path, rows: Sequence[PartRow]) -> None:
    """Write one row per tile: picture, group, defect, place in pixels, score, label (-1 unknown), alternatives."""
    names = list(rows[0].alternatives) if rows else []
    header = ["picture", "group", "defect", "top", "left", "height", "width", "score", "label", *names]
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
    write_rows(path, header, cells)


def print_part_results(evaluation: PartEvaluation, groups: Mapping[str, Figures], names: Sequence[str]) -> None:
    """Print the metrics, the model's beside those of the alternatives ``names``, and the groups."""
    counts = evaluation.counts
    title = (
        f"{counts['pictures']} pictures, {counts['defective_pictures']} defective; tiles: {counts['defective_tiles']} "
        f"defective, {counts['clean_tiles_beside_defects']} clean beside them, "
        f"{counts['faultless_tiles']} of faultless pictures"
    )
    beside = Table("score", *_WITH_ALTERNATIVES.values())
    for suffix, name in (("", "model"), *((f"_{name}", name) for name in names)):
        beside.add_row(name, *(_cell(evaluation.metrics[metric + suffix]) for metric in _WITH_ALTERNATIVES))
    shown = {f"{metric}_{name}" for metric in _WITH_ALTERNATIVES for name in names} | set(_WITH_ALTERNATIVES)
    alone = Table("metric", "model")
    for metric, value in evaluation.metrics.items():
        if metric not in shown:
            alone.add_row(metric, _cell(value))
    console = Console()
    console.print(title, beside, alone)
    for metric, reason in evaluation.undefined.items():
        if metric not in shown or metric in _WITH_ALTERNATIVES:
            console.print(f"{metric}: undefined ({reason})", style="dim")
    per_group = Table("group", *_PER_GROUP.values())
    for name, figures in groups.items():
        per_group.add_row(name, *(_cell(figures.get(column)) for column in _PER_GROUP))
    console.print(per_group)


def _cell(value: float | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.4f}"

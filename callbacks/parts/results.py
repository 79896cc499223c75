"""What a test on inspected parts writes to scores.csv."""

from collections.abc import Iterable, Sequence
from typing import Any

from callbacks.parts.table import PartRow


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

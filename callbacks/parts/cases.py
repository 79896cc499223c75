"""Tiles of parts that were got most wrong, and those that were got most right."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from callbacks.auc import Floats, Ints
from callbacks.case_picture import case_picture, of_mask, with_heat
from callbacks.cases import MOST, Case, CaseBook, End, plan_of, rank_of, sentence
from callbacks.colour_bar import heat_marks
from callbacks.extremes import Extremes, Kept
from callbacks.parts.table import PartRow
from callbacks.picture_file import Picture
from datamodules.batches import UNKNOWN_LABEL, PartBatch, PartScores
from datamodules.png_file import write_png

_EDGE = 384  # pixels around a tile that are shown, or its own if it is larger
_FRAME = (120, 200, 255)
_NOT_COMPARED = -2
_WHAT = {1: "defective tiles", 0: "tiles of faultless pictures", -1: "tiles"}


class Shown(NamedTuple):
    """What is kept of a tile and its surroundings: RGB ``(h, w, 3)``, heat and mask ``(h, w)``, corners in them."""

    picture: Picture
    heat: NDArray[np.float32]
    mask: NDArray[np.bool_] | None
    corners: tuple[tuple[int, int], tuple[int, int]]


class PartCases(CaseBook[Sequence[PartRow]]):
    """Shows tiles of faultless pictures with the highest scores and defective ones with the lowest as worst cases.

    The reverse are the best. They are the tiles that ``tile_auroc`` compares, one of a picture at most. A defective
    picture without a mask is represented by its tile of the highest score. A tile's score is known at once, so that
    what is kept while pictures pass are the cases themselves: a tile and what lies around it.
    """

    def __init__(self) -> None:
        ends: tuple[End, End] = ("highest", "lowest")
        self._kept: dict[tuple[int, End], Extremes[Shown]] = {
            (label, end): Extremes(MOST) for label in (1, 0, -1) for end in ends
        }

    def add(self, outputs: Any, batch: Any) -> None:
        """Look at the tiles of a picture."""
        if not (isinstance(outputs, PartScores) and isinstance(batch, PartBatch)):
            return
        score = outputs.tile_score.detach().cpu().double().numpy()
        label = _compared(outputs.label, outputs.tile_label.cpu().numpy(), score)
        for (wanted, end), extremes in self._kept.items():
            of_label = np.flatnonzero(label == wanted)
            if of_label.size:
                tile = int(of_label[score[of_label].argmax() if end == "highest" else score[of_label].argmin()])
                value = float(score[tile] if end == "highest" else -score[tile])
                extremes.offer(value, outputs.name, (outputs.name, tile), partial(_shown, outputs, batch, tile))

    def choose(self, rows: Sequence[PartRow], details: Mapping[str, Any]) -> list[Case]:
        """Return the cases, by the scores of the tiles."""
        kept = {place: extremes.gather() for place, extremes in self._kept.items()}
        tiles = {row.name: row for row in rows}
        label = np.concatenate([_compared(row.label, row.tile_label, row.tile_score) for row in rows])
        score = np.concatenate([row.tile_score for row in rows])
        plan, count = plan_of(label)
        cases: list[Case] = []
        taken: set[tuple[str, int]] = set()
        for kind, wanted, end in plan:
            of_label = score[label == wanted]
            for one in [one for one in kept[wanted, end] if one.key not in taken][:count]:
                taken.add(one.key)
                name, tile = one.key
                own = float(tiles[name].tile_score[tile])
                rank = rank_of(own, of_label, end)
                says = sentence(wanted, end, _WHAT[wanted], (rank, len(of_label)), own, details.get("threshold"))
                top, left = tiles[name].tile[tile, :2].tolist()
                title = f"{name}, tile at row {top}, column {left}"
                figures = {"score": own, "rank": rank}
                figures |= {key: details[key] for key in ("threshold",) if key in details}
                draw = partial(_draw, one, [f"{kind}: {title}", says], details.get("pixel_threshold"))
                cases.append(Case(title, kind, says, figures, ".png", draw))
        return cases


def _compared(label: int, tile_label: Ints, tile_score: Floats) -> Ints:
    """Return of every tile whether it is compared: 1 defective, 0 of a faultless picture, -1 unknown, -2 not at all."""
    if label != 1:
        return np.full(len(tile_score), 0 if label == 0 else UNKNOWN_LABEL)
    if (tile_label == UNKNOWN_LABEL).all():  # nobody has marked where
        return np.where(np.arange(len(tile_score)) == tile_score.argmax(), 1, _NOT_COMPARED)
    return np.where(tile_label == 1, 1, _NOT_COMPARED)


def _shown(outputs: PartScores, batch: PartBatch, number: int) -> Shown:
    """Copy a tile and what lies around it."""
    top, left, height, width = outputs.tile[number].tolist()
    rows, columns = (
        _around(*place) for place in ((top, height, batch.image.shape[1]), (left, width, batch.image.shape[2]))
    )
    picture = batch.image[:, rows, columns].expand(3, -1, -1).movedim(0, -1).cpu().numpy()
    heat = outputs.heat[rows, columns].detach().float().cpu().numpy()
    mask = None if outputs.mask is None else outputs.mask[rows, columns].cpu().numpy() == 1
    first = left - columns.start, top - rows.start
    return Shown(picture.copy(), heat.copy(), mask, (first, (first[0] + width - 1, first[1] + height - 1)))


def _around(first: int, length: int, whole: int) -> slice:
    edge = min(max(_EDGE, length), whole)
    start = max(0, min(first + length // 2 - edge // 2, whole - edge))
    return slice(start, start + edge)


def _draw(kept: Kept[Shown], lines: Sequence[str], threshold: float | None, path: Path) -> None:
    picture, heat, mask, corners = kept.item
    columns = {"input, the tile framed": picture.copy(), "heat": with_heat(picture, heat, threshold)}
    columns |= {} if mask is None else {"mask": of_mask(mask)}
    cv2.rectangle(columns["input, the tile framed"], *corners, _FRAME, 1)
    write_png(path, case_picture(columns, lines, {"heat": heat_marks(threshold)}))

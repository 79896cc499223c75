"""Pictures that were reconstructed worst and best."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from callbacks.case_picture import case_picture
from callbacks.cases import MOST, Case, CaseBook, End, Kind, outermost, rank_of
from callbacks.extremes import Extremes, Kept
from callbacks.heat import heat_colours
from callbacks.images.table import Pictures
from datamodules.batches import Reconstructions
from datamodules.png_file import write_png

_BRIGHTEST = 0.25  # difference, of a range of 1, that has the brightest colour
_MARKS = ("0", f"{_BRIGHTEST / 2}", f"{_BRIGHTEST} or more")
_PLAN: tuple[tuple[Kind, End], ...] = (("worst", "highest"), ("best", "lowest"))


class Shown(NamedTuple):
    """A picture and its reconstruction, uint8 ``(C, H, W)``."""

    picture: NDArray[np.uint8]
    reconstruction: NDArray[np.uint8]


class ImageCases(CaseBook[Pictures | None]):
    """Shows the pictures of the lowest PSNR as worst cases and those of the highest as best.

    A picture's error is known at once, so that what is kept while batches pass are the cases themselves.
    """

    def __init__(self) -> None:
        self._kept: dict[End, Extremes[Shown]] = {"highest": Extremes(MOST), "lowest": Extremes(MOST)}

    def add(self, outputs: Any, batch: Any) -> None:
        """Look at a batch of reconstructions."""
        if not isinstance(outputs, Reconstructions):
            return
        difference = outputs.images.detach().float() - outputs.reconstructed.detach().float()
        error = difference.square().flatten(1).mean(1).double().cpu().tolist()
        for row, (value, index) in enumerate(zip(error, outputs.index.tolist(), strict=True)):
            make = partial(_shown, outputs, row)
            self._kept["highest"].offer(value, index, index, make)
            self._kept["lowest"].offer(-value, index, index, make)

    def choose(self, rows: Pictures | None, details: Mapping[str, Any]) -> list[Case]:
        """Return the cases, by the errors of the pictures."""
        assert rows is not None
        kept = {end: extremes.gather() for end, extremes in self._kept.items()}
        cases: list[Case] = []
        taken: set[int] = set()
        count = min(MOST // len(_PLAN), -(-len(rows) // len(_PLAN)))  # of few pictures half are no worst cases
        for kind, end in _PLAN:
            for one in [one for one in kept[end] if one.key not in taken][:count]:
                taken.add(one.key)
                cases.append(_case(one, rows, kind, end))
        return cases


def _case(kept: Kept[Shown], rows: Pictures, kind: Kind, end: End) -> Case:
    row = int(np.searchsorted(rows.index, kept.key))
    error = float(rows.squared_error[row])
    rank = rank_of(error, rows.squared_error, end)
    figures: dict[str, float | int] = {"rank": rank, "ssim": float(rows.ssim[row])}
    figures |= {"psnr": -10 * float(np.log10(error))} if error > 0 else {}
    value = f"{figures['psnr']:.2f} dB" if error > 0 else "no error at all"
    psnr_end: End = "lowest" if end == "highest" else "highest"
    says = f"The {outermost(rank, psnr_end)} PSNR of {len(rows):,} pictures: {value}; SSIM {figures['ssim']:.3f}."
    lines = [f"{kind}: {rows.name[row]}", says]
    return Case(rows.name[row], kind, says, figures, ".png", partial(_draw, kept.item, lines))


def _shown(outputs: Reconstructions, row: int) -> Shown:
    pair = (outputs.images[row], outputs.reconstructed[row])
    return Shown(*((one.detach().float().clamp(0, 1) * 255).round().byte().cpu().numpy().copy() for one in pair))


def _draw(shown: Shown, lines: list[str], path: Path) -> None:
    picture, made = (np.moveaxis(np.broadcast_to(one, (3, *one.shape[1:])), 0, -1) for one in shown)
    difference = np.abs(picture.astype(np.float32) - made).mean(axis=-1) / (255 * _BRIGHTEST)
    columns = {
        "input": picture,
        "reconstruction": made,
        "difference": heat_colours((difference.clip(0, 1) * 255).round().astype(np.uint8)),
    }
    write_png(path, case_picture(columns, lines, {"difference": _MARKS}))

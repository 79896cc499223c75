"""Pieces of sound whose pictures were generated worst and best, as videos with their sound."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from callbacks.cases import MOST, Case, CaseBook, End, Kind, outermost, rank_of
from callbacks.extremes import Extremes, Kept
from callbacks.sound.shown_pieces import write_pieces
from callbacks.sound.table import PieceTable
from datamodules.batches import AudioVideoBatch, GeneratedClips
from datamodules.protocols import HasRates
from datamodules.sound.sound import Sound

_PLAN: tuple[tuple[Kind, End], ...] = (("worst", "highest"), ("best", "lowest"))


class Shown(NamedTuple):
    """What is kept of a piece: pictures uint8 ``(T, 3, H, W)`` without padding, sound ``(1, n)``, start in seconds."""

    real: NDArray[np.uint8]
    generated: NDArray[np.uint8]
    sound: Sound
    start: float


class SoundCases(CaseBook[PieceTable]):
    """Shows the pieces of the largest error as worst cases and those of the smallest as best, one of each clip.

    The error is the mean absolute difference of the pictures. It is known of a piece at once, so that what is kept
    while batches pass are the cases themselves.

    Args:
        rates: of sound and pictures.
    """

    def __init__(self, rates: HasRates) -> None:
        self._rates = rates
        self._kept: dict[End, Extremes[Shown]] = {"highest": Extremes(MOST), "lowest": Extremes(MOST)}

    def add(self, outputs: Any, batch: Any) -> None:
        """Look at a batch of pieces."""
        assert isinstance(outputs, GeneratedClips)
        assert isinstance(batch, AudioVideoBatch)
        for row, (name, index) in enumerate(zip(batch.name, batch.index.tolist(), strict=True)):
            valid = batch.valid[row]
            difference = outputs.frames[row][valid].float() - batch.frames[row][valid].float() / 255
            error = float(difference.abs().mean(dtype=torch.float64))
            make = partial(_shown, outputs, batch, row, self._rates)
            self._kept["highest"].offer(error, name, (name, index), make)
            self._kept["lowest"].offer(-error, name, (name, index), make)

    def choose(self, rows: PieceTable, details: Mapping[str, Any]) -> list[Case]:
        """Return the cases, by the errors of the pieces."""
        kept = {end: extremes.gather() for end, extremes in self._kept.items()}
        clips = len({name for name, _ in rows.rows.values()})
        count = min(MOST // len(_PLAN), -(-clips // len(_PLAN)))  # of few clips half are no worst cases
        cases: list[Case] = []
        taken: set[str] = set()
        for kind, end in _PLAN:
            for one in [one for one in kept[end] if one.key[0] not in taken][:count]:
                taken.add(one.key[0])
                cases.append(_case(one, rows, kind, end, self._rates))
        return cases


def _shown(outputs: GeneratedClips, batch: AudioVideoBatch, row: int, rates: HasRates) -> Shown:
    """Copy a piece out of a batch, without its padding."""
    valid = batch.valid[row]
    made = (outputs.frames[row][valid].detach().float().clamp(0, 1) * 255).round().byte()
    samples = round(int(valid.sum()) * rates.sample_rate / rates.fps)
    sound = batch.audio[row, :, :samples].cpu().numpy().copy()
    real = batch.frames[row][valid]
    return Shown(real.cpu().numpy().copy(), made.cpu().numpy().copy(), sound, float(batch.start[row]))


def _case(kept: Kept[Shown], rows: PieceTable, kind: Kind, end: End, rates: HasRates) -> Case:
    clip, index = kept.key
    errors = np.array([row["l1"] for _, row in rows.rows.values()], np.float64)
    error = float(rows.rows[index][1]["l1"] or 0.0)
    whole = float(rows.clips()[clip]["l1"] or 0.0)
    rank = rank_of(error, errors, end)
    says = (
        f"The {outermost(rank, end)} error of {len(errors):,} pieces: a mean absolute difference of {error:.4f}, "
        f"of a range of 1; {whole:.4f} in the whole clip."
    )
    figures = {"l1": error, "l1_of_clip": whole, "rank": rank, "start_seconds": kept.item.start}
    return Case(f"{clip}, from {kept.item.start:.2f} s", kind, says, figures, ".mp4", partial(_draw, kept.item, rates))


def _draw(shown: Shown, rates: HasRates, path: Path) -> None:
    clips = {
        name: torch.from_numpy(one)[None].float() / 255
        for name, one in (("real", shown.real), ("generated", shown.generated))
    }
    write_pieces(path, [(shown.sound, clips)], rates)

"""From maps of evidence to the scores of a picture, its tiles and its pixels, on a scale fitted on normal tiles.

Every channel of evidence is measured in standard deviations from what tiles of normal pictures of the same group reach,
and the maximum over the channels decides. Beside the score stand every kind of evidence alone and the baselines.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from datamodules.batches import UNKNOWN_LABEL, PartBatch, PartScores
from lightning_models.aitex_vae import baselines
from lightning_models.aitex_vae.background import outlier_share, warn_of_backgrounds
from lightning_models.aitex_vae.evidence import robust_z_scores
from lightning_models.aitex_vae.filters import CELL
from lightning_models.aitex_vae.groups import GroupGaussian, GroupScale
from lightning_models.aitex_vae.tiling import Tiling, grid

KINDS = {
    "brightness": 4, "threads": 4, "energy": 4, "orientation": 6,
    "features": 3, "texture": 10, "kl": 1, "lines": 2, "shade": 8,
}  # fmt: skip
"""Kinds of evidence and their channels, for one colour channel of the picture; what is added comes last."""

ALTERNATIVES = (*KINDS, "baseline_blur", "baseline_mahalanobis")
"""Scores of a tile that stand beside the model's own."""

NEWER = ("lines", "shade")
"""Kinds that older checkpoints were calibrated without, in the order in which they came."""

IN_SCORE = tuple(kind for kind in KINDS if kind not in ("kl", *NEWER))
"""Kinds that make up the score where nobody says: ``kl`` locates nothing, ``lines`` has not proved itself, and what a
single vector cannot draw has the ``shade`` of the picture."""

PER_COLOUR = ("brightness", "threads", "energy", "orientation", "texture", "lines", "shade")


class CalibrationRow(NamedTuple):
    """What the scale is fitted to, of the N tiles of a normal picture.

    Attributes:
        group: name of the picture's group.
        tops: ``(N, K)``, largest evidence of every channel.
        statistics: ``(N, 8)``, for the rules without learning.
        outliers: share of the picture's cells that are outliers within it.
    """

    group: str
    tops: Tensor
    statistics: Tensor
    outliers: float


class TileScorer(nn.Module):
    """Scores K channels of evidence over the tiles of a grid; its calibration is kept as buffers, by group.

    Args:
        tile_size: S, edge of a tile in pixels.
        colours: colour channels of the picture.
        combined: the kinds of evidence that make up the score; None: ``IN_SCORE``.
        top_k: cells of 4 x 4 pixels whose mean stands for a tile; 1 is the maximum, moved by the smallest defects.

    Attributes:
        combined: what makes up the score.
        absent: kinds that a checkpoint was calibrated before; they are no part of its score, nor stand beside it.
    """

    def __init__(self, tile_size: int, colours: int = 1, combined: Sequence[str] | None = None, top_k: int = 1) -> None:
        super().__init__()
        self.tile_size, self.top_k = tile_size, top_k
        counts = {kind: count * (colours if kind in PER_COLOUR else 1) for kind, count in KINDS.items()}
        # the place of every kind among the K channels
        ends = torch.tensor(list(counts.values())).cumsum(0).tolist()
        self.place = {kind: slice(end - counts[kind], end) for kind, end in zip(counts, ends, strict=True)}
        self.combined = list(IN_SCORE if combined is None else combined)
        self.absent: list[str] = []
        self.scale = GroupScale(ends[-1])
        self.baseline = GroupGaussian(baselines.STATISTICS)

    @property
    def chosen(self) -> list[str]:
        """The kinds of evidence that make up the score, as far as they are calibrated."""
        return [kind for kind in self.combined if kind not in self.absent]

    @property
    def known(self) -> list[str]:
        """All kinds of evidence, as far as they are calibrated."""
        return [kind for kind in self.place if kind not in self.absent]

    def join(self, maps: Mapping[str, Tensor], blank: Tensor, kinds: Sequence[str] | None = None) -> Tensor:
        """Measure maps ``(K_i, h, w)`` against the rest of the picture: ``(K, h, w)``, in the order of the kinds."""
        return torch.cat([robust_z_scores(maps[kind], blank) for kind in kinds or self.place])

    def calibration_row(self, batch: PartBatch, maps: Tensor) -> CalibrationRow:
        """Reduce the evidence ``(K, h, w)`` on a normal picture to what the scale is fitted to."""
        tiles = self._grid_tiles(batch)
        statistics = baselines.tile_statistics(tiles, baselines.blurred(tiles))
        return CalibrationRow(batch.group, self.tops(maps), statistics, outlier_share(maps[self.place["texture"]]))

    def fit(self, rows: Sequence[CalibrationRow]) -> None:
        """Fit the scale of every group; warn of groups whose pictures no texture fills.

        Raises:
            InputError: fewer than two tiles of a group.
        """
        self.absent = []
        group = [name for row in rows for name in [row.group] * len(row.tops)]
        self.scale.fit(torch.cat([row.tops for row in rows]), group)
        self.baseline.fit(torch.cat([row.statistics for row in rows]), group)
        warn_of_backgrounds([row.group for row in rows], [row.outliers for row in rows])

    def forward(self, batch: PartBatch, maps: Tensor) -> PartScores:
        """Score a picture by its evidence ``(K, h, w)`` of all kinds, each that is known alone too."""
        parts = self.parts(batch.group, maps, list(self.place))  # (h, w) each
        parts = {kind: parts[kind] for kind in self.known}
        tiles = self._grid_tiles(batch)  # (N, C, S, S)
        alternatives = {kind: self.tops(part[None])[:, 0] for kind, part in parts.items()}  # (N,) each
        smooth = baselines.blurred(tiles)  # (N, C, S, S)
        alternatives["baseline_blur"] = baselines.blurred_deviation(smooth)
        alternatives["baseline_mahalanobis"] = self.baseline(baselines.tile_statistics(tiles, smooth), batch.group)
        return replace(self.judge(batch, parts), alternatives=alternatives)

    def parts(self, group: str, maps: Tensor, kinds: Sequence[str]) -> dict[str, Tensor]:
        """Return how far every cell is beyond normal tiles, in standard deviations: ``(h, w)`` by kind.

        Args:
            group: name of the picture's group.
            maps: evidence ``(K, h, w)`` of the kinds, in their order.
            kinds: which they are.
        """
        self.warn_of_unknown(group)
        channels = [channel for kind in kinds for channel in range(self.scale.channels)[self.place[kind]]]
        levels = self.scale(maps, group, channels)  # (K, h, w)
        counts = [self.place[kind].stop - self.place[kind].start for kind in kinds]
        return {kind: one.amax(0) for kind, one in zip(kinds, levels.split(counts), strict=True)}

    def judge(self, batch: PartBatch, parts: Mapping[str, Tensor]) -> PartScores:
        """Score a picture by the kinds of evidence that make up the score, ``(h, w)`` each."""
        heat = torch.stack([parts[kind] for kind in self.chosen]).amax(0)  # (h, w)
        _, height, width = batch.image.shape
        tile = grid(height, width, self.tile_size, batch.start)  # (N, 4): top, left, height, width
        tile_score = self.tops(heat[None])[:, 0]  # (N,)
        pixels = to_pixels(heat, (height, width - batch.start))  # (H, W - start)
        return PartScores(
            name=batch.name,
            group=batch.group,
            defect=batch.defect,
            label=batch.label,
            index=batch.index,
            heat=F.pad(pixels, (batch.start, 0), value=float("nan")),
            tile=tile,
            tile_score=tile_score,
            tile_label=tile_labels(batch, tile),
            score=tile_score.amax(),
            mask=batch.mask,
        )

    def tops(self, maps: Tensor) -> Tensor:
        """Return the mean of the ``top_k`` largest cells of every tile of the grid: ``(N, K)`` of ``(K, h, w)``."""
        edge = self.tile_size // CELL
        tops = [
            cells.flatten(1).topk(min(self.top_k, cells[0].numel()), dim=1).values.mean(1)
            for rows in maps.split(edge, dim=1)
            for cells in rows.split(edge, dim=2)
        ]
        return torch.stack(tops)

    def regroup(self, groups: Sequence[str]) -> None:
        """Forget the calibration and make room for that of these groups."""
        self.scale.regroup(groups)
        self.baseline.regroup(groups)

    def _grid_tiles(self, batch: PartBatch) -> Tensor:
        """Return whole tiles ``(N, C, S, S)`` at the places of the grid; the last of a row is mirrored to full size."""
        _, height, width = batch.image.shape
        pieces = [cut_tile(batch.image, place) for place in grid(height, width, self.tile_size, batch.start).tolist()]
        return torch.cat([Tiling(piece.shape[1], piece.shape[2], self.tile_size).cut(piece) for piece in pieces])

    def warn_of_unknown(self, group: str) -> None:
        """Say that a group was not among those of the calibration, and what it is judged by instead."""
        # of a single group the statistics are those of all together: a folder of another name changes nothing
        if self.scale.row(group) == 0 and len(self.scale.groups) > 2:
            warnings.warn(
                f"group {group!r} was not among the normal pictures of the calibration: it is judged by the statistics "
                "of all groups together, less reliably",
                stacklevel=2,
            )


def to_pixels(heat: Tensor, size: tuple[int, int]) -> Tensor:
    """Enlarge heat ``(h, w)`` of cells to that of pixels."""
    return F.interpolate(heat[None, None], size, mode="bilinear")[0, 0]


def tile_peaks(scores: PartScores) -> Tensor:
    """Return the largest heat within every tile, ``(N,)``."""
    return torch.stack([cut_tile(scores.heat, place).amax() for place in scores.tile.tolist()])


def cut_tile(picture: Tensor, place: list[int]) -> Tensor:
    """Cut ``(..., height, width)`` out of a picture ``(..., H, W)``; the place is top, left, height, width."""
    top, left, height, width = place
    return picture[..., top : top + height, left : left + width]


def tile_labels(batch: PartBatch, tile: Tensor) -> Tensor:
    """Return int64 ``(N,)`` of tiles ``(N, 4)``: 1 where the mask marks a pixel, 0 where not, -1 where nobody says."""
    if batch.mask is None:
        return torch.full((len(tile),), 0 if batch.label == 0 else UNKNOWN_LABEL)
    return torch.stack([cut_tile(batch.mask, place).any().long() for place in tile.tolist()])

"""AitexVAE outside of this project: the bytes of a part in, the scores of its tiles and the heat of its pixels out."""

from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from datamodules.batches import PartBatch, PartScores
from lightning_models.aitex_vae.compatibility import DataRange
from lightning_models.aitex_vae.evidence import all_evidence, blank_cells, robust_z_scores
from lightning_models.aitex_vae.filters import CELL
from lightning_models.aitex_vae.groups import level
from lightning_models.aitex_vae.in_graphs import largest_by_tile
from lightning_models.aitex_vae.network import AitexNetwork
from lightning_models.aitex_vae.pictures import from_pixels, reconstruct_picture
from lightning_models.aitex_vae.tile_scorer import TileScorer, tile_labels, to_pixels
from lightning_models.aitex_vae.tiling import Tiling, grid
from lightning_models.deployment import Deployment, Graph, Port, Run

PART = Port(
    "part", ("colours", "height", "width"), "uint8", "0 to 255", "a whole picture from the first column of the part on"
)
GROUP = Port("group", ("one",), "int64", "0 to the number of groups", "number of its name among the groups; 0: unknown")
OUTPUTS = (
    Port("score", ("one",), "float32", "unbounded", "of the picture, that of its highest tile"),
    Port(
        "tile_score",
        ("tiles",),
        "float32",
        "unbounded",
        "of the tiles of a grid without overlap, row after row; standard deviations from normal tiles",
    ),
    Port("heat", ("height", "width"), "float32", "unbounded", "score of every pixel"),
)


class PartHeat(nn.Module):
    """Scores parts by the network and the calibration of an AitexVAE.

    Args:
        network: of tiles.
        scorer: calibrated.
        data_range: range that the network sees.
        overlap: part of a tile that the next one shows again.
    """

    location: Tensor
    scale: Tensor

    def __init__(self, network: AitexNetwork, scorer: TileScorer, data_range: DataRange, overlap: float) -> None:
        super().__init__()
        self.network, self.data_range, self.overlap = network, data_range, overlap
        self.size, self.top_k, self.kinds = scorer.tile_size, scorer.top_k, tuple(scorer.chosen)
        channels = [
            channel for kind in self.kinds for channel in range(*scorer.place[kind].indices(scorer.scale.channels))
        ]
        self.register_buffer("location", scorer.scale.location[:, channels].clone())
        self.register_buffer("scale", scorer.scale.scale[:, channels].clone())

    def forward(self, part: Tensor, group: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Score a part of bytes ``(C, H, W)``.

        Args:
            part: H and W at least a tile's edge.
            group: int64 ``(1,)``, its row in the calibration.

        Returns:
            Score ``(1,)``, that of its N tiles ``(N,)``, heat ``(H, W)``.
        """
        picture = from_pixels(part, self.data_range)
        tiling = Tiling(picture.shape[1], picture.shape[2], self.size, self.overlap)
        reconstructed, divergence, own = reconstruct_picture(self.network, picture, tiling, "kl" in self.kinds)
        maps = all_evidence(self.network.encoder, picture, own, reconstructed, divergence, self.kinds, self.data_range)
        blank = blank_cells(picture)
        unusual = torch.cat([robust_z_scores(maps[kind], blank) for kind in self.kinds])  # (K, h, w)
        row = (rows.index_select(0, group)[0] for rows in (self.location, self.scale))
        cells = level(unusual, *row).amax(0)  # (h, w)
        tile_score = largest_by_tile(cells, self.size // CELL, self.top_k)
        return tile_score.amax(0, keepdim=True), tile_score, to_pixels(cells, (part.shape[1], part.shape[2]))


class DeployedAitexVAE(Deployment[PartBatch, PartScores]):
    """Scores parts; see :class:`~lightning_models.deployment.Deployment`.

    Args:
        network: of the system.
        scorer: of the system.
        data_range: of the system.
        overlap: of the system.
        thresholds: 0-dim, of tiles and pictures, and of pixels.
    """

    system: ClassVar[str] = "aitex_vae"
    outside = (
        "The search for the first column of the part: what is handed in begins there.",
        "Evidence that is no part of the score, and the rules without learning that the model is compared with.",
    )

    def __init__(
        self,
        network: AitexNetwork,
        scorer: TileScorer,
        data_range: DataRange,
        overlap: float,
        thresholds: tuple[Tensor, Tensor],
    ) -> None:
        self._scorer = scorer
        heat = PartHeat(network, scorer, data_range, overlap)
        self.graphs = {"": Graph(heat, (PART, GROUP), OUTPUTS, may_vary={})}
        self.facts: dict[str, Any] = {
            "threshold": float(thresholds[0]),
            "pixel_threshold": float(thresholds[1]),
            "tile_size": scorer.tile_size,
            "groups": list(scorer.scale.groups),
            "evidence_in_score": list(scorer.chosen),
            "normalisation": "none: bytes go in",
        }

    def answer(self, batch: PartBatch, run: Run) -> PartScores:
        """Score one picture, its tiles and its pixels."""
        self._scorer.warn_of_unknown(batch.group)
        row = torch.tensor([self._scorer.scale.row(batch.group)])
        outputs = run("", {"part": batch.image[:, :, batch.start :].contiguous(), "group": row})
        _, height, width = batch.image.shape
        tile = grid(height, width, self._scorer.tile_size, batch.start)
        return PartScores(
            name=batch.name,
            group=batch.group,
            defect=batch.defect,
            label=batch.label,
            index=batch.index,
            heat=F.pad(outputs["heat"], (batch.start, 0), value=float("nan")),
            tile=tile,
            tile_score=outputs["tile_score"],
            tile_label=tile_labels(batch, tile),
            score=outputs["score"][0],
            mask=batch.mask,
        )

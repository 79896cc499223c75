"""AitexVAE: a variational autoencoder of fabric, and the defects it cannot draw."""

import warnings
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor

from datamodules.batches import UNKNOWN_LABEL, PartBatch, PartScores, TileBatch
from datamodules.errors import InputError
from lightning_models import reconstruction_losses
from lightning_models.aitex_vae import references
from lightning_models.aitex_vae.background import far_share, warn_of_backgrounds
from lightning_models.aitex_vae.compatibility import DataRange, check_output, check_same_scores
from lightning_models.aitex_vae.evidence import CELL, blank_cells, feature_evidence, texture_evidence, unusualness
from lightning_models.aitex_vae.groups import GroupGaussian, GroupScale
from lightning_models.aitex_vae.network import AitexNetwork, DecoderKind, OutputKind, Restoration
from lightning_models.aitex_vae.tiling import Tiling, grid
from lightning_models.ranges import at_least_zero
from lightning_models.training.calibration import CalibratedModule
from lightning_models.variational import BetaSchedule, PosteriorKind, as_schedule, kl_divergence

KINDS = {
    "brightness": 4, "threads": 4, "energy": 4, "orientation": 6,
    "features": 3, "texture": 10, "kl": 1,
}  # fmt: skip
"""Kinds of evidence and their channels, for one colour channel of the picture."""

PER_COLOUR = ("brightness", "threads", "energy", "orientation", "texture")

SHALLOW_STAGES = 3
"""Stages of the encoder whose features are evidence: the deepest sees too much at once to locate a defect."""

TILES_AT_ONCE = 32
"""Tiles that go through the network together where pictures are scored: bounds the memory, changes no score."""


class AitexVAE(CalibratedModule):
    """Learns to draw tiles of faultless fabric; scores what is unusual in a picture, and in what it could not draw.

    Training takes ``TileBatch``; everything else ``PartBatch``, whole pictures of any size. At validation loader 0
    holds normal pictures, on which the scale of the evidence is fitted by group, and loader 1 the held-out normal ones
    that the thresholds are taken from, beside copies with synthetic defects.

    Args:
        optimizer: how the network is optimised.
        scheduler: learning rate schedule, stepped once an epoch.
        tile_size: S, edge of a tile in pixels, a multiple of 16.
        channels: 1 grey or 3 RGB, as the data.
        width: channels of the first convolution.
        latent_dim: number of latent dimensions.
        posterior: covariance of q(z | x): diagonal | full | low_rank.
        rank: rank of its correlations, for ``low_rank``.
        decoder: shallow | symmetric.
        dropout: share of the encoder's channels dropped in training.
        output: the decoder's activation: sigmoid | linear | tanh.
        data_range: range of grey levels that the network sees: unit [0, 1] | symmetric [-1, 1].
        losses: weight of every reconstruction loss that is used: bce | mse | ssim | spectral | log_spectral.
        beta: weight of the KL divergence, a number or a schedule over the epochs.
        free_bits: nats of every latent dimension that cost nothing; for the diagonal posterior.
        overlap: part of a tile that the next one shows again where pictures are scored.
        top_k: cells of 4 x 4 pixels whose mean stands for a tile; 1 is the maximum, moved by the smallest defects.
        evidence: kinds of evidence in the score; None: all but ``kl``, which cannot locate anything.
        quantile: part of the held-out normal tiles that the thresholds leave below them.
        gradient_clip: largest norm of the gradient; 0 does not clip.
        accumulate: batches whose gradients are averaged for a step.
        ema_decay: decay of the averaged weights that are judged instead of the raw ones; 0 is off.

    Attributes:
        tile_threshold: score from which a tile or picture counts as defective; NaN until calibrated.
        pixel_threshold: heat from which a pixel does; NaN until calibrated.

    Raises:
        InputError: loss, activation and range do not go together, or an argument is out of its range.
    """

    phases: ClassVar[tuple[str, ...]] = ("vae",)
    phase_modules: ClassVar[dict[str, tuple[str, ...]]] = {"vae": ("network",)}
    shared_with_data: ClassVar[Mapping[str, str]] = {"tile_size": "tile_size", "channels": "channels"}
    tile_threshold: Tensor
    pixel_threshold: Tensor

    def __init__(
        self,
        optimizer: OptimizerCallable,
        scheduler: LRSchedulerCallable | None = None,
        tile_size: int = 256,
        channels: int = 1,
        width: int = 32,
        latent_dim: int = 32,
        posterior: PosteriorKind = "diagonal",
        rank: int = 4,
        decoder: DecoderKind = "shallow",
        dropout: float = 0.2,
        output: OutputKind = "sigmoid",
        data_range: DataRange = "unit",
        losses: dict[str, float] | None = None,
        beta: float | BetaSchedule = 1.0,
        free_bits: float = 0.0,
        overlap: float = 0.5,
        top_k: int = 1,
        evidence: list[str] | None = None,
        quantile: float = 0.99,
        gradient_clip: float = 0.0,
        accumulate: int = 1,
        ema_decay: float = 0.0,
    ) -> None:
        super().__init__(
            optimizers={"vae": optimizer},
            schedulers={"vae": scheduler},
            averaged_phase="vae",
            gradient_clip=gradient_clip,
            accumulate=accumulate,
            ema_decay=ema_decay,
        )
        self.save_hyperparameters(ignore=["optimizer", "scheduler", "beta"])
        losses = {"bce": 1.0} if losses is None else losses
        check_output(output, data_range, losses)
        if at_least_zero("model.free_bits", free_bits) and posterior != "diagonal":
            raise InputError(f"model.free_bits is {free_bits}: only posterior diagonal has free bits, set it to 0")
        if evidence is not None and (not evidence or set(evidence) - set(KINDS)):
            raise InputError(f"model.evidence is {evidence}: name some of {list(KINDS)}, or leave it out")
        if not 0 < quantile < 1 or top_k < 1:
            raise InputError(f"model.quantile is {quantile} and model.top_k {top_k}: give 0 < quantile < 1 <= top_k")
        if not 0 <= overlap < 1:
            raise InputError(f"model.overlap is {overlap}: give at least 0 and less than 1")
        self.tile_size, self.channels, self.data_range = tile_size, channels, data_range
        self.beta, self.free_bits = as_schedule(beta), free_bits
        self.overlap, self.top_k, self.quantile = overlap, top_k, quantile
        self.weights = {**losses, "kl": self.beta(0.0)}
        self.network = AitexNetwork(tile_size, channels, width, latent_dim, posterior, rank, decoder, dropout, output)
        counts = {kind: count * (channels if kind in PER_COLOUR else 1) for kind, count in KINDS.items()}
        # the place of every kind among the channels of evidence
        ends = torch.tensor(list(counts.values())).cumsum(0).tolist()
        self.place = {kind: slice(end - counts[kind], end) for kind, end in zip(counts, ends, strict=True)}
        self.chosen = [kind for kind in KINDS if kind != "kl"] if evidence is None else evidence
        self.scale = GroupScale(ends[-1])
        self.reference = GroupGaussian(references.STATISTICS)
        self.register_buffer("tile_threshold", torch.tensor(float("nan")))
        self.register_buffer("pixel_threshold", torch.tensor(float("nan")))
        # by number of the picture: group, evidence and statistics of its tiles, share of its cells far from the rest;
        # score and hottest pixel of its tiles
        self._calibration: dict[int, tuple[str, Tensor, Tensor, float]] = {}
        self._normal: dict[int, tuple[Tensor, Tensor]] = {}

    def forward(self, tiles: Tensor) -> Restoration:
        """Restore tiles ``(B, C, S, S)`` of bytes 0..255."""
        return self.network(self.from_pixels(tiles))

    def from_pixels(self, pixels: Tensor) -> Tensor:
        """Bring bytes 0..255 into the range that the network sees."""
        unit = pixels.float() / 255
        return unit if self.data_range == "unit" else 2 * unit - 1

    # --- training -----------------------------------------------------------------------------------------------

    def prepare(self, batch: TileBatch) -> tuple[Tensor, Restoration]:
        """Restore a batch of tiles from a drawn z, and set the present weight of the divergence."""
        if batch.images.shape[1:] != (self.channels, self.tile_size, self.tile_size):
            raise InputError(
                f"the tiles are {tuple(batch.images.shape[1:])}, but model.channels and model.tile_size say "
                f"{(self.channels, self.tile_size, self.tile_size)}: give data and model the same"
            )
        self.weights["kl"] = self.beta(self.epochs_seen)
        target = self.from_pixels(batch.images)
        return target, self.network(target)

    def vae_loss(self, prepared: tuple[Tensor, Restoration]) -> dict[str, Tensor]:
        """Reconstruction and divergence: the negative evidence lower bound where their weights are 1."""
        target, (raw, restored, posterior) = prepared
        span = 1.0 if self.data_range == "unit" else 2.0
        terms = {
            "bce": lambda: reconstruction_losses.bce(raw, target),
            "mse": lambda: reconstruction_losses.mse(restored, target),
            "ssim": lambda: reconstruction_losses.ssim(restored, target, span),
            "spectral": lambda: reconstruction_losses.spectral(restored, target),
            "log_spectral": lambda: reconstruction_losses.spectral(restored, target, log=True),
        }
        used = {name: terms[name]() for name in self.weights if name != "kl"}
        return {**used, "kl": kl_divergence(posterior, self.free_bits).mean()}

    # --- evidence -----------------------------------------------------------------------------------------------

    def restore(self, batch: PartBatch) -> tuple[Tensor, Tensor, Tensor]:
        """Draw a whole picture from the means of its overlapping tiles' posteriors.

        Returns:
            The part ``(C, H, W - start)`` in the network's range, its restoration, and the divergence of the tiles
            around every pixel, ``(1, H, W - start)`` in nats.
        """
        if batch.image.shape[0] != self.channels:
            raise InputError(
                f"{batch.name} has {batch.image.shape[0]} channels, but model.channels is {self.channels}: "
                "set model.channels to that"
            )
        picture = self.from_pixels(batch.image)
        _, height, width = picture.shape
        tiling = Tiling(height, width, self.tile_size, self.overlap, batch.start)
        drawn = []
        for tiles in tiling.cut(picture).split(TILES_AT_ONCE):
            restoration: Restoration = self.network(tiles)
            divergence = kl_divergence(restoration.posterior)[:, None, None, None]
            drawn.append(torch.cat([restoration.restored.float(), divergence.expand(-1, 1, *tiles.shape[2:])], 1))
        whole = tiling.stitch(torch.cat(drawn))[:, :, batch.start :]
        return picture[:, :, batch.start :], whole[:-1], whole[-1:]

    def evidence_maps(self, batch: PartBatch) -> tuple[Tensor, Tensor]:
        """Return the evidence ``(K, h, w)`` in cells of 4 x 4 pixels of the part, and the restoration."""
        part, restored, divergence = self.restore(batch)
        with torch.autocast(self.device.type, enabled=False):
            maps = texture_evidence(part - restored)
            cells = (maps["energy"].shape[1], maps["energy"].shape[2])
            own = texture_evidence(part)
            maps["texture"] = torch.cat([own["energy"], own["orientation"]])
            real, drawn = (self.network.encoder(picture[None], SHALLOW_STAGES) for picture in (part, restored))
            maps["features"] = feature_evidence(real, drawn, cells)
            maps["kl"] = F.adaptive_avg_pool2d(divergence[None], cells)[0]
            blank = blank_cells(part)
            return torch.cat([unusualness(maps[kind], blank) for kind in self.place]), restored

    # --- evaluation: calibration and scores -----------------------------------------------------------------------

    def on_validation_start(self) -> None:
        """Forget what an earlier, perhaps interrupted, validation collected."""
        self._calibration.clear()
        self._normal.clear()

    # Lightning types a step's outputs as tensors, but hands anything on to the callbacks
    def validation_step(  # type: ignore[override]
        self, batch: PartBatch, batch_idx: int, dataloader_idx: int = 0
    ) -> PartScores | None:
        """Collect evidence on normal pictures (loader 0), then score held-out ones on that scale (loader 1)."""
        if self.trainer.sanity_checking:
            return None
        if dataloader_idx == 0:
            maps = self.evidence_maps(batch)[0]
            tiles = self._grid_tiles(batch)
            statistics = references.tile_statistics(tiles, references.blurred(tiles))
            far = far_share(maps[self.place["texture"]])
            self._calibration[batch.index] = (batch.group, self._tile_tops(maps, batch), statistics, far)
            return None
        if self._calibration:
            names, tops_of, statistics_of, far_shares = zip(*self.gathered(self._calibration), strict=True)
            group = [name for name, tops in zip(names, tops_of, strict=True) for _ in tops]
            self.scale.fit(torch.cat(tops_of), group)
            self.reference.fit(torch.cat(statistics_of), group)
            warn_of_backgrounds(names, far_shares)
        scores = self._scores(batch)
        if batch.label == 0:
            peak = torch.stack([cut_tile(scores.heat, tile).amax() for tile in scores.tile.tolist()])
            self._normal[batch.index] = (scores.tile_score, peak)
        return scores

    def on_validation_epoch_end(self) -> None:
        """Put the thresholds where few tiles of held-out normal pictures lie above them."""
        if normal := self.gathered(self._normal):
            score, peak = (torch.cat(of_pictures) for of_pictures in zip(*normal, strict=True))
            self.tile_threshold.copy_(score.quantile(self.quantile))
            self.pixel_threshold.copy_(peak.quantile(self.quantile))
            self.calibrated_at = self.batches_seen

    def on_test_start(self) -> None:
        """Judge only by a calibration."""
        self.check_calibration(self.tile_threshold)

    on_predict_start = on_test_start

    def test_step(self, batch: PartBatch, batch_idx: int) -> PartScores:  # type: ignore[override]
        """Score one picture and its tiles."""
        return self._scores(batch)

    predict_step = test_step

    @torch.no_grad()
    def visuals(self, batch: PartBatch) -> dict[str, Tensor]:
        """Pictures in [0, 1] worth a look: input and reconstruction ``(1, 3, H, W - start)``, heat ``(1, 1, ...)``.

        In the heat 0.5 is the threshold of a pixel.
        """
        part, restored, _ = self.restore(batch)
        heat = self._scores(batch).heat[:, batch.start :] / (2 * self.pixel_threshold)
        return {
            # three channels also where they are grey: a single one is shown in the colours of heat
            "input": self._to_unit_range(part).expand(3, -1, -1)[None],
            "reconstruction": self._to_unit_range(restored).expand(3, -1, -1)[None],
            "heat": heat.nan_to_num(0).clamp(0, 1)[None, None],
        }

    def _to_unit_range(self, picture: Tensor) -> Tensor:
        return (picture if self.data_range == "unit" else (picture + 1) / 2).clamp(0, 1)

    def _scores(self, batch: PartBatch) -> PartScores:
        self._warn_of_unknown(batch.group)
        maps = self.scale(self.evidence_maps(batch)[0], batch.group)
        parts = {kind: maps[where].amax(0) for kind, where in self.place.items()}
        heat = torch.stack([parts[kind] for kind in self.chosen]).amax(0)
        _, height, width = batch.image.shape
        tile = grid(height, width, self.tile_size, batch.start)
        tile_score = self._tile_tops(heat[None], batch)[:, 0]
        tiles = self._grid_tiles(batch)
        alternatives = {kind: self._tile_tops(part[None], batch)[:, 0] for kind, part in parts.items()}
        smooth = references.blurred(tiles)
        alternatives["baseline_blur"] = references.blurred_deviation(smooth)
        alternatives["baseline_mahalanobis"] = self.reference(references.tile_statistics(tiles, smooth), batch.group)
        pixels = F.interpolate(heat[None, None], (height, width - batch.start), mode="bilinear")[0, 0]
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
            alternatives=alternatives,
            mask=batch.mask,
        )

    def _tile_tops(self, maps: Tensor, batch: PartBatch) -> Tensor:
        """Return the mean of the ``top_k`` largest cells of every tile of the grid: ``(N, K)`` of ``(K, h, w)``."""
        edge = self.tile_size // CELL
        tops = [
            cells.flatten(1).topk(min(self.top_k, cells[0].numel()), dim=1).values.mean(1)
            for rows in maps.split(edge, dim=1)
            for cells in rows.split(edge, dim=2)
        ]
        return torch.stack(tops)

    def _grid_tiles(self, batch: PartBatch) -> Tensor:
        """Return whole tiles ``(N, C, S, S)`` at the places of the grid; the last of a row is mirrored to full size."""
        _, height, width = batch.image.shape
        pieces = [cut_tile(batch.image, place) for place in grid(height, width, self.tile_size, batch.start).tolist()]
        return torch.cat([Tiling(piece.shape[1], piece.shape[2], self.tile_size).cut(piece) for piece in pieces])

    def _warn_of_unknown(self, group: str) -> None:
        if self.scale.row(group) == 0:
            warnings.warn(
                f"group {group!r} was not among the normal pictures of the calibration: it is judged by the statistics "
                "of all groups together, less reliably",
                stacklevel=2,
            )

    # --- checkpoints: the groups' names travel beside their statistics ----------------------------------------------

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the names of the groups."""
        super().on_save_checkpoint(checkpoint)
        checkpoint["groups"] = self.scale.groups[1:]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Make room for the statistics of the checkpoint's groups."""
        groups = checkpoint.get("groups", [])
        self.scale.regroup(groups)
        self.reference.regroup(groups)
        super().on_load_checkpoint(checkpoint)
        check_same_scores(checkpoint.get("hyper_parameters", {}), self.hparams)


def cut_tile(picture: Tensor, place: list[int]) -> Tensor:
    """Cut ``(..., height, width)`` out of a picture ``(..., H, W)``; the place is top, left, height, width."""
    top, left, height, width = place
    return picture[..., top : top + height, left : left + width]


def tile_labels(batch: PartBatch, tile: Tensor) -> Tensor:
    """Return int64 ``(N,)`` of tiles ``(N, 4)``: 1 where the mask marks a pixel, 0 where not, -1 where nobody says."""
    if batch.mask is None:
        return torch.full((len(tile),), 0 if batch.label == 0 else UNKNOWN_LABEL)
    return torch.stack([cut_tile(batch.mask, place).any().long() for place in tile.tolist()])

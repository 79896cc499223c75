"""AitexVAE: a variational autoencoder of fabric, and the defects it cannot reconstruct."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor

from datamodules.batches import PartBatch, PartScores, TileBatch
from datamodules.errors import InputError
from datamodules.ranges import at_least_zero
from lightning_models import reconstruction_losses
from lightning_models.aitex_vae.compatibility import (
    EVIDENCE_RANGE,
    LOSSES,
    DataRange,
    check_output,
    check_same_scores,
    forget_calibration,
    warn_of_absent,
    without_newer,
)
from lightning_models.aitex_vae.deployed import DeployedAitexVAE
from lightning_models.aitex_vae.evidence import all_evidence, blank_cells
from lightning_models.aitex_vae.network import AitexNetwork, DecoderKind, LatentKind, OutputKind, Reconstruction
from lightning_models.aitex_vae.pictures import from_pixels, reconstruct_picture, to_unit
from lightning_models.aitex_vae.tile_scorer import ALTERNATIVES, KINDS, NEWER, CalibrationRow, TileScorer, tile_peaks
from lightning_models.aitex_vae.tiling import Tiling
from lightning_models.effective import effective
from lightning_models.training.calibration import CalibratedModule
from lightning_models.training.quantile import quantile
from lightning_models.training.schedules import Weight
from lightning_models.training.single_phase import SinglePhaseModule
from lightning_models.training.weights import LossWeights
from lightning_models.variational import PosteriorKind, kl_divergence


@dataclass(frozen=True, kw_only=True)
class AitexVAEWeights(LossWeights):
    """Weights of the losses: sums over a tile, means over the batch. What has weight 0 is not computed, but for kl.

    Args:
        bce: cross-entropy on logits, for ``output`` sigmoid.
        mse: squared error.
        ssim: 1 - SSIM.
        spectral: squared difference of the Fourier magnitudes, for ``output`` linear.
        log_spectral: the same of their logarithms.
        kl: KL divergence in nats; with bce or mse at 1 and kl at 1 the loss is the negative evidence lower bound.
    """

    bce: Weight = 1.0
    mse: Weight = 0.0
    ssim: Weight = 0.0
    spectral: Weight = 0.0
    log_spectral: Weight = 0.0
    kl: Weight = 1.0


class AitexVAE(CalibratedModule[PartBatch, CalibrationRow, PartScores], SinglePhaseModule):
    """Learns to reconstruct tiles of faultless fabric; scores what is unusual in a picture and in its residual.

    Training takes ``TileBatch``; everything else ``PartBatch``, whole pictures of any size. At validation loader 0
    holds normal pictures, on which the scale of the evidence is fitted by group, and loader 1 the held-out normal ones
    that the thresholds are taken from, beside copies with synthetic defects.

    Args:
        tile_size: S, edge of a tile in pixels, a multiple of 16.
        channels: 1 grey or 3 RGB, as the data.
        width: channels of the first convolution.
        latent_dim: number of latent dimensions, of every place of a map.
        posterior: covariance of q(z | x): diagonal | full | low_rank.
        rank: rank of its correlations, for ``low_rank`` alone; None: 4.
        decoder: shallow | symmetric.
        dropout: share of the encoder's channels dropped in training.
        output: the decoder's activation: sigmoid | linear | tanh.
        data_range: range of grey levels that the network sees: unit [0, 1] | symmetric [-1, 1].
        weights: weights of the losses.
        free_bits: nats of every latent dimension that cost nothing; for the diagonal posterior.
        overlap: part of a tile that the next one shows again where pictures are scored.
        top_k: cells of 4 x 4 pixels whose mean stands for a tile; 1 is the maximum, moved by the smallest defects.
        evidence: kinds of evidence in the score; None: all but ``kl``, ``lines`` and ``shade``.
        quantile: part of the held-out normal tiles that the thresholds leave below them.
        latent: one ``vector`` for a tile, or a ``map`` of tile_size/16 x tile_size/16 places, diagonal.
        training: the arguments of :class:`SinglePhaseModule`.

    Attributes:
        threshold: score from which a tile or picture counts as defective; NaN until calibrated.
        pixel_threshold: heat from which a pixel does; NaN until calibrated.

    Raises:
        InputError: loss, activation and range do not go together, or an argument is out of its range.
    """

    phases: ClassVar[tuple[str, ...]] = ("vae",)
    phase_modules: ClassVar[dict[str, tuple[str, ...]]] = {"vae": ("network",)}
    shared_with_data: ClassVar[Mapping[str, str]] = {"tile_size": "tile_size", "channels": "channels"}
    renamed_state: ClassVar[Mapping[str, str]] = {
        "tile_threshold": "threshold",
        "scale.": "scorer.scale.",
        "reference.": "scorer.baseline.",
    }
    published_optimizers: ClassVar = {"vae": partial(torch.optim.Adam, lr=1e-3)}
    free_after_training: ClassVar[tuple[str, ...]] = ("dropout", "free_bits")
    default_weights: ClassVar = AitexVAEWeights()
    loss_terms: ClassVar[Mapping[str, Sequence[str]]] = {"vae": tuple(default_weights.by_name())}
    alternative_scores: ClassVar[Sequence[str]] = ALTERNATIVES
    pixel_threshold: Tensor

    def __init__(
        self,
        tile_size: int = 256,
        channels: int = 1,
        width: int = 32,
        latent_dim: int = 32,
        posterior: PosteriorKind = "diagonal",
        rank: int | None = None,
        decoder: DecoderKind = "shallow",
        dropout: float = 0.2,
        output: OutputKind = "sigmoid",
        data_range: DataRange = "unit",
        weights: AitexVAEWeights | None = None,
        free_bits: float = 0.0,
        overlap: float = 0.5,
        top_k: int = 1,
        evidence: list[str] | None = None,
        quantile: float = 0.99,
        latent: LatentKind = "vector",
        **training: Any,
    ) -> None:
        super().__init__(weights=weights, **training)
        self.losses = [name for name in LOSSES if self.weights.count(name)]
        check_output(output, data_range, self.losses)
        at_least_zero("model.free_bits", free_bits)
        effective("free_bits", free_bits or None, 0.0, posterior == "diagonal", "posterior diagonal", "0")
        effective("free_bits", free_bits or None, 0.0, self.weights.count("kl"), "weights.kl above 0", "0")
        if evidence is not None and (not evidence or set(evidence) - set(KINDS)):
            raise InputError(f"model.evidence is {evidence}: name some of {list(KINDS)}, or leave it out")
        if not 0 < quantile < 1 or top_k < 1:
            raise InputError(f"model.quantile is {quantile} and model.top_k {top_k}: give 0 < quantile < 1 <= top_k")
        if not 0 <= overlap < 1:
            raise InputError(f"model.overlap is {overlap}: give at least 0 and less than 1")
        self.tile_size, self.channels, self.data_range = tile_size, channels, data_range
        self.free_bits = free_bits
        self.overlap, self.quantile = overlap, quantile
        self.network = AitexNetwork(
            tile_size, channels, width, latent_dim, posterior, rank, decoder, dropout, output, latent
        )
        self.scorer = TileScorer(tile_size, channels, evidence, top_k)
        self.register_buffer("pixel_threshold", torch.tensor(float("nan")))

    def forward(self, tiles: Tensor) -> Reconstruction:
        """Reconstruct tiles ``(B, C, S, S)`` of bytes 0..255."""
        return self.network(self.from_pixels(tiles))

    def from_pixels(self, pixels: Tensor) -> Tensor:
        """Bring bytes 0..255 into the range that the network sees."""
        return from_pixels(pixels, self.data_range)

    # --- training -----------------------------------------------------------------------------------------------

    def prepare(self, batch: TileBatch) -> tuple[Tensor, Reconstruction]:
        """Reconstruct a batch of tiles from a sample of z."""
        if batch.images.shape[1:] != (self.channels, self.tile_size, self.tile_size):
            raise InputError(
                f"the tiles are {tuple(batch.images.shape[1:])}, but model.channels and model.tile_size say "
                f"{(self.channels, self.tile_size, self.tile_size)}: give data and model the same"
            )
        target = self.from_pixels(batch.images)
        return target, self.network(target)

    def vae_loss(self, prepared: tuple[Tensor, Reconstruction]) -> dict[str, Tensor]:
        """Reconstruction and divergence: the negative evidence lower bound where their weights are 1."""
        target, (raw, reconstructed, posterior) = prepared
        span = 1.0 if self.data_range == "unit" else 2.0
        terms = {
            "bce": lambda: reconstruction_losses.bce(raw, target),
            "mse": lambda: reconstruction_losses.mse(reconstructed, target),
            "ssim": lambda: reconstruction_losses.ssim(reconstructed, target, span),
            "spectral": lambda: reconstruction_losses.spectral(reconstructed, target),
            "log_spectral": lambda: reconstruction_losses.spectral(reconstructed, target, log=True),
        }
        return {**{name: terms[name]() for name in self.losses}, "kl": kl_divergence(posterior, self.free_bits).mean()}

    # --- evidence -----------------------------------------------------------------------------------------------

    def part_of(self, batch: PartBatch) -> Tensor:
        """Return the part ``(C, H, W - start)`` in the network's range.

        Raises:
            InputError: it has other channels than the model.
        """
        if batch.image.shape[0] != self.channels:
            raise InputError(
                f"{batch.name} has {batch.image.shape[0]} channels, but model.channels is {self.channels}: "
                "set model.channels to that"
            )
        return self.from_pixels(batch.image[:, :, batch.start :])

    def evidence_maps(self, batch: PartBatch, kinds: Sequence[str] = tuple(KINDS)) -> tuple[Tensor, Tensor]:
        """Return evidence ``(K, h, w)`` of some kinds in cells of 4 x 4 pixels of the part, and its reconstruction."""
        part = self.part_of(batch)  # (C, H, W - start)
        tiling = Tiling(part.shape[1], part.shape[2], self.tile_size, self.overlap)
        reconstructed, divergence, part_maps = reconstruct_picture(self.network, part, tiling, "kl" in kinds)
        with torch.autocast(self.device.type, enabled=False):
            # (K_i, h, w) of every kind i; h = ceil(H / 4)
            maps = all_evidence(
                self.network.encoder, part, part_maps, reconstructed, divergence, kinds, self.data_range
            )
            return self.scorer.join(maps, blank_cells(part), kinds), reconstructed

    # --- evaluation: what the calibration asks for ------------------------------------------------------------------

    def evidence(self, batch: PartBatch) -> Tensor:
        """Evidence ``(K, h, w)`` on one picture."""
        return self.evidence_maps(batch)[0]

    def calibration_rows(self, batch: PartBatch, evidence: Tensor) -> dict[int, CalibrationRow]:
        """What the scale of the group is fitted to, of the tiles of a normal picture."""
        return {batch.index: self.scorer.calibration_row(batch, evidence)}

    def calibration_group(self, row: CalibrationRow) -> str:
        """Every group has a scale of its own."""
        return row.group

    def fit_scale(self, rows: list[CalibrationRow]) -> None:
        """Fit the scale of every group."""
        self.scorer.fit(rows)

    def score(self, batch: PartBatch, evidence: Tensor) -> PartScores:
        """Score one picture, its tiles and its pixels."""
        return self.scorer(batch, evidence)

    def predict_step(self, batch: PartBatch, batch_idx: int) -> PartScores:
        """Score one picture, without what only an evaluation reports beside its score."""
        kinds = self.scorer.chosen
        return self.scorer.judge(batch, self.scorer.parts(batch.group, self.evidence_maps(batch, kinds)[0], kinds))

    def normal_rows(self, batch: PartBatch, scores: PartScores) -> dict[int, Tensor]:
        """Score and hottest pixel of every tile of a normal picture, ``(2, N)``."""
        return {batch.index: torch.stack([scores.tile_score, tile_peaks(scores)])} if batch.label == 0 else {}

    def fit_threshold(self, rows: list[Tensor]) -> None:
        """Put the thresholds where few tiles of held-out normal pictures lie above them."""
        score, peak = torch.cat(rows, 1)
        self.threshold.copy_(quantile(score, self.quantile))
        self.pixel_threshold.copy_(quantile(peak, self.quantile))

    visual_scales: ClassVar[Mapping[str, tuple[str, str, str]]] = {"heat": ("0", "threshold", "twice that or more")}

    @torch.no_grad()
    def visuals(self, batch: PartBatch) -> dict[str, Tensor]:
        """Pictures in [0, 1] to look at: input and reconstruction ``(1, 3, H, W - start)``, heat ``(1, 1, ...)``.

        In the heat 0.5 is the threshold of a pixel.
        """
        evidence, reconstructed = self.evidence_maps(batch)
        part = self.from_pixels(batch.image[:, :, batch.start :])
        heat = self.score(batch, evidence).heat[:, batch.start :] / (2 * self.pixel_threshold)
        return {
            # three channels also where they are grey: a single one is shown in the colours of heat
            "input": self._to_unit_range(part).expand(3, -1, -1)[None],
            "reconstruction": self._to_unit_range(reconstructed).expand(3, -1, -1)[None],
            "heat": heat.nan_to_num(0).clamp(0, 1)[None, None],
        }

    def _to_unit_range(self, picture: Tensor) -> Tensor:
        return to_unit(picture, self.data_range).clamp(0, 1)

    def deployed(self) -> DeployedAitexVAE:
        """Return what scores parts outside of this project."""
        return DeployedAitexVAE(
            self.network, self.scorer, self.data_range, self.overlap, (self.threshold, self.pixel_threshold)
        )

    # --- checkpoints: the groups' names travel beside their statistics ----------------------------------------------

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the names of the groups, and the range of the evidence."""
        super().on_save_checkpoint(checkpoint)
        checkpoint["evidence_range"] = EVIDENCE_RANGE
        checkpoint["groups"] = self.scorer.scale.groups[1:]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Make room for the statistics of the checkpoint's groups."""
        self.scorer.regroup(checkpoint.get("groups", []))
        checkpoint["state_dict"] = self._under_present_names(checkpoint["state_dict"])
        if checkpoint.get("evidence_range", self.data_range) != EVIDENCE_RANGE:
            forget_calibration(checkpoint["state_dict"])
        tensors = [checkpoint["state_dict"], checkpoint.get("weight_average", {}).get("average", {})]
        self.scorer.absent = without_newer(tensors, {kind: self.scorer.place[kind] for kind in NEWER})
        warn_of_absent(self.scorer.absent, self.scorer.combined)
        super().on_load_checkpoint(checkpoint)
        check_same_scores(checkpoint.get("hyper_parameters", {}), self.hparams)

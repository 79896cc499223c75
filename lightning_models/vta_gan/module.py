"""VTA-GAN: ``lightning fit --config experiments/vta_gan.yaml``.

A generator reconstructs clips of normal video from their frequency bands, helped by optical flow and by attention over
time; a discriminator tells real frames from reconstructed and from falsified ones. All parts know normal video only:
where they err, the video is not normal. Lineage: GANomaly (arXiv 1805.06725), Skip-GANomaly (arXiv 1901.08954),
OCR-GAN (arXiv 2203.00259).
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from datamodules.batches import FrameScores, VideoBatch
from datamodules.errors import InputError
from datamodules.protocols import HasPictureSize, HasTrainingSize
from lightning_models import losses
from lightning_models.effective import effective
from lightning_models.training.adversarial import AdversarialModule
from lightning_models.training.calibration import CalibratedModule
from lightning_models.training.health import probability_health
from lightning_models.training.quantile import quantile
from lightning_models.vta_gan import video_losses
from lightning_models.vta_gan.deployed import BASELINE, DeployedVTAGAN
from lightning_models.vta_gan.discriminator import Discriminator, DiscriminatorNorm, DiscriminatorOutput
from lightning_models.vta_gan.evidence import all_evidence, offered_evidence, speed
from lightning_models.vta_gan.flow_fusion import OpticalFlowFeatureFusion
from lightning_models.vta_gan.generator import ChannelSelectionMode, Generator
from lightning_models.vta_gan.optical_flow import (
    FlowBackend,
    OpticalFlow,
    inside,
    photometric_loss,
    smoothness_loss,
    warp,
)
from lightning_models.vta_gan.patch_scorer import OF_COMBINED, Joint, PatchScorer, PatchSummary
from lightning_models.vta_gan.reconstructor import Reconstruction, Reconstructor, from_pixels, to_unit_range
from lightning_models.vta_gan.shared_frames import Distinct, shared_frames
from lightning_models.vta_gan.temporal_attention import PositionalEncoding, TemporalFeatureFusion
from lightning_models.vta_gan.weights import VTAGANWeights

THRESHOLD_QUANTILE = 0.99  # of the scores of held-out normal frames

ADAM = partial(torch.optim.Adam, lr=2e-4, betas=(0.5, 0.999))


class VTAGAN(CalibratedModule[VideoBatch, PatchSummary, FrameScores], AdversarialModule):
    """Video anomaly detection with temporal attention and optical flow.

    Args:
        num_frames: frames T of a window, as in the data.
        ngf: channels of the generator's outermost level; 64 is the published size.
        ndf: channels of the discriminator's first layer; None: 64, the published size.
        discriminator_norm: norm in the discriminator; None: ``group``.
        frequency_split: one U-Net for the high and one for the low band, or both see the whole picture.
        channel_selection: whether the U-Nets compete for channels.
        noise_std: standard deviation of the noise on both bands, training only, range [-1, 1].
        flow_backend: who estimates optical flow; "none" leaves the fusion out.
        flow_width: multiplier of FlowNetSD's channels; None: 1, the published size.
        flow_weights: file with published FlowNet2-SD weights for width 1; it is trained from scratch without.
        temporal_attention: whether attention over time is used.
        token_width: width of its tokens; None keeps the seed's 2048.
        positional_encoding: how tokens know their place in time; None: ``learned``.
        pseudo_fakes: whether the discriminator also learns from clips falsified by CutPaste and Cutout; None: it does.
        adversarial: objective of the game; "off" trains the generator without discriminator.
        reconstruction: distance of reconstructed to real frames.
        weights: weights of the generator's losses.
        patch: edge in pixels of the patches that are scored.
        top_k: number of largest patches that stand for a frame.
        evidence: kinds of evidence that make up the score; None takes all that the switched-on parts offer.
        joint: what they come to: ``largest``, the one that exceeds normal windows most, or ``density``, their distance
            from normal windows.
        training: the arguments of :class:`AdversarialModule`.

    Raises:
        InputError: an argument is out of its range, or of a part that is switched off.
    """

    phases: ClassVar[tuple[str, ...]] = ("discriminator", "generator")
    phase_modules: ClassVar[dict[str, tuple[str, ...]]] = {
        "discriminator": ("discriminator",),
        "generator": ("reconstructor",),
    }
    shared_with_data: ClassVar[Mapping[str, str]] = {"num_frames": "num_frames"}
    renamed_state: ClassVar[Mapping[str, str]] = {"score_threshold": "threshold", "restorer.": "reconstructor."}
    published_optimizers: ClassVar = dict.fromkeys(phases, ADAM)
    free_after_training: ClassVar[tuple[str, ...]] = ("noise_std", "flow_weights", "pseudo_fakes", "reconstruction")
    default_weights: ClassVar = VTAGANWeights()
    loss_terms: ClassVar[Mapping[str, Sequence[str]]] = {
        "discriminator": ("real", "reconstructed", "pseudo"),
        "generator": tuple(default_weights.by_name()),
    }

    def __init__(
        self,
        num_frames: int = 8,
        ngf: int = 64,
        ndf: int | None = None,
        discriminator_norm: DiscriminatorNorm | None = None,
        frequency_split: bool = True,
        channel_selection: ChannelSelectionMode = "learned",
        noise_std: float = 0.1,
        flow_backend: FlowBackend = "flownet_sd",
        flow_width: float | None = None,
        flow_weights: str | None = None,
        temporal_attention: bool = True,
        token_width: int | None = None,
        positional_encoding: PositionalEncoding | None = None,
        pseudo_fakes: bool | None = None,
        adversarial: Literal["bce", "hinge", "off"] = "bce",
        reconstruction: Literal["l1", "l2"] = "l1",
        weights: VTAGANWeights | None = None,
        patch: int = 8,
        top_k: int = 3,
        evidence: list[str] | None = None,
        joint: Joint = "largest",
        **training: Any,
    ) -> None:
        super().__init__(weights=weights, **training)
        judged, judge = adversarial != "off", "adversarial bce or hinge"
        attends, attention = temporal_attention, "temporal_attention true"
        self.num_frames = num_frames
        self.pseudo_fakes = effective("pseudo_fakes", pseudo_fakes, True, judged, judge)
        ndf = effective("ndf", ndf, 64, judged, judge)
        norm: DiscriminatorNorm = effective("discriminator_norm", discriminator_norm, "group", judged, judge)
        token_width = effective("token_width", token_width, None, attends, attention)
        positional: PositionalEncoding = effective(
            "positional_encoding", positional_encoding, "learned", attends, attention
        )
        self.reconstruction: losses.Distance = reconstruction
        flow: OpticalFlow | None = OpticalFlow(flow_backend, flow_width, flow_weights)
        if flow_backend == "none":
            flow = None
        if not judged:
            self.weights.drop("adversarial", "feature", needs=judge)
        if flow is None or not flow.is_displacement:
            self.weights.drop("flow_consistency", needs="flow_backend flownet_sd or farneback")
        if flow_backend != "flownet_sd":
            self.weights.drop("photometric", "flow_smoothness", needs="flow_backend flownet_sd")
        self.reconstructor = Reconstructor(
            Generator(ngf, channel_selection=channel_selection, noise_std=noise_std),
            frequency_split=frequency_split,
            flow=flow,
            flow_fusion=None if flow is None else OpticalFlowFeatureFusion(),
            temporal_attention=TemporalFeatureFusion(num_frames, token_width=token_width, positional=positional)
            if attends
            else None,
        )
        self.discriminator: Discriminator | None = None
        if adversarial != "off":
            self.objective: losses.Objective = adversarial
            self.discriminator = Discriminator(ndf, norm=norm)
        # The rule without any learning that the model has to beat: speed of classical optical flow.
        self.baseline_flow = OpticalFlow("farneback")
        offered = offered_evidence(flow is not None, "flow_consistency" in self.weights, judged)
        if unknown := sorted(set(evidence or offered) - set(offered)):
            raise InputError(f"model.evidence: {unknown} is not among what the parts switched on offer: {offered}")
        self.scorer = PatchScorer([BASELINE, *offered], offered if evidence is None else evidence, patch, top_k, joint)
        self.alternative_scores = self.scorer.names

    def check_data(self, data: object) -> None:
        """Refuse windows of another length, and frames that the networks cannot halve."""
        super().check_data(data)
        if isinstance(data, HasPictureSize):
            self.reconstructor.generator.check_size("data.image_size", *data.image_size)
        if isinstance(data, HasTrainingSize):
            self.reconstructor.generator.check_size("data.train_crop", *data.training_size)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Let a checkpoint from before the density score as it was calibrated: by its largest part."""
        state = checkpoint["state_dict"]
        if "scorer.scale" in state and "scorer.whitening" not in state:
            if self.scorer.joint != "largest":
                rank_zero_warn(
                    "the checkpoint was calibrated before model.joint could be density: its largest part decides. "
                    "Train anew for the density"
                )
            self.scorer.joint = "largest"
            state |= {f"scorer.{name}": getattr(self.scorer, name) for name in OF_COMBINED}
        super().on_load_checkpoint(checkpoint)

    def forward(self, frames: Tensor) -> Reconstruction:
        """Reconstruct clips ``(B, T, 3, H, W)`` of bytes 0..255."""
        return self.reconstructor(from_pixels(frames))

    # --- training: one loss per phase -------------------------------------------------------------------------

    def prepare(self, batch: VideoBatch) -> tuple[Reconstruction, VideoBatch]:
        """Reconstruct a batch once for both phases."""
        self._check_window(batch)
        return self(batch.frames), batch

    def discriminator_loss(self, prepared: tuple[Reconstruction, VideoBatch]) -> dict[str, Tensor]:
        """Real frames against reconstructed and falsified ones."""
        if self.discriminator is None:
            raise RuntimeError("the discriminator is off: its phase has nothing to train")
        clip, batch = prepared
        kinds = [clip.frames, clip.reconstructed.detach()]
        if self.pseudo_fakes:
            if batch.pseudo is None or batch.pseudo_mask is None:
                raise InputError("model.pseudo_fakes is true, but the data has no falsified clips: set it to false")
            kinds.append(from_pixels(batch.pseudo))
        logits = _judge(self.discriminator, *kinds).logits.chunk(len(kinds))
        terms = {
            "real": losses.real_objective(self.objective, logits[0]),
            "reconstructed": losses.fake_objective(self.objective, logits[1]),
        }
        fakes, counted = {"reconstruction": logits[1]}, {}
        if batch.pseudo_mask is not None and self.pseudo_fakes:
            # Where the picture is larger than what one logit sees, most of it was left as it is.
            changed = F.adaptive_max_pool2d(batch.pseudo_mask.flatten(0, 1).float(), logits[2].shape[-2:])
            terms["pseudo"] = losses.fake_objective(self.objective, logits[2], changed)
            fakes, counted = fakes | {"pseudo": logits[2]}, {"pseudo": changed}
        self.health = probability_health(torch.stack([*terms.values()]).sum(), logits[0], fakes, counted)
        return terms

    def generator_loss(self, prepared: tuple[Reconstruction, VideoBatch]) -> dict[str, Tensor]:
        """Fool the discriminator, reconstruct the frames, their features and their change over time; explain motion."""
        clip, _ = prepared
        terms = {
            "reconstruction": losses.reconstruction(self.reconstruction, clip.reconstructed, clip.frames),
            "consistency": video_losses.temporal_consistency(clip.reconstructed, clip.frames),
            "smoothness": video_losses.temporal_smoothness(clip.reconstructed, clip.frames),
        }
        if self.discriminator is not None:
            if self.discriminator.norm == "batch":
                output = _judge(self.discriminator, clip.frames, clip.reconstructed)
                (_, fooled), (real, reconstructed) = output.logits.chunk(2), output.features.chunk(2)
            else:  # frames do not know of each other: no gradient is needed through the real ones
                fooled, reconstructed, _ = _judge(self.discriminator, clip.reconstructed)
                with torch.no_grad():
                    real = _judge(self.discriminator, clip.frames).features
            terms["adversarial"] = losses.generator_objective(self.objective, fooled)
            terms["feature"] = losses.feature_matching(reconstructed, real)
        if "flow_consistency" in self.weights:
            flow = clip.flows[0].detach()
            following = warp(clip.reconstructed[:, 1:], flow)
            terms["flow_consistency"] = video_losses.flow_consistency(
                clip.reconstructed[:, :-1], following, inside(flow)
            )
        if "photometric" in self.weights:
            terms["photometric"] = torch.stack([photometric_loss(clip.frames, flow) for flow in clip.flows]).mean()
            terms["flow_smoothness"] = torch.stack([smoothness_loss(clip.frames, flow) for flow in clip.flows]).mean()
        return terms

    # --- evaluation: evidence, calibration, scores --------------------------------------------------------------

    def evidence_patches(self, batch: VideoBatch, scorer: PatchScorer | None = None) -> tuple[Tensor, Reconstruction]:
        """All evidence over patches, ``(B, T, K, h, w)`` in the order of the scorer, and the reconstruction.

        Frames and pairs that several windows hold are known by ``video`` and ``frame``; what depends on them alone is
        computed once.

        Args:
            batch: the windows.
            scorer: whose evidence is wanted; None: that of the system, the baseline included.
        """
        self._check_window(batch)
        scorer = scorer or self.scorer
        shared = shared_frames(batch.video, batch.frame)
        own = self.reconstructor.flow
        flow = None if own is None else _flow_once(own, batch.frames, shared.pairs)
        clip = self.reconstructor(from_pixels(batch.frames), flow)
        maps = all_evidence(clip, self.discriminator, scorer.names, shared.frames)  # (B, T, H, W) each, by name
        if BASELINE in scorer.names:
            classical = own is not None and own.backend == "farneback"
            maps[BASELINE] = (
                maps["flow"] if classical else speed(_flow_once(self.baseline_flow, batch.frames, shared.pairs))
            )
        return scorer.pool(scorer.in_order(maps), batch.region), clip

    def evidence(self, batch: VideoBatch) -> Tensor:
        """Evidence ``(B, T, K, h, w)`` over patches."""
        return self.evidence_patches(batch)[0]

    def calibration_rows(self, batch: VideoBatch, evidence: Tensor) -> dict[int, PatchSummary]:
        """What the scale is fitted to, of every normal window."""
        return dict(zip(batch.index.tolist(), self.scorer.summarise(evidence), strict=True))

    def fit_scale(self, rows: list[PatchSummary]) -> None:
        """Fit the scorer to normal windows."""
        self.scorer.fit(rows)

    def score(self, batch: VideoBatch, evidence: Tensor) -> FrameScores:
        """Score every frame of a batch of windows."""
        return _frame_scores(batch, self.scorer, evidence)

    def predict_step(self, batch: VideoBatch, batch_idx: int) -> FrameScores:
        """Score a batch, without the baseline: a test alone tells what the model has to beat."""
        scorer = self.scorer.without(BASELINE)
        return _frame_scores(batch, scorer, self.evidence_patches(batch, scorer)[0])

    def normal_rows(self, batch: VideoBatch, scores: FrameScores) -> dict[int, Tensor]:
        """Scores ``(T,)`` of the windows that are normal throughout.

        The frames of a window share its score: one anomalous frame raises that of its normal neighbours.
        """
        normal = (batch.label == 0).all(1)
        return dict(zip(batch.index[normal].tolist(), scores.score[normal], strict=True))

    def fit_threshold(self, rows: list[Tensor]) -> None:
        """Put the threshold where few frames of held-out normal windows lie above it."""
        self.threshold.copy_(quantile(torch.stack(rows), THRESHOLD_QUANTILE))

    visual_scales: ClassVar[Mapping[str, tuple[str, str, str]]] = {
        "error": ("0", "a quarter of the range", "half of it or more"),
        "heat": ("0", "as a high normal window", "twice that or more"),
    }

    @torch.no_grad()
    def visuals(self, batch: VideoBatch) -> dict[str, Tensor]:
        """Clips ``(B, T, C, H, W)`` in [0, 1] to look at: input, reconstruction, error, heat."""
        scorer = self.scorer.without(BASELINE)
        patches, clip = self.evidence_patches(batch, scorer)
        heat = scorer(patches).heat
        size = clip.frames.shape[-2:]
        return {
            "input": to_unit_range(clip.frames),
            "reconstruction": to_unit_range(clip.reconstructed),
            "error": (clip.reconstructed - clip.frames).abs().mean(2, keepdim=True).clamp(0, 1),
            # at 1 a patch is as strong as the strongest of a high normal window; a picture shows up to twice that
            "heat": (F.interpolate(heat, size, mode="bilinear")[:, :, None] / 2).clamp(0, 1),
        }

    @torch.no_grad()
    def attention(self, batch: VideoBatch) -> Tensor:
        """Return how much each frame attends to each, ``(B, 1, T, T)``; ``(B, 0, T, T)`` without temporal attention."""
        self._check_window(batch)
        return self.reconstructor.attention(from_pixels(batch.frames))

    def deployed(self) -> DeployedVTAGAN:
        """Return what scores windows outside of this project."""
        return DeployedVTAGAN(self.reconstructor, self.discriminator, self.scorer, self.num_frames, self.threshold)

    def _check_window(self, batch: VideoBatch) -> None:
        if batch.frames.shape[1] != self.num_frames:
            raise InputError(
                f"the windows have {batch.frames.shape[1]} frames, but model.num_frames is {self.num_frames}: "
                "set data.num_frames and model.num_frames to the same number"
            )


def _judge(discriminator: Discriminator, *kinds: Tensor) -> DiscriminatorOutput:
    """Show the discriminator clips of several kinds in one call, so that batch statistics do not give the kind away."""
    judged: DiscriminatorOutput = discriminator(torch.cat([clips.flatten(0, 1) for clips in kinds]))
    return judged


def _flow_once(estimate: OpticalFlow, frames: Tensor, pairs: Distinct) -> Tensor:
    """Flow ``(B, T-1, 2, H, W)`` of windows of bytes ``(B, T, 3, H, W)``, estimated once for each distinct pair."""
    neighbours = torch.stack((frames[:, :-1], frames[:, 1:]), 2)  # (B, T-1, 2, 3, H, W)
    return pairs.once(lambda distinct: estimate(from_pixels(distinct))[:, 0], neighbours)


def _frame_scores(batch: VideoBatch, scorer: PatchScorer, evidence: Tensor) -> FrameScores:
    """Score the evidence ``(B, T, K, h, w)`` of a batch of windows."""
    scored = scorer(evidence)
    return FrameScores(
        video=batch.video,
        frame=batch.frame,
        label=batch.label,
        index=batch.index,
        score=scored.score,
        heat=scored.heat,
        region=batch.region,
        alternatives={name: scored.parts[..., k] for k, name in enumerate(scorer.names)},
        mask=batch.mask,
    )

"""VTA-GAN outside of this project: windows of bytes in, scores and heat out."""

from typing import Any, ClassVar

from torch import Tensor, nn

from datamodules.batches import FrameScores, VideoBatch
from lightning_models.deployment import Deployment, Graph, Port, Run
from lightning_models.vta_gan.evidence import all_evidence
from lightning_models.vta_gan.optical_flow import OpticalFlow
from lightning_models.vta_gan.patch_scorer import PatchScorer
from lightning_models.vta_gan.reconstructor import Reconstructor, from_pixels

BASELINE = "baseline"
"""Evidence of the rule without learning, which is no part of the score: the speed of OpenCV's optical flow."""

IN_OPENCV = "farneback"

FRAMES = Port(
    "frames",
    ("batch", "frames", "colours", "height", "width"),
    "uint8",
    "0 to 255",
    "windows of RGB frames, in a letterbox",
)
REGION = Port(
    "region",
    ("batch", "edges"),
    "int64",
    "pixels",
    "top, left, height and width of the picture within the letterbox",
)
FLOW = Port(
    "flow",
    ("batch", "pairs", "directions", "height", "width"),
    "float32",
    "pixels a frame",
    "optical flow from each frame to the next, to the right and down",
)
OUTPUTS = (
    Port(
        "score",
        ("batch", "frames"),
        "float32",
        "unbounded",
        "anomaly score of every frame of a window, the same for all of them: 0 as an average normal window, 1 as a "
        "high one; average a frame's scores over the windows that hold it",
    ),
    Port(
        "heat",
        ("batch", "frames", "rows", "columns"),
        "float32",
        "at least 0",
        "score of every patch of the letterboxed picture, 1 as in a high normal window; average it likewise",
    ),
    Port("parts", ("batch", "frames", "evidence"), "float32", "unbounded", "score by each kind of evidence alone"),
)


class WindowScores(nn.Module):
    """Scores windows of frames by the networks and the calibration of a VTA-GAN.

    Args:
        reconstructor: reconstructs clips.
        discriminator: judges frames, or None.
        scorer: calibrated; without the baseline.
    """

    def __init__(self, reconstructor: Reconstructor, discriminator: nn.Module | None, scorer: PatchScorer) -> None:
        super().__init__()
        self.reconstructor, self.discriminator, self.scorer = reconstructor, discriminator, scorer

    def forward(self, frames: Tensor, region: Tensor, flow: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Score windows of bytes ``(B, T, 3, H, W)``.

        Args:
            frames: the windows.
            region: int64 ``(B, 4)``, top, left, height and width of the picture within the letterbox.
            flow: ``(B, T-1, 2, H, W)`` where it comes from outside.

        Returns:
            Score ``(B, T)``, heat ``(B, T, h, w)``, score by kind of evidence ``(B, T, K)``.
        """
        clip = self.reconstructor(from_pixels(frames), flow)
        evidence = all_evidence(clip, self.discriminator, self.scorer.names)
        scored = self.scorer(self.scorer.pool(self.scorer.in_order(evidence), region))
        return scored.score, scored.heat, scored.parts


class DeployedVTAGAN(Deployment[VideoBatch, FrameScores]):
    """Scores windows; see :class:`~lightning_models.deployment.Deployment`.

    Args:
        reconstructor: of the system.
        discriminator: of the system, or None.
        scorer: of the system.
        num_frames: T.
        threshold: 0-dim, above which a frame is anomalous.
    """

    system: ClassVar[str] = "vta_gan"

    def __init__(
        self,
        reconstructor: Reconstructor,
        discriminator: nn.Module | None,
        scorer: PatchScorer,
        num_frames: int,
        threshold: Tensor,
    ) -> None:
        own = scorer.without(BASELINE)
        flow = reconstructor.flow
        self._flow: OpticalFlow | None = flow if flow is not None and flow.backend == IN_OPENCV else None
        self._names = own.names
        inputs = (FRAMES, REGION) if self._flow is None else (FRAMES, REGION, FLOW)
        self.graphs = {"": Graph(WindowScores(reconstructor, discriminator, own), inputs, OUTPUTS)}
        self.facts: dict[str, Any] = {
            "threshold": float(threshold),
            "num_frames": num_frames,
            "patch": own.patch,
            "top_k": own.top_k,
            "evidence": list(own.names),
            "joint": own.joint,
            "evidence_in_score": [own.names[place] for place in own.chosen],
            "normalisation": "none: bytes go in, and are brought to -1 to 1 inside",
        }
        self.outside = (
            "The rule without learning that the model is compared with: its optical flow is OpenCV's, and it is no "
            "part of the score.",
        )
        if self._flow is not None:
            self.outside += (
                "The optical flow, an input: model.flow_backend farneback is OpenCV's, cv2.calcOpticalFlowFarneback("
                "first, second, None, 0.5, 3, 15, 3, 5, 1.2, 0) of the rounded grey levels of the letterboxed frames.",
            )

    def answer(self, batch: VideoBatch, run: Run) -> FrameScores:
        """Score every frame of a batch of windows."""
        inputs = {"frames": batch.frames, "region": batch.region}
        if self._flow is not None:
            inputs["flow"] = self._flow(from_pixels(batch.frames))
        outputs = run("", inputs)
        parts = outputs["parts"]
        return FrameScores(
            video=batch.video,
            frame=batch.frame,
            label=batch.label,
            index=batch.index,
            score=outputs["score"],
            heat=outputs["heat"],
            region=batch.region,
            alternatives={name: parts[..., k] for k, name in enumerate(self._names)},
            mask=batch.mask,
        )

"""The forward pass of VTA-GAN: frequency bands, optical flow, attention over time, generator.

Training, testing and prediction use this one forward pass; only the noise belongs to training alone.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from lightning_models.vta_gan.flow_fusion import OpticalFlowFeatureFusion
from lightning_models.vta_gan.frequency import split
from lightning_models.vta_gan.generator import Generator
from lightning_models.vta_gan.optical_flow import OpticalFlow
from lightning_models.vta_gan.temporal_attention import TemporalFeatureFusion

FLOW_STRIDE = 4
TEMPORAL_STRENGTH = 0.1  # the seed's constant: both bands + 0.1 * temporal features


class Reconstruction(NamedTuple):
    """Result of one forward pass on clips ``(B, T, 3, H, W)`` in [-1, 1].

    Attributes:
        frames: the input.
        high: high band of the input, same shape; the input halved where the frequency split is off.
        reconstructed_high: high band as reconstructed, same shape.
        reconstructed: the reconstructed clips, both bands added, same shape.
        flows: ``(B, T-1, 2, H, W)`` each, pixels a frame from each frame to the next, finest scale first; scales
            beyond the first only in training, empty without a flow backend.
    """

    frames: Tensor
    high: Tensor
    reconstructed_high: Tensor
    reconstructed: Tensor
    flows: list[Tensor]


class Reconstructor(nn.Module):
    """Reconstructs clips; every enhancement can be left out for an ablation.

    Args:
        generator: two coupled U-Nets, from both bands to both reconstructed bands.
        frequency_split: feed one U-Net the high and one the low band; without it each gets half of the picture.
        flow: estimates the motion between frames, or None.
        flow_fusion: writes the motion into both bands; given exactly with ``flow``.
        temporal_attention: attends over the frames of a clip, or None.
    """

    def __init__(
        self,
        generator: Generator,
        frequency_split: bool = True,
        flow: OpticalFlow | None = None,
        flow_fusion: OpticalFlowFeatureFusion | None = None,
        temporal_attention: TemporalFeatureFusion | None = None,
    ) -> None:
        super().__init__()
        self.generator = generator
        self.frequency_split = frequency_split
        self.flow = flow
        self.flow_fusion = flow_fusion
        self.temporal_attention = temporal_attention

    def forward(self, frames: Tensor, given_flow: Tensor | None = None) -> Reconstruction:
        """Reconstruct clips ``(B, T, 3, H, W)`` in [-1, 1]; H and W are multiples of the generator's stride.

        Args:
            frames: the clips.
            given_flow: ``(B, T-1, 2, H, W)``, where their flow was estimated elsewhere.
        """
        lap, res = self._split(frames)  # (B, T, 3, H, W) each
        high = lap
        # (B, T-1, 2, H, W) each
        if given_flow is not None:
            flows = [given_flow]
        else:
            flows = [] if self.flow is None else self.flow.scales(frames, finest_only=not self.training)
        lap, res = self._fused(lap, res, flows)
        if self.temporal_attention is not None:
            temporal = TEMPORAL_STRENGTH * self.temporal_attention(lap + res)[:, None]  # (B, 1, 3, H, W)
            lap, res = lap + temporal, res + temporal
        reconstructed = self.generator(lap.flatten(0, 1), res.flatten(0, 1))  # (B T, 3, H, W) each
        reconstructed_lap, reconstructed_res = (
            band.unflatten(0, frames.shape[:2]) for band in reconstructed
        )  # (B, T, 3, H, W) each
        return Reconstruction(frames, high, reconstructed_lap, reconstructed_lap + reconstructed_res, flows)

    def attention(self, frames: Tensor) -> Tensor:
        """Return how much each frame of ``(B, T, 3, H, W)`` attends to each, ``(B, 1, T, T)``; no layer without."""
        if self.temporal_attention is None:
            return frames.new_zeros(len(frames), 0, frames.shape[1], frames.shape[1])
        flows = [] if self.flow is None else self.flow.scales(frames, finest_only=True)
        lap, res = self._fused(*self._split(frames), flows)
        return self.temporal_attention.weights(lap + res)[:, None]

    def _split(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        return split(frames) if self.frequency_split else (frames / 2, frames / 2)

    def _fused(self, lap: Tensor, res: Tensor, flows: list[Tensor]) -> tuple[Tensor, Tensor]:
        if self.flow_fusion is None:
            return lap, res
        # Flow is learned from how well it explains the next frame; the reconstruction must not bend it.
        return self.flow_fusion(lap, res, shrink_flow(flows[0].detach()))  # flow (B, T-1, 2, H/4, W/4)


def shrink_flow(flow: Tensor) -> Tensor:
    """Flow ``(B, T-1, 2, H, W)`` at the flow net's own resolution of H/4 x W/4, in pixels of that size.

    Motion has no finer detail, and the convolutions over space and time cost a sixteenth there.
    """
    small = nn.functional.avg_pool2d(flow.flatten(0, 1), FLOW_STRIDE) / FLOW_STRIDE
    return small.unflatten(0, flow.shape[:2])


def from_pixels(frames: Tensor) -> Tensor:
    """Bytes 0..255 to float32 in [-1, 1]."""
    return frames.to(torch.float32) / 127.5 - 1


def to_unit_range(frames: Tensor) -> Tensor:
    """[-1, 1] to [0, 1] for showing; reconstructed frames may leave the range a little and are cut there."""
    return ((frames + 1) / 2).clamp(0, 1)

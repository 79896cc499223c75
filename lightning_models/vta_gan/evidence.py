"""Evidence of an anomaly at every pixel, a map for each part of VTA-GAN: at least 0, larger is more unusual."""

from collections.abc import Collection

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lightning_models.vta_gan.discriminator import DiscriminatorOutput
from lightning_models.vta_gan.optical_flow import inside, warp
from lightning_models.vta_gan.reconstructor import Reconstruction
from lightning_models.vta_gan.shared_frames import Distinct


def offered_evidence(flow: bool, displacement: bool, discriminator: bool) -> list[str]:
    """Return the kinds of evidence that the parts offer which are switched on.

    Args:
        flow: whether optical flow is estimated.
        displacement: whether it says where a pixel has gone, as that of differences of frames does not.
        discriminator: whether there is one.
    """
    kinds = ["reconstruction", "high_band", "temporal"]
    kinds += ["flow"] if flow else []
    kinds += ["flow_error", "flow_right", "flow_left", "flow_down", "flow_up"] if displacement else []
    return [*kinds, *(["feature", "discriminator"] if discriminator else [])]


def all_evidence(
    clip: Reconstruction, discriminator: nn.Module | None, kinds: Collection[str], distinct: Distinct | None = None
) -> dict[str, Tensor]:
    """Return every kind of evidence that the parts offer, each ``(B, T, H, W)``.

    Args:
        clip: what the generator makes of the clips.
        discriminator: judges frames ``(B T, 3, H, W)``; None where there is none.
        kinds: that are wanted, as :func:`offered_evidence` names them.
        distinct: the frames that the discriminator has to judge, each once; None: all.
    """
    maps = reconstruction_evidence(clip)
    if clip.flows:
        maps["flow"] = speed(clip.flows[0])  # flows (B, T - 1, 2, H, W)
    if "flow_error" in kinds:
        maps["flow_error"] = flow_evidence(clip.frames, clip.flows[0])
        maps |= direction_evidence(clip.flows[0])
    if discriminator is not None:
        reconstructed = discriminator(clip.reconstructed.flatten(0, 1))
        maps |= discriminator_evidence(_real(discriminator, clip.frames, distinct), reconstructed, clip.frames.shape)
    return maps


def _real(discriminator: nn.Module, frames: Tensor, distinct: Distinct | None) -> DiscriminatorOutput:
    """Judge the real frames ``(B, T, 3, H, W)``; of the maps, the last is what evidence needs."""
    if distinct is None:
        judged: DiscriminatorOutput = discriminator(frames.flatten(0, 1))
        return judged
    logits, features, maps = discriminator(distinct.take(frames))
    logits, features, last = (distinct.spread(each).flatten(0, 1) for each in (logits, features, maps[-1]))
    return DiscriminatorOutput(logits, features, [last])


def reconstruction_evidence(clip: Reconstruction) -> dict[str, Tensor]:
    """Errors of the generator, each ``(B, T, H, W)``: over both bands, in the high band, and of change over time."""
    change_error = (clip.reconstructed - clip.frames).diff(dim=1).abs().mean(2)
    return {
        "reconstruction": (clip.reconstructed - clip.frames).square().mean(2),
        "high_band": (clip.reconstructed_high - clip.high).abs().mean(2),
        "temporal": repeat_first(change_error),
    }


def flow_evidence(frames: Tensor, flow: Tensor) -> Tensor:
    """How badly the flow explains the next frame, ``(B, T, H, W)``; nothing where it leads out of the picture."""
    error = (warp(frames[:, 1:], flow) - frames[:, :-1]).abs() * inside(flow)
    return repeat_first(error.mean(2))


def discriminator_evidence(
    real: DiscriminatorOutput, reconstructed: DiscriminatorOutput, shape: torch.Size
) -> dict[str, Tensor]:
    """Distance of features and doubt about the real frame, each ``(B, T, H, W)``.

    Args:
        real: the discriminator's output for the B * T input frames.
        reconstructed: the same for the reconstructed ones.
        shape: that of the clips, ``(B, T, 3, H, W)``.
    """
    coarse = {
        "feature": (real.maps[-1] - reconstructed.maps[-1]).square().mean(1),
        "discriminator": F.softplus(-real.logits),
    }
    size = (shape[-2], shape[-1])
    return {
        name: F.interpolate(values[:, None].float(), size, mode="bilinear")[:, 0].unflatten(0, shape[:2])
        for name, values in coarse.items()
    }


def direction_evidence(flow: Tensor) -> dict[str, Tensor]:
    """Speed by direction, each ``(B, T, H, W)``: what is common to the right may be unheard of to the left.

    Args:
        flow: ``(B, T-1, 2, H, W)`` in pixels, u to the right and v down.
    """
    right, down = repeat_first(flow).unbind(2)
    return {
        "flow_right": right.relu(),
        "flow_left": (-right).relu(),
        "flow_down": down.relu(),
        "flow_up": (-down).relu(),
    }


def speed(flow: Tensor) -> Tensor:
    """Length of the flow ``(B, T-1, 2, H, W)`` for each of T frames, ``(B, T, H, W)``."""
    return repeat_first(torch.linalg.vector_norm(flow, dim=2))


def repeat_first(pairs: Tensor) -> Tensor:
    """Give T - 1 values between frames to T frames ``(B, T, ...)``: the first frame shares the second's."""
    return torch.cat([pairs[:, :1], pairs], dim=1)

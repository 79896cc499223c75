"""Optical-flow feature fusion: let motion mark both frequency bands."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from datamodules.errors import InputError

_MAGNITUDE_EPSILON = 1e-6
_DIRECTION_EPSILON = 0.01


class OpticalFlowFeatureFusion(nn.Module):
    """Turn the flow of a clip into one motion map per frame and add it to both bands.

    Steps: motion features (``motion_features``), temporal padding, two 3x3x3 convolutions over space
    and time, channel attention per frame, two 3x3 convolutions to a map of three channels; then
    ``motion = map * (1 + w_mag * magnitude branch)`` and ``band + w_m * motion`` for either band.

    The seed pads the flow in time and so makes a map for every frame; averaging the maps over time, as its
    code did, would blur a passing anomaly over the whole clip. The map ends in tanh, so that it is signed
    and starts near zero: a sigmoid would begin by making every frame brighter.

    Args:
        hidden: Channels of the two spatio-temporal convolutions, each a multiple of ``groups``; the spatial
            one has as many as the first.
        groups: Groups of every GroupNorm.
        motion_weight: w_m at first, in (0, 1). The parameter is its logit, so it stays in (0, 1) with a
            gradient everywhere; clamping it would stop its training at the ends.
        magnitude_weight: w_mag at first; any real number.
    """

    def __init__(
        self,
        hidden: tuple[int, int] = (32, 64),
        groups: int = 8,
        motion_weight: float = 0.2,
        magnitude_weight: float = 0.1,
    ) -> None:
        super().__init__()
        if not 0 < motion_weight < 1:
            raise InputError(f"motion_weight must be between 0 and 1, not {motion_weight}")
        if any(width % groups for width in hidden):
            raise InputError(f"hidden widths {hidden} must be multiples of the {groups} groups of the norm")
        narrow, wide = hidden
        self.over_time = nn.Sequential(
            nn.Conv3d(5, narrow, 3, padding=1),
            _FrameNorm(groups, narrow),
            nn.ReLU(),
            nn.Conv3d(narrow, wide, 3, padding=1),
            _FrameNorm(groups, wide),
            nn.ReLU(),
        )
        self.attention = nn.Sequential(nn.Linear(wide, wide // 4), nn.ReLU(), nn.Linear(wide // 4, wide), nn.Sigmoid())
        self.to_map = nn.Sequential(
            nn.Conv2d(wide, narrow, 3, padding=1),
            nn.GroupNorm(groups, narrow),
            nn.ReLU(),
            nn.Conv2d(narrow, 3, 3, padding=1),
            nn.Tanh(),
        )
        self.magnitude = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 1, 3, padding=1), nn.Sigmoid()
        )
        self.magnitude_weight = nn.Parameter(torch.tensor(magnitude_weight))
        self.motion_logit = nn.Parameter(torch.tensor(math.log(motion_weight / (1 - motion_weight))))

    @property
    def motion_weight(self) -> Tensor:
        """w_m, how strongly motion marks the bands, scalar in (0, 1)."""
        return self.motion_logit.sigmoid()

    def forward(self, lap: Tensor, res: Tensor, flow: Tensor) -> tuple[Tensor, Tensor]:
        """Mark both bands with the motion.

        Args:
            lap: ``(B, T, 3, H, W)``, high band.
            res: ``(B, T, 3, H, W)``, low band.
            flow: ``(B, T-1, 2, h, w)`` in pixels of its own size; any h and w: the maps are made there and
                resized.

        Returns:
            The two bands, each ``(B, T, 3, H, W)``, changed by less than ``w_m * (1 + |w_mag|)``.
        """
        motion = self.motion(flow)  # (B, T, 3, h, w)
        if motion.shape[-2:] != lap.shape[-2:]:
            size = (int(lap.shape[-2]), int(lap.shape[-1]))
            resized = F.interpolate(motion.flatten(0, 1), size=size, mode="bilinear", align_corners=False)
            motion = resized.reshape(lap.shape)  # (B, T, 3, H, W)
        motion = self.motion_weight * motion
        return lap + motion, res + motion  # (B, T, 3, H, W) each

    def motion(self, flow: Tensor) -> Tensor:
        """Motion maps ``(B, T, 3, h, w)`` of a flow ``(B, T-1, 2, h, w)``."""
        features = motion_features(flow)  # (B, T-1, 5, h, w)
        # Frame t shows the motion that led to it, and the first frame the one that leaves it.
        features = torch.cat((features[:, :1], features), dim=1)  # (B, T, 5, h, w)
        batch, length = features.shape[:2]
        over_time = self.over_time(features.transpose(1, 2)).transpose(1, 2).flatten(0, 1)  # (B T, 64, h, w)
        weights = self.attention(over_time.mean(dim=(2, 3)))  # (B T, 64)
        marks = self.to_map(over_time * weights[..., None, None])  # (B T, 3, h, w)
        speed = self.magnitude(features[:, :, 2:3].flatten(0, 1))  # (B T, 1, h, w)
        motion = marks * (1 + self.magnitude_weight * speed)  # (B T, 3, h, w)
        return motion.reshape(batch, length, *motion.shape[1:])  # (B, T, 3, h, w)


class _FrameNorm(nn.GroupNorm):
    """GroupNorm of ``(B, C, T, H, W)`` frame by frame: a frame's map must not depend on motion far away in time."""

    def forward(self, input: Tensor) -> Tensor:
        batch, channels, length, height, width = input.shape
        frames = input.transpose(1, 2).reshape(batch * length, channels, height, width)
        return super().forward(frames).reshape(batch, length, channels, height, width).transpose(1, 2)


def motion_features(flow: Tensor) -> Tensor:
    """Five channels of motion: u, v, magnitude and direction.

    Args:
        flow: ``(..., 2, H, W)`` in pixels.

    Returns:
        ``(..., 5, H, W)`` float32: u, v, ``|flow|``, and the cosine and sine of its angle. The direction is
        ``flow / (|flow| + 0.01)``: it fades to (0, 0) where nothing moves, and its gradient is finite there.
    """
    flow = flow.float()
    squared = flow.square().sum(dim=-3, keepdim=True)  # (..., 1, H, W)
    magnitude = (squared + _MAGNITUDE_EPSILON**2).sqrt()  # (..., 1, H, W)
    return torch.cat((flow, magnitude, flow / (magnitude + _DIRECTION_EPSILON)), dim=-3)

"""Optical flow of a clip by one of several methods, and the losses that teach flow without labels.

A flow ``(u, v)`` at (x, y) of frame t says that what is seen there is at (x + u, y + v) in frame t + 1: u
to the right and v down, in pixels of the full frame.
"""

from itertools import pairwise
from typing import Literal

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from datamodules.errors import InputError
from lightning_models.all_processes import mean_where
from lightning_models.effective import effective
from lightning_models.vta_gan.flownet_sd import FLOW_SCALE, FlowNetSD, load_flownet_sd

FlowBackend = Literal["flownet_sd", "farneback", "frame_difference", "none"]

_CHARBONNIER_EPSILON = 1e-3


class OpticalFlow(nn.Module):
    """Optical flow between the neighbouring frames of a clip.

    Backends:
        - ``flownet_sd``: a network. It starts at random and has to be trained by ``photometric_loss`` and
          ``smoothness_loss``, also where it starts from loaded weights.
        - ``farneback``: Farneback's polynomial expansion (OpenCV), on the CPU, without a gradient.
        - ``frame_difference``: *not a displacement*: channel u is the grey level's change from t to t + 1, in
          [-1, 1] for the full range from black to white, channel v is zero. A cheap sign of motion for the
          fusion; never warp with it (``is_displacement`` is False).
        - ``none``: the fusion is off; there is no flow, and asking for one is an error.

    Args:
        backend: The method.
        width: FlowNetSD's factor on its channels; None: the published 1. Other backends have none.
        weights: File of published FlowNet2-SD weights (needs width 1), or None.

    Raises:
        InputError: Width or weights of a backend that has none.
    """

    def __init__(
        self,
        backend: FlowBackend = "flownet_sd",
        width: float | None = None,
        weights: str | None = None,
    ) -> None:
        super().__init__()
        learned, needs = backend == "flownet_sd", "flow_backend flownet_sd"
        factor = effective("flow_width", width, 1.0, learned, needs)
        weights = effective("flow_weights", weights, None, learned, needs)
        self.backend = backend
        self.network: FlowNetSD | None = None
        if learned:
            self.network = FlowNetSD(factor)
            if weights is not None:
                load_flownet_sd(weights, self.network)

    @property
    def is_displacement(self) -> bool:
        """Whether the flow is in pixels of motion, fit for warping."""
        return self.backend in ("flownet_sd", "farneback")

    def forward(self, frames: Tensor) -> Tensor:
        """Flow from every frame but the last to the next.

        Args:
            frames: ``(B, T, 3, H, W)`` in [-1, 1], T at least 2; for flownet_sd H and W multiples of 64.

        Returns:
            ``(B, T-1, 2, H, W)`` float32, in pixels per frame (see ``frame_difference`` for its unit).

        Raises:
            InputError: If there is a single frame, or flownet_sd cannot take the size.
        """
        return self.scales(frames, finest_only=True)[0]

    def scales(self, frames: Tensor, finest_only: bool = False) -> list[Tensor]:
        """Return the flow of each of the network's scales, resized to the full frame, finest first.

        Teaching the coarse scales too lets motion of many pixels be found. Other backends have one scale.

        Args:
            frames: As in ``forward``.
            finest_only: Leave the coarser scales out.
        """
        if frames.shape[1] < 2:
            raise InputError("optical flow needs windows of at least 2 frames, not 1")
        if self.network is not None:
            return self._network_flow(self.network, frames, finest_only)
        if self.backend == "farneback":
            return [_farneback(frames)]
        if self.backend == "frame_difference":
            return [_frame_difference(frames)]
        raise RuntimeError("the flow backend is 'none': there is no flow to compute")

    def _network_flow(self, network: FlowNetSD, frames: Tensor, finest_only: bool) -> list[Tensor]:
        batch, length, _, height, width = frames.shape
        pairs = torch.stack((frames[:, :-1], frames[:, 1:]), dim=2)  # (B, T-1, 2, 3, H, W)
        # NVIDIA's normalisation, of 0..255: minus the mean colour of the pair, over 255. Here the range is 2.
        pairs = (pairs - pairs.mean(dim=(2, 4, 5), keepdim=True)) / 2
        flows = network(pairs.reshape(batch * (length - 1), 6, height, width))
        full = []
        for flow in flows[:1] if finest_only else flows:
            pixels = FLOW_SCALE * flow.float()  # (B (T-1), 2, h, w)
            pixels = F.interpolate(pixels, size=(height, width), mode="bilinear", align_corners=False)  # to H x W
            full.append(pixels.reshape(batch, length - 1, 2, height, width))
        return full


def _grey(frames: Tensor) -> Tensor:
    """Luma (ITU-R BT.601) of ``(..., 3, H, W)``, ``(..., H, W)``."""
    weights = frames.new_tensor((0.299, 0.587, 0.114))
    return (frames * weights[:, None, None]).sum(dim=-3)


@torch.no_grad()
def _farneback(frames: Tensor) -> Tensor:
    grey = ((_grey(frames.float()) + 1) * 127.5).round().clamp(0, 255).byte().cpu().numpy()
    flows = [[_farneback_pair(first, second) for first, second in pairwise(clip)] for clip in grey]
    return torch.from_numpy(np.array(flows)).movedim(-1, 2).contiguous().to(frames.device)


def _farneback_pair(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Flow ``(H, W, 2)`` between two grey uint8 frames ``(H, W)``."""
    start = np.zeros((*first.shape, 2), np.float32)
    return np.asarray(cv2.calcOpticalFlowFarneback(first, second, start, 0.5, 3, 15, 3, 5, 1.2, 0))


def _frame_difference(frames: Tensor) -> Tensor:
    grey = _grey(frames.float())
    change = (grey[:, 1:] - grey[:, :-1]) / 2
    return torch.stack((change, torch.zeros_like(change)), dim=2)


def warp(image: Tensor, flow: Tensor) -> Tensor:
    """Fetch every pixel of frame t from where the flow says it went in frame t + 1.

    Args:
        image: ``(..., C, H, W)``, frame t + 1.
        flow: ``(..., 2, H, W)``, from t to t + 1, in pixels.

    Returns:
        ``(..., C, H, W)`` float32: frame t as the flow explains it, by bilinear interpolation; what comes
        from outside the picture is 0.
    """
    shape = image.shape
    height, width = shape[-2:]
    image, flow = image.reshape(-1, *shape[-3:]), flow.reshape(-1, 2, height, width)
    with torch.autocast(device_type=image.device.type, enabled=False):
        x, y = _target(flow)  # (N, H, W) each
        # grid_sample measures from -1, the outer edge of the first pixel, to 1, that of the last.
        grid = torch.stack(((2 * x + 1) / width - 1, (2 * y + 1) / height - 1), dim=-1)  # (N, H, W, 2)
        warped = F.grid_sample(image.float(), grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    return warped.reshape(shape)


def inside(flow: Tensor) -> Tensor:
    """Where the flow ends within the picture: ``(..., 2, H, W)`` in pixels -> bool ``(..., 1, H, W)``."""
    height, width = flow.shape[-2:]
    x, y = _target(flow.detach())
    return ((x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)).unsqueeze(-3)


def _target(flow: Tensor) -> tuple[Tensor, Tensor]:
    """Where each pixel goes: x and y, each ``(..., H, W)``."""
    flow = flow.float()
    height, width = flow.shape[-2:]
    x = torch.arange(width, device=flow.device, dtype=flow.dtype)
    y = torch.arange(height, device=flow.device, dtype=flow.dtype)[:, None]
    return flow[..., 0, :, :] + x, flow[..., 1, :, :] + y


def photometric_loss(frames: Tensor, flow: Tensor) -> Tensor:
    """How badly the flow explains each frame by the next: mean Charbonnier error of the warped frame.

    ``sqrt(d^2 + eps^2)`` of the difference of colours, eps 0.001, over the pixels whose flow ends within the
    picture (Yu et al., "Back to basics", 2016).

    Args:
        frames: ``(B, T, 3, H, W)`` in [-1, 1].
        flow: ``(B, T-1, 2, H, W)`` in pixels.

    Returns:
        Scalar in [0.001, 2]; 0.001 where the flow explains everything, 0 if no pixel counts.
    """
    error = warp(frames[:, 1:], flow) - frames[:, :-1].float()  # (B, T-1, 3, H, W)
    robust = (error.square() + _CHARBONNIER_EPSILON**2).sqrt().mean(dim=2, keepdim=True)
    counted = inside(flow)  # (B, T-1, 1, H, W), as the error is now
    return mean_where(robust, counted)


def smoothness_loss(frames: Tensor, flow: Tensor, edge_weight: float = 10.0) -> Tensor:
    """How much the flow changes between neighbouring pixels of one surface: edge-aware, of first order.

    The mean absolute difference of neighbouring flows, times ``exp(-edge_weight * |difference of
    colours|)``: the flow may jump where the picture does.

    Args:
        frames: ``(B, T, 3, H, W)`` in [-1, 1]; the first T - 1 are used.
        flow: ``(B, T-1, 2, H, W)`` in pixels.
        edge_weight: How fast an edge releases the flow, per unit of [0, 1] colour.

    Returns:
        Scalar, pixels per pixel.
    """
    picture, flow = frames[:, :-1].float() / 2, flow.float()
    total = flow.new_zeros(())
    for axis in (-1, -2):
        edge = picture.diff(dim=axis).abs().mean(dim=2, keepdim=True)
        total = total + ((-edge_weight * edge).exp() * flow.diff(dim=axis).abs()).mean()
    return total / 2

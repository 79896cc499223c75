"""Structural similarity of pictures (Wang et al. 2004), the one that losses minimise and metrics report.

Means, variances and covariance are taken under a Gaussian window of 11 pixels and sigma 1.5. The window is applied as
two matrix products, several times as fast as a convolution on a processor.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

WINDOW = 11
"""Edge of the window in pixels."""

SIGMA = 1.5
"""Its standard deviation in pixels."""

BORDER = WINDOW // 2
"""Pixels at each edge of a picture whose window reaches over it."""


def ssim_map(first: Tensor, second: Tensor, data_range: float = 1.0) -> Tensor:
    """Return the structural similarity around every pixel, ``(N, C, H, W)`` in [-1, 1].

    Pictures are continued by their mirror image, as in torchmetrics, whose value for a picture is the mean of this map.

    Args:
        first: float32 or float64 ``(N, C, H, W)``, H and W at least 6.
        second: the same shape.
        data_range: largest minus smallest possible value.
    """
    blur_height, blur_width = (_window(edge, first) for edge in first.shape[-2:])  # (H, H), (W, W)
    maps = torch.stack([first, second, first.square(), second.square(), first * second])  # (5, N, C, H, W)
    # a variance is the small difference of two means: half precision would lose it
    with torch.autocast(first.device.type, enabled=False):
        mean_1, mean_2, square_1, square_2, product = blur_height @ maps @ blur_width.T
    variances, covariance = square_1 - mean_1.square() + square_2 - mean_2.square(), product - mean_1 * mean_2
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    brightness = (2 * mean_1 * mean_2 + c1) / (mean_1.square() + mean_2.square() + c1)
    return brightness * (2 * covariance + c2) / (variances + c2)


def _window(edge: int, like: Tensor) -> Tensor:
    """Return the Gaussian as a matrix ``(edge, edge)`` that takes weighted means of eleven neighbours."""
    offset = torch.arange(-BORDER, BORDER + 1, dtype=like.dtype, device=like.device)
    line = torch.exp(-offset.square() / (2 * SIGMA**2))
    unit = torch.eye(edge, dtype=like.dtype, device=like.device)[:, None]
    with torch.autocast(like.device.type, enabled=False):
        return F.conv1d(F.pad(unit, (BORDER, BORDER), mode="reflect"), (line / line.sum())[None, None])[:, 0].T

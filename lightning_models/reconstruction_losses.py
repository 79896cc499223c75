"""How far a reconstruction is from its picture: one formula per function.

One convention everywhere: sum over the pixels of a picture, mean over the batch, so that the terms of an evidence
lower bound keep their proportion whatever the size. Half precision is taken as it comes from autocast; all is computed
in float32 (float64 stays float64). Pictures are ``(B, C, H, W)``; every function returns a scalar.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

SSIM_WINDOW = 11
"""Edge of SSIM's window in pixels (Wang et al. 2004)."""


def bce(logits: Tensor, target: Tensor) -> Tensor:
    """Return ``-(x ln s + (1 - x) ln(1 - s))`` with ``s = sigmoid(logits)``; ``target`` x in [0, 1].

    On logits, it is finite and has a gradient however sure the decoder is.
    """
    logits, target = _precise(logits, target)
    return F.binary_cross_entropy_with_logits(logits, target, reduction="sum") / len(target)


def mse(restored: Tensor, target: Tensor) -> Tensor:
    """Return the squared difference: twice the negative log-likelihood under N(restored, 1), less its constant."""
    restored, target = _precise(restored, target)
    return (restored - target).square().sum() / len(target)


def spectral(restored: Tensor, target: Tensor, log: bool = False) -> Tensor:
    """Return the squared difference of the Fourier magnitudes, whatever the phase.

    The transform is orthonormal, so that by Parseval's theorem this never exceeds :func:`mse`; the whole complex
    magnitude counts, not its real part alone.

    Args:
        restored: any range.
        target: the same shape.
        log: compare ``ln(1 + magnitude)``, in which weak frequencies count as much as strong ones.
    """
    magnitudes = [torch.fft.fft2(picture, norm="ortho").abs() for picture in _precise(restored, target)]
    if log:
        magnitudes = [magnitude.log1p() for magnitude in magnitudes]
    return (magnitudes[0] - magnitudes[1]).square().sum() / len(target)


def ssim(restored: Tensor, target: Tensor, data_range: float = 1.0) -> Tensor:
    """Return ``1 - SSIM`` (Wang et al. 2004), summed over the pixels.

    Gaussian window of 11 pixels and sigma 1.5; the picture is continued by reflection, so that every pixel counts.

    Args:
        restored: ``(B, C, H, W)``, H and W at least 6.
        target: the same shape.
        data_range: largest minus smallest possible value.
    """
    restored, target = _precise(restored, target)
    return (1 - ssim_map(restored, target, data_range)).sum() / len(target)


def ssim_map(first: Tensor, second: Tensor, data_range: float = 1.0) -> Tensor:
    """Return the structural similarity of every pixel, ``(B, C, H, W)`` in [-1, 1]."""
    blur_height, blur_width = (_window(edge, first) for edge in first.shape[-2:])
    maps = torch.stack([first, second, first.square(), second.square(), first * second])
    # a variance is the small difference of two means: half precision would lose it
    with torch.autocast(first.device.type, enabled=False):
        mean_1, mean_2, square_1, square_2, product = blur_height @ maps @ blur_width.T
    variances, covariance = square_1 - mean_1.square() + square_2 - mean_2.square(), product - mean_1 * mean_2
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    brightness = (2 * mean_1 * mean_2 + c1) / (mean_1.square() + mean_2.square() + c1)
    return brightness * (2 * covariance + c2) / (variances + c2)


def _window(edge: int, like: Tensor) -> Tensor:
    """Return SSIM's Gaussian as a matrix ``(edge, edge)``: its product is several times faster than a convolution."""
    reach = SSIM_WINDOW // 2
    offset = torch.arange(-reach, reach + 1, dtype=like.dtype, device=like.device)
    line = torch.exp(-offset.square() / (2 * 1.5**2))
    unit = torch.eye(edge, dtype=like.dtype, device=like.device)[:, None]
    with torch.autocast(like.device.type, enabled=False):
        return F.conv1d(F.pad(unit, (reach, reach), mode="reflect"), (line / line.sum())[None, None])[:, 0].T


def _precise(*pictures: Tensor) -> list[Tensor]:
    return [picture.to(torch.promote_types(picture.dtype, torch.float32)) for picture in pictures]

"""Distances of a reconstruction from its picture: one formula per function.

One convention everywhere: sum over the pixels of a picture, mean over the batch. These are the terms of an evidence
lower bound, in nats of a sample, beside the divergence of ``variational.py``; where no bound is meant, ``losses.py``
has the mean over all elements. Half precision is taken as it comes from autocast; all is computed in float32 (float64
stays float64). Pictures are ``(B, C, H, W)``; every function returns a scalar.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from datamodules.ssim import ssim_map
from lightning_models.precision import at_least_float32


def bce(logits: Tensor, target: Tensor) -> Tensor:
    """Return ``-(x ln s + (1 - x) ln(1 - s))`` with ``s = sigmoid(logits)``; ``target`` x in [0, 1].

    On logits, it is finite and has a gradient however sure the decoder is.
    """
    logits, target = at_least_float32(logits), at_least_float32(target)
    return F.binary_cross_entropy_with_logits(logits, target, reduction="sum") / len(target)


def l1(reconstructed: Tensor, target: Tensor) -> Tensor:
    """Return the absolute difference: the negative log-likelihood under a Laplace of scale 1, less its constant."""
    reconstructed, target = at_least_float32(reconstructed), at_least_float32(target)
    return (reconstructed - target).abs().sum() / len(target)


def mse(reconstructed: Tensor, target: Tensor) -> Tensor:
    """Return the squared difference: twice the negative log-likelihood under N(reconstructed, 1), less its constant."""
    reconstructed, target = at_least_float32(reconstructed), at_least_float32(target)
    return (reconstructed - target).square().sum() / len(target)


def spectral(reconstructed: Tensor, target: Tensor, log: bool = False) -> Tensor:
    """Return the squared difference of the Fourier magnitudes, whatever the phase.

    The transform is orthonormal, so that by Parseval's theorem this never exceeds :func:`mse`; the whole complex
    magnitude counts, not its real part alone.

    Args:
        reconstructed: any range.
        target: the same shape.
        log: compare ``ln(1 + magnitude)``, in which weak frequencies count as much as strong ones.
    """
    magnitudes = [torch.fft.fft2(at_least_float32(picture), norm="ortho").abs() for picture in (reconstructed, target)]
    if log:
        magnitudes = [magnitude.log1p() for magnitude in magnitudes]
    return (magnitudes[0] - magnitudes[1]).square().sum() / len(target)


def ssim(reconstructed: Tensor, target: Tensor, data_range: float = 1.0) -> Tensor:
    """Return ``1 - SSIM`` (Wang et al. 2004), summed over the pixels.

    Args:
        reconstructed: ``(B, C, H, W)``, H and W at least 6.
        target: the same shape.
        data_range: largest minus smallest possible value.
    """
    reconstructed, target = at_least_float32(reconstructed), at_least_float32(target)
    return (1 - ssim_map(reconstructed, target, data_range)).sum() / len(target)

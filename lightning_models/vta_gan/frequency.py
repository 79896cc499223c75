"""Frequency decomposition: an image as the sum of its detail and of its 5x5 Gaussian pyramid's low band.

``low = pyrUp(pyrDown(x))`` is linear and separable, hence ``low = A_h x A_w^T`` with one small band matrix
per image side. Two matrix products cost about as much as OpenCV's loop and a sixth of a depthwise
convolution, and they are differentiable. The matrices hold OpenCV's border rules, for even and odd sizes.
"""

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from lightning_models.precision import at_least_float32

_BINOMIAL = (1.0, 4.0, 6.0, 4.0, 1.0)


def split(x: Tensor) -> tuple[Tensor, Tensor]:
    """Split images into their high and their low band.

    Computed in float32 (float64 for float64 input) also under autocast: the bands must add up again.

    Args:
        x: ``(..., H, W)`` of any leading dimensions, any H and W, any range. Floating point.

    Returns:
        ``(lap, res)``, each of x's shape. ``lap`` is the detail ("Laplacian"), ``res`` the low band, which
        OCR-GAN calls the residual. ``lap + res`` equals x but for the rounding of one addition. For x in
        [-1, 1], res is in [-1, 1] too and lap in (-2, 2); lap leaves [-1, 1] only around lone pixels and
        lines of high contrast.
    """
    with torch.autocast(device_type=x.device.type, enabled=False):
        exact = at_least_float32(x)
        rows, _, _ = _low_pass(exact.shape[-2], exact.dtype, exact.device)
        _, up, down = _low_pass(exact.shape[-1], exact.dtype, exact.device)
        # Halving the columns first makes both intermediate results half as large as the picture.
        res = rows @ (exact @ down.mT) @ up.mT
        return exact - res, res


def _low_pass(size: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    # A tensor made while a graph is being captured belongs to that graph and must not outlive it.
    build = _build_low_pass if torch.compiler.is_compiling() else _cached_low_pass
    return build(size, dtype, device)


def _build_low_pass(size: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Matrices of one axis: ``up @ down`` ``(size, size)``, ``up`` ``(size, coarse)``, ``down`` ``(coarse, size)``."""
    # in NumPy: what torch does while a graph is captured would be in the graph, an operation for each of these numbers
    coarse = (size + 1) // 2
    down = np.zeros((coarse, size))
    for row in range(coarse):
        for tap, weight in enumerate(_BINOMIAL):
            down[row, _reflect(2 * row + tap - 2, size)] += weight / 16
    # Up-sampling reads the coarse signal with zeros between its samples, mirrored about the ends of a grid of
    # 2 * coarse samples: about a sample on the left, but about the zero behind the last sample on the right,
    # which repeats that sample.
    up = np.zeros((size, coarse))
    for row in range(size):
        for tap, weight in enumerate(_BINOMIAL):
            source = _reflect(row + tap - 2, 2 * coarse)
            if source % 2 == 0:
                up[row, source // 2] += weight / 8
    whole, enlarge, shrink = (
        torch.tensor(matrix.tolist(), dtype=dtype, device=device) for matrix in (up @ down, up, down)
    )
    return whole, enlarge, shrink


@lru_cache(maxsize=64)
def _cached_low_pass(size: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    # A tensor made in inference mode could never take part in a backward pass later.
    with torch.inference_mode(False):
        return _build_low_pass(size, dtype, device)


def _reflect(index: int, size: int) -> int:
    """Mirror an index into [0, size) without repeating the border sample (OpenCV's BORDER_REFLECT_101)."""
    if size == 1:
        return 0
    index = abs(index) % (2 * size - 2)
    return min(index, 2 * size - 2 - index)

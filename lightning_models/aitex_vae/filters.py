"""Filters of pictures and of maps: what all evidence is made by."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from lightning_models.aitex_vae import in_graphs

CELL = 4
"""Edge in pixels of the cells in which evidence is given."""

FAINTEST = 1e-6
"""Energy and spread below rounding, in [0, 1]: what varies less, as a picture of one grey does, counts as even."""


def blur(picture: Tensor, sigma_y: float, sigma_x: float) -> Tensor:
    """Blur ``(C, H, W)`` with a Gaussian of these standard deviations in pixels, 0 for none; edges are mirrored."""
    for dim, sigma in ((1, sigma_y), (2, sigma_x)):
        if sigma > 0:
            picture = _blur_line(picture, sigma, dim)
    return picture


def _blur_line(picture: Tensor, sigma: float, dim: int) -> Tensor:
    reach, length = round(3 * sigma), picture.shape[dim]
    weights = [math.exp(-0.5 * (offset / sigma) ** 2) for offset in range(reach + 1)]
    total = 2 * sum(weights) - weights[0]
    padded = picture.index_select(dim, _mirror(torch.arange(-reach, length + reach, device=picture.device), length))
    if torch.compiler.is_compiling():  # an exported graph of thousands of small sums would be slow to read
        kernel = torch.tensor([weights[abs(offset)] / total for offset in range(-reach, reach + 1)], dtype=padded.dtype)
        return F.conv2d(padded[:, None], kernel.view((1, 1, -1, 1) if dim == 1 else (1, 1, 1, -1)))[:, 0]
    # shifted and added: for a single channel several times as fast as a convolution
    blurred = picture * (weights[0] / total)
    for offset in range(1, reach + 1):
        for side in (-offset, offset):
            blurred.add_(padded.narrow(dim, reach + side, length), alpha=weights[offset] / total)
    return blurred


def _mirror(place: Tensor, length: int) -> Tensor:
    place = place % (2 * length)
    return torch.where(place < length, place, 2 * length - 1 - place)


def halved(picture: Tensor) -> Tensor:
    """Average ``(C, H, W)`` over squares of two pixels; the last ones are smaller where it does not divide evenly."""
    if torch.compiler.is_compiling():
        return F.avg_pool2d(in_graphs.take_blocks(picture, 2)[None], 2)[0]
    return F.avg_pool2d(picture[None], 2, ceil_mode=True)[0]


def to_cells(values: Tensor, cells: tuple[int, int]) -> Tensor:
    """Average ``(C, H, W)`` over cells where it is finer than they are, and interpolate where it is coarser."""
    if values.shape[1] >= cells[0] and values.shape[2] >= cells[1]:
        if torch.compiler.is_compiling():
            return in_graphs.adaptive_mean(values, cells)
        return F.adaptive_avg_pool2d(values[None], cells)[0]
    return F.interpolate(values[None], cells, mode="bilinear")[0]

"""Baselines: two rules without any learning that a model has to beat, on tiles of grey levels 0..255."""

import torch
from torch import Tensor

from lightning_models.aitex_vae.filters import blur

STATISTICS = 8
BLUR = 4.0
"""Standard deviation in pixels."""


def blurred(tiles: Tensor) -> Tensor:
    """Return tiles ``(N, C, S, S)`` as blurred grey ones, float32 ``(N, S, S)``."""
    return blur(tiles.float().mean(1), BLUR, BLUR)


def blurred_deviation(smooth: Tensor) -> Tensor:
    """Largest absolute deviation of blurred tiles ``(N, S, S)`` from their mean, ``(N,)`` in grey levels."""
    return (smooth - smooth.mean((1, 2), keepdim=True)).abs().amax((1, 2))


def tile_statistics(tiles: Tensor, smooth: Tensor) -> Tensor:
    """Return eight numbers of every tile, ``(N, 8)``.

    Mean, deviation, skewness and kurtosis of the grey levels, mean absolute difference between rows and between
    columns, smallest and largest blurred grey level.

    Args:
        tiles: ``(N, C, S, S)``.
        smooth: ``(N, S, S)``, the same blurred.
    """
    grey = tiles.float().mean(1)
    mean, deviation = grey.mean((1, 2)), grey.std((1, 2))
    standard = (grey - mean[:, None, None]) / (deviation[:, None, None] + 1e-6)
    square = standard.square()
    return torch.stack(
        [
            mean,
            deviation,
            (square * standard).mean((1, 2)),
            square.square().mean((1, 2)),
            grey.diff(dim=1).abs().mean((1, 2)),
            grey.diff(dim=2).abs().mean((1, 2)),
            smooth.amin((1, 2)),
            smooth.amax((1, 2)),
        ],
        1,
    )

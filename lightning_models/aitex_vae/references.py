"""Two rules without any learning that a model has to beat, on tiles ``(N, C, S, S)`` of grey levels 0..255."""

import torch
from torch import Tensor

from lightning_models.aitex_vae.evidence import blur

STATISTICS = 8


def blurred_deviation(tiles: Tensor) -> Tensor:
    """Largest absolute deviation of the blurred tile (sigma 4 pixels) from its mean, ``(N,)`` in grey levels."""
    smooth = _blurred(tiles)
    return (smooth - smooth.mean((1, 2), keepdim=True)).abs().amax((1, 2))


def tile_statistics(tiles: Tensor) -> Tensor:
    """Return eight numbers of every tile, ``(N, 8)``.

    Mean, deviation, skewness and kurtosis of the grey levels, mean absolute difference between rows and between
    columns, smallest and largest blurred grey level.
    """
    grey, smooth = tiles.float().mean(1), _blurred(tiles)
    mean, deviation = grey.mean((1, 2)), grey.std((1, 2))
    standard = (grey - mean[:, None, None]) / (deviation[:, None, None] + 1e-6)
    return torch.stack(
        [
            mean,
            deviation,
            standard.pow(3).mean((1, 2)),
            standard.pow(4).mean((1, 2)),
            grey.diff(dim=1).abs().mean((1, 2)),
            grey.diff(dim=2).abs().mean((1, 2)),
            smooth.amin((1, 2)),
            smooth.amax((1, 2)),
        ],
        1,
    )


def _blurred(tiles: Tensor) -> Tensor:
    return blur(tiles.float().mean(1), 4.0, 4.0)

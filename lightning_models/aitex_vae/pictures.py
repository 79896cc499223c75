"""Whole pictures through the network of tiles."""

import torch
from torch import Tensor

from lightning_models.aitex_vae.compatibility import DataRange
from lightning_models.aitex_vae.network import AitexNetwork, Reconstruction
from lightning_models.aitex_vae.tiling import Tiling
from lightning_models.variational import kl_divergence

TILES_AT_ONCE = 32
"""Tiles that go through the network together where pictures are scored: bounds the memory, changes no score."""


def from_pixels(pixels: Tensor, data_range: DataRange) -> Tensor:
    """Bring bytes 0..255 into the range that the network sees."""
    unit = pixels.float() / 255
    return unit if data_range == "unit" else 2 * unit - 1


def reconstruct_picture(
    network: AitexNetwork, picture: Tensor, tiling: Tiling, with_divergence: bool = True
) -> tuple[Tensor, Tensor]:
    """Reconstruct a picture from the means of its overlapping tiles' posteriors.

    Args:
        network: of tiles.
        picture: float32 ``(C, H, W)`` in its range.
        tiling: of the picture.
        with_divergence: whether anybody asks for the divergence.

    Returns:
        The reconstruction ``(C, H, W)``, and the divergence of the tiles around every pixel, ``(1, H, W)`` in nats, or
        ``(0, H, W)``; left of the tiling's start both are NaN.
    """
    pieces = []
    all_tiles = tiling.cut(picture)  # (N, C, S, S)
    for tiles in [all_tiles] if torch.compiler.is_compiling() else all_tiles.split(TILES_AT_ONCE):
        reconstruction: Reconstruction = network(tiles)  # (N, C, S, S), and q(z | x)
        maps = [reconstruction.reconstructed.float()]
        if with_divergence:
            divergence = kl_divergence(reconstruction.posterior)[:, None, None, None]  # (N, 1, 1, 1)
            maps.append(divergence.expand(-1, 1, *tiles.shape[2:]))
        pieces.append(torch.cat(maps, 1))
    whole = tiling.stitch(torch.cat(pieces))
    return whole[: picture.shape[0]], whole[picture.shape[0] :]

"""Whole pictures through the network of tiles."""

from collections.abc import Sequence

import torch
from torch import Tensor

from lightning_models.aitex_vae.compatibility import DataRange
from lightning_models.aitex_vae.encoding import PictureEncoding
from lightning_models.aitex_vae.network import AitexNetwork
from lightning_models.aitex_vae.tiling import Tiling
from lightning_models.variational import kl_divergence

TILES_AT_ONCE = 32
"""Tiles that go through the network together where pictures are scored: bounds the memory, changes no score."""


def from_pixels(pixels: Tensor, data_range: DataRange) -> Tensor:
    """Bring bytes 0..255 into the range that the network sees."""
    unit = pixels.float() / 255
    return unit if data_range == "unit" else 2 * unit - 1


def to_unit(picture: Tensor, data_range: DataRange) -> Tensor:
    """Bring a picture or a reconstruction from the range that the network sees into [0, 1]; nothing is cut off."""
    return picture if data_range == "unit" else (picture + 1) / 2


def reconstruct_picture(
    network: AitexNetwork, picture: Tensor, tiling: Tiling, with_divergence: bool = True
) -> tuple[Tensor, Tensor, Sequence[Tensor]]:
    """Reconstruct a picture from the means of its overlapping tiles' posteriors.

    Args:
        network: of tiles, in evaluation.
        picture: float32 ``(C, H, W)`` in its range, covered by the tiling from its first column on.
        tiling: of the picture.
        with_divergence: whether anybody asks for the divergence.

    Returns:
        The reconstruction ``(C, H, W)``; the divergence of the tiles around every pixel, ``(1, H, W)`` in nats, or
        ``(0, H, W)``; and the encoder's maps of the picture, each ``(1, C_i, h_i, w_i)``.
    """
    with torch.autocast(picture.device.type, enabled=False):  # its maps are evidence, too
        encoding = PictureEncoding(network.encoder, picture, tiling)
    pieces = []
    at_once = len(tiling) if torch.compiler.is_compiling() else TILES_AT_ONCE
    for first in range(0, len(tiling), at_once):
        deepest = encoding.deepest(first, first + at_once)  # (N, C', S/16, S/16)
        if not with_divergence:
            pieces.append(network.draw_mean(deepest).float())  # (N, C, S, S)
            continue
        _, reconstructed, posterior = network.draw(deepest)
        divergence = kl_divergence(posterior)[:, None, None, None]  # (N, 1, 1, 1)
        pieces.append(torch.cat([reconstructed.float(), divergence.expand_as(reconstructed[:, :1])], 1))
    whole = tiling.stitch(torch.cat(pieces))
    return whole[: picture.shape[0]], whole[picture.shape[0] :], encoding.maps

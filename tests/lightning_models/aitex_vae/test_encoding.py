"""What is encoded once for a whole picture is what every tile would have been encoded to by itself."""

import pytest
import torch

from lightning_models.aitex_vae.encoding import PictureEncoding
from lightning_models.aitex_vae.network import AitexNetwork
from lightning_models.aitex_vae.pictures import TILES_AT_ONCE, reconstruct_picture
from lightning_models.aitex_vae.tiling import Tiling


def network(**changes):
    torch.manual_seed(0)
    return AitexNetwork(**{"tile_size": 32, "width": 4, "latent_dim": 6, **changes}).eval()


def picture(height, width, channels=1):
    return torch.rand(channels, height, width, generator=torch.Generator().manual_seed(1))


CASES = [
    (32, 160, 32, 0.5),  # a strip
    (96, 64, 32, 0.5),  # tiles below each other, too
    (70, 101, 32, 0.5),  # the last ones begin anywhere
    (64, 96, 32, 0.3),  # most of them do
    (32, 64, 16, 0.0),  # a single deepest place
    (20, 90, 32, 0.5),  # mirrored
    (32, 32, 32, 0.5),
]


@pytest.mark.parametrize(("height", "width", "size", "overlap"), CASES)
@pytest.mark.parametrize("channels", [1, 3])
@torch.no_grad()
def test_tiles_are_encoded_as_by_themselves(height, width, size, overlap, channels):
    encoder = network(tile_size=size, channels=channels).encoder
    whole, tiling = picture(height, width, channels), Tiling(height, width, size, overlap)
    encoding = PictureEncoding(encoder, whole, tiling)
    expected, half = encoder(tiling.cut(whole))[-1], len(tiling) // 2
    torch.testing.assert_close(encoding.deepest(0, len(tiling)), expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(encoding.deepest(half, len(tiling)), expected[half:], rtol=1e-5, atol=1e-6)
    for own, plain in zip(encoding.maps, encoder(whole[None]), strict=True):
        torch.testing.assert_close(own, plain)


@pytest.mark.parametrize("decoder", ["shallow", "symmetric"])
@pytest.mark.parametrize("with_divergence", [False, True])
@torch.no_grad()
def test_a_picture_is_drawn_as_tile_by_tile(decoder, with_divergence):
    system = network(decoder=decoder)
    whole = picture(64, 16 * (TILES_AT_ONCE + 3))  # more than are drawn at once
    tiling = Tiling(64, whole.shape[2], 32, 0.5)
    drawn, divergence, _ = reconstruct_picture(system, whole, tiling, with_divergence)
    torch.testing.assert_close(drawn, tiling.stitch(system(tiling.cut(whole)).reconstructed), rtol=1e-5, atol=1e-5)
    assert divergence.shape == (int(with_divergence), *whole.shape[1:])

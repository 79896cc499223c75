"""Faint lines are seen where they are, and by nothing else."""

import numpy as np
import pytest
import torch

from lightning_models.aitex_vae.evidence import blank_cells, robust_z_scores, texture_evidence
from lightning_models.aitex_vae.lines import _evened, line_evidence


def weave(height=128, width=320):
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    cloth = 0.4 + 0.1 * torch.sin(2 * torch.pi * x / 6) + 0.05 * torch.sin(2 * torch.pi * y / 8)
    return (cloth + 0.05 * torch.randn(height, width, generator=torch.Generator().manual_seed(0)))[None]


def unusual(maps, picture):
    return robust_z_scores(maps, blank_cells(picture))


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("along_rows", [False, True])
def test_a_line_of_a_pixel_is_found_where_it_is(sign, along_rows):
    cloth = weave()
    other = unusual(texture_evidence(cloth)["threads"], cloth).amax()
    normal = unusual(line_evidence(cloth), cloth).amax()
    line = cloth[:, 77:78] if along_rows else cloth[:, :, 201:202]
    line += sign * 0.05  # half of the weave, and as much as the noise
    maps = line_evidence(cloth)
    seen = unusual(maps, cloth)
    own = seen[int(along_rows)]
    assert own.amax() > 1.5 * normal
    place = own[19] if along_rows else own[:, 50]
    assert place.median() > 0.8 * own.amax()  # as long as it is
    assert (own > 0.5 * own.amax()).float().mean() < 0.05
    assert torch.sign((maps[1, 19] if along_rows else maps[0, :, 50]).median()) == sign
    assert unusual(texture_evidence(cloth)["threads"], cloth).amax() < 1.3 * other


def test_rows_are_columns_of_the_turned_picture():
    cloth = weave()
    down, along = line_evidence(cloth)
    turned_down, turned_along = line_evidence(cloth.mT)
    torch.testing.assert_close(turned_down, along.T)
    torch.testing.assert_close(turned_along, down.T)


def test_every_frequency_has_the_same_strength_across():
    """Against NumPy."""
    rows = torch.randn(1, 8, 50, generator=torch.Generator().manual_seed(0)).cumsum(2)
    spectrum = np.fft.fft(rows[0].numpy(), axis=1)
    strength = np.abs(spectrum).mean(0)
    floor = 0.1 * strength[:26].mean() + 1e-6
    expected = np.fft.ifft(spectrum / (strength + floor), axis=1).real
    np.testing.assert_allclose(_evened(rows)[0].numpy(), expected, atol=1e-4)


@pytest.mark.parametrize("shape", [(61, 95), (16, 16), (5, 9)])
def test_cells_cover_the_picture(shape):
    maps = line_evidence(weave(*shape))
    assert maps.shape == (2, -(-shape[0] // 4), -(-shape[1] // 4))
    assert maps.isfinite().all()

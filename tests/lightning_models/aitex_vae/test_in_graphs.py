"""What an exported graph computes instead of torch's own operations comes to the same, for sizes of every kind."""

import pytest
import torch
import torch.nn.functional as F

from lightning_models.aitex_vae import in_graphs
from lightning_models.aitex_vae.tile_scorer import TileScorer
from lightning_models.aitex_vae.tiling import Tiling

SIZES = [(16, 16), (17, 31), (18, 33), (19, 40), (65, 70)]


def picture(height, width, channels=2, seed=0):
    return torch.randn(channels, height, width, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("size", SIZES)
def test_blocks_at_the_edge_have_the_mean_and_the_largest_of_what_is_there(size):
    whole = picture(*size)
    halved = F.avg_pool2d(in_graphs.take_blocks(whole, 2)[None], 2)
    torch.testing.assert_close(halved, F.avg_pool2d(whole[None], 2, ceil_mode=True))
    largest = F.max_pool2d(in_graphs.take_blocks(whole, 4)[None], 4)
    assert torch.equal(largest, F.max_pool2d(whole[None], 4, ceil_mode=True))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("halvings", [1, 2])
def test_means_over_places_that_share_pixels(size, halvings):
    whole = picture(*size)
    places = tuple(-(-edge // 2**halvings) for edge in size)
    found = in_graphs.adaptive_mean(whole, places)
    torch.testing.assert_close(found, F.adaptive_avg_pool2d(whole[None], places)[0])


@pytest.mark.parametrize("number", [1, 2, 7, 8])
def test_the_median_of_some_places_is_the_lower_one(number):
    values = picture(1, 12)[:, 0]
    counted = torch.arange(12) < number
    expected = values[:, counted].median(1, keepdim=True).values
    assert torch.equal(in_graphs.lower_median(values, counted), expected)


@pytest.mark.parametrize("top_k", [1, 3, 30])
@pytest.mark.parametrize("size", [(8, 8), (9, 16), (4, 23)])
def test_largest_cells_of_every_tile(size, top_k):
    cells = picture(*size, channels=1)
    expected = TileScorer(16, top_k=top_k).tops(cells)[:, 0]
    torch.testing.assert_close(in_graphs.largest_by_tile(cells[0], 4, top_k), expected)


@pytest.mark.parametrize(("height", "width", "overlap"), [(32, 128, 0.5), (45, 70, 0.25), (32, 32, 0.0)])
def test_tiles_are_joined_at_once_as_one_by_one(height, width, overlap):
    tiling = Tiling(height, width, 32, overlap)
    maps = picture(32, 32, channels=2 * len(tiling)).view(len(tiling), 2, 32, 32)
    ramp = torch.minimum(torch.arange(32) + 0.5, torch.arange(32).flip(0) + 0.5)
    torch.testing.assert_close(tiling._stitch_at_once(maps, ramp[:, None] * ramp), tiling.stitch(maps))


def test_pieces_are_cut_at_once_as_one_by_one():
    whole, corners = picture(20, 30), [(0, 0), (3, 17), (12, 5)]
    expected = torch.stack([whole[:, top : top + 8, left : left + 6] for top, left in corners])
    assert torch.equal(in_graphs.cut(whole, corners, 8, 6), expected)

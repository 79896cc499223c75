"""Tiles cover a picture, and joined they are it again."""

import numpy as np
import pytest
import torch

from datamodules.errors import InputError
from lightning_models.aitex_vae.tiling import Tiling, grid


def picture(height, width, channels=2):
    return torch.rand(channels, height, width, generator=torch.Generator().manual_seed(0))


CASES = [(32, 128, 32, 0.5, 0), (32, 100, 32, 0.25, 20), (50, 70, 16, 0.0, 3), (16, 16, 16, 0.75, 0)]


@pytest.mark.parametrize(("height", "width", "size", "overlap", "start"), CASES)
def test_a_picture_survives_the_round_trip(height, width, size, overlap, start):
    whole = picture(height, width)
    tiling = Tiling(height, width, size, overlap, start)
    joined = tiling.stitch(tiling.cut(whole))
    torch.testing.assert_close(joined[:, :, start:], whole[:, :, start:])
    assert joined[:, :, :start].isnan().all()


@pytest.mark.parametrize(("height", "width", "size", "overlap", "start"), CASES)
def test_every_tile_is_where_it_says(height, width, size, overlap, start):
    whole = picture(height, width)
    tiling = Tiling(height, width, size, overlap, start)
    tiles = tiling.cut(whole)
    assert len(tiles) == len(tiling)
    for tile, (top, left) in zip(tiles, tiling.corners.tolist(), strict=True):
        assert torch.equal(tile, whole[:, top : top + size, left : left + size])


def test_tiles_overlap_as_much_as_asked():
    tiling = Tiling(256, 4096, 256, overlap=0.5, start=768)
    assert tiling.corners[:, 1].tolist() == list(range(768, 3841, 128))
    # what does not divide evenly: the last one ends with the picture
    assert Tiling(256, 3796, 256, 0.0, 768).corners[-2:, 1].tolist() == [3328, 3540]


@pytest.mark.parametrize(("height", "width"), [(10, 70), (5, 3), (1, 1)])
def test_a_picture_smaller_than_a_tile_is_mirrored(height, width):
    whole = picture(height, width)
    tiling = Tiling(height, width, 32, 0.5)
    tiles = tiling.cut(whole)
    pad = ((0, 0), (0, max(32 - height, 0)), (0, max(32 - width, 0)))
    expected = np.pad(whole.numpy(), pad, mode="symmetric")[:, :, :32]
    assert np.array_equal(tiles[0].numpy(), expected)
    torch.testing.assert_close(tiling.stitch(tiles), whole)


def test_overlapping_maps_are_blended():
    """Two tiles that disagree pass into each other steadily; each alone decides at its centre's far side."""
    tiling = Tiling(8, 12, 8, overlap=0.5)
    maps = torch.stack([torch.zeros(1, 8, 8), torch.ones(1, 8, 8)])
    row = tiling.stitch(maps)[0, 3]
    assert row[:4].eq(0).all()
    assert row[8:].eq(1).all()
    # weights fall from 3.5 to 0.5 and rise from 0.5 to 3.5 over the four shared pixels
    torch.testing.assert_close(row[4:8], torch.tensor([0.5, 1.5, 2.5, 3.5]) / 4)


def test_bytes_stay_bytes():
    assert Tiling(8, 8, 8).cut(torch.zeros(1, 8, 8, dtype=torch.uint8)).dtype == torch.uint8


@pytest.mark.parametrize(
    ("height", "width", "size", "start"), [(256, 4096, 256, 768), (256, 3796, 256, 256), (50, 70, 16, 3)]
)
def test_the_grid_covers_every_pixel_once(height, width, size, start):
    seen = torch.zeros(height, width)
    for top, left, rows, columns in grid(height, width, size, start).tolist():
        assert rows <= size
        assert columns <= size
        seen[top : top + rows, left : left + columns] += 1
    assert seen[:, :start].eq(0).all()
    assert seen[:, start:].eq(1).all()


@pytest.mark.parametrize("overlap", [-0.1, 1.0])
def test_impossible_overlaps_are_refused(overlap):
    with pytest.raises(InputError, match=f"overlap is {overlap}"):
        Tiling(64, 64, 32, overlap)


def test_a_start_beyond_the_picture_is_refused():
    with pytest.raises(InputError, match="64 x 100 pixels from column 100"):
        Tiling(64, 100, 32, start=100)

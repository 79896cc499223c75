"""What speaks for a defect: filters against OpenCV, and that each kind sees what it is there for."""

import cv2
import numpy as np
import pytest
import torch

from lightning_models.aitex_vae.baselines import blurred, blurred_deviation, tile_statistics
from lightning_models.aitex_vae.evidence import (
    all_evidence,
    blank_cells,
    feature_evidence,
    robust_z_scores,
    texture_evidence,
)
from lightning_models.aitex_vae.filters import blur
from lightning_models.aitex_vae.pictures import from_pixels


def weave(height=128, width=256, noise=0.02):
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    cloth = 0.4 + 0.1 * torch.sin(2 * torch.pi * x / 6) * torch.sin(2 * torch.pi * y / 8)
    return (cloth + noise * torch.randn(height, width, generator=torch.Generator().manual_seed(0)))[None]


def unusual(picture, kind):
    return robust_z_scores(texture_evidence(picture)[kind], blank_cells(picture))


@pytest.mark.parametrize(("sigma_y", "sigma_x"), [(1.0, 1.0), (4.0, 4.0), (0.0, 8.0), (8.0, 0.0)])
def test_blur_against_opencv(sigma_y, sigma_x):
    picture = weave(40, 60)
    edge = [2 * round(3 * sigma) + 1 for sigma in (sigma_x, sigma_y)]
    kernels = [
        cv2.getGaussianKernel(k, s) if s else np.ones((1, 1)) for k, s in zip(edge, (sigma_x, sigma_y), strict=True)
    ]
    expected = cv2.sepFilter2D(picture[0].numpy(), -1, *kernels, borderType=cv2.BORDER_REFLECT)
    np.testing.assert_allclose(blur(picture, sigma_y, sigma_x)[0].numpy(), expected, atol=1e-5)


def test_a_blur_wider_than_the_picture_is_still_a_mean():
    picture = weave(3, 5)
    torch.testing.assert_close(blur(picture, 8.0, 8.0).mean(), picture.mean(), rtol=0.02, atol=0)


@pytest.mark.parametrize("shape", [(64, 96), (61, 95), (16, 16), (5, 9)])
def test_cells_cover_the_picture(shape):
    maps = texture_evidence(weave(*shape))
    cells = (-(-shape[0] // 4), -(-shape[1] // 4))
    assert {kind: tuple(channels.shape) for kind, channels in maps.items()} == {
        "brightness": (4, *cells),
        "threads": (4, *cells),
        "energy": (4, *cells),
        "orientation": (6, *cells),
    }
    assert all(channels.isfinite().all() for channels in maps.values())


def spot(cloth):
    cloth[:, 56:72, 120:136] += 0.1


def missing_yarn(cloth):
    cloth[:, 64:66, 60:200] -= 0.08


def worn(cloth):
    place = (slice(None), slice(48, 80), slice(112, 144))
    cloth[place] = 0.4 + 0.2 * (cloth[place] - 0.4)


def turned(cloth):
    cloth[:, 48:80, 112:144] = cloth[:, 48:80, 112:144].mT.clone()


@pytest.mark.parametrize(
    ("defect", "kind"), [(spot, "brightness"), (missing_yarn, "threads"), (worn, "energy"), (turned, "orientation")]
)
def test_every_kind_sees_its_defect_where_it_is(defect, kind):
    cloth = weave()
    normal = unusual(cloth, kind).amax()
    defect(cloth)
    seen = unusual(cloth, kind).amax(0)
    row, column = divmod(int(seen.argmax()), seen.shape[1])
    assert seen.max() > 1.5 * normal
    assert 48 <= 4 * row + 2 <= 80
    assert 60 <= 4 * column + 2 <= 200


def test_z_scores_do_not_depend_on_light_and_contrast():
    cloth = weave()
    spot(cloth)
    for kind in ("brightness", "threads"):
        bright = unusual(1.7 * cloth + 0.3, kind)
        torch.testing.assert_close(bright, unusual(cloth, kind), rtol=0.02, atol=0.02)


def test_evidence_is_that_of_the_same_picture_and_residual_in_both_ranges():
    """Of cloth as fine as energies near the smallest that counts, on which a factor of 4 would tell."""
    cloth = (255 * (0.5 + 0.05 * (weave() - 0.4))).byte()
    drawn = cloth.roll(1, dims=2)
    found = []
    for data_range in ("unit", "symmetric"):
        part, reconstructed = (from_pixels(picture, data_range) for picture in (cloth, drawn))
        kinds = ("texture", "shade", "lines", "energy", "brightness", "threads", "orientation")
        found.append(all_evidence(None, part, [], reconstructed, None, kinds, data_range))
    assert found[0].keys() == found[1].keys() >= {"texture", "shade", "lines"}
    for kind, channels in found[0].items():
        torch.testing.assert_close(
            found[1][kind], channels, rtol=1e-4, atol=1e-4, msg=lambda told, kind=kind: kind + told
        )
    own = texture_evidence(cloth.float() / 255)
    assert torch.equal(found[0]["texture"], torch.cat([own["energy"], own["orientation"]]))
    assert torch.equal(found[0]["shade"], torch.cat([own["brightness"], own["threads"]]))


def test_z_scores_are_robust():
    channels = torch.randn(2, 100, 100, generator=torch.Generator().manual_seed(0))
    blank = torch.zeros(100, 100, dtype=torch.bool)
    away = robust_z_scores(5 + torch.tensor([1.0, 3.0])[:, None, None] * channels, blank)
    torch.testing.assert_close(away, channels.abs(), atol=0.1, rtol=0.05)


def test_an_even_picture_is_nowhere_unusual():
    even = torch.full((1, 64, 64), 0.5)
    assert all(unusual(even, kind).amax() < 2 for kind in texture_evidence(even))


@pytest.mark.parametrize("kind", ["brightness", "threads", "energy", "orientation"])
@pytest.mark.parametrize("columns", [64, 96, 160])
def test_a_large_blank_does_not_make_the_cloth_beside_it_unusual(kind, columns):
    cloth = weave()
    normal = unusual(cloth, kind)
    cloth[:, :, :columns] = 0.4
    torn = unusual(cloth, kind)
    beside = (columns + 64) // 4  # out of reach of the coarsest scale
    assert torn[..., beside:].amax() < 1.5 * normal[..., beside:].amax()
    if kind == "energy":
        assert torn.amax(0)[:, : columns // 4 - 8].amin() > normal.amax()


@pytest.mark.parametrize("size", [(32, 48), (30, 45)])
def test_blank_cells_are_of_one_colour(size):
    picture = torch.rand(3, *size)
    picture[:, 8:20, 12:] = torch.tensor([0.1, 0.5, 0.9])[:, None, None]
    picture[2, 9, 13] = 0.2
    blank = torch.zeros(8, 12, dtype=torch.bool)
    blank[2:5, 3:] = True
    blank[2, 3] = False
    assert torch.equal(blank_cells(picture), blank)


def test_features_differ_where_the_pictures_do():
    real = [torch.rand(1, 4, 32, 32), torch.rand(1, 8, 8, 8)]
    reconstructed = [maps.clone() for maps in real]
    reconstructed[0][..., 20:24, 4:8] += 1
    reconstructed[1][..., 5, 1] += 1
    distance = feature_evidence(real, reconstructed, (16, 16))
    assert distance.shape == (2, 16, 16)
    for stage in distance:
        row, column = divmod(int(stage.argmax()), 16)
        assert 9 <= row <= 12
        assert 1 <= column <= 4


def test_the_blurred_reference_against_opencv():
    tiles = (torch.rand(3, 1, 64, 64, generator=torch.Generator().manual_seed(2)) * 255).byte()
    expected = []
    for tile in tiles[:, 0].numpy():
        smooth = cv2.GaussianBlur(tile.astype(np.float32), (25, 25), 4, borderType=cv2.BORDER_REFLECT)
        expected.append(np.abs(smooth - smooth.mean()).max())
    np.testing.assert_allclose(blurred_deviation(blurred(tiles)).numpy(), expected, rtol=1e-4)


def test_tile_statistics_of_a_known_tile():
    tile = torch.zeros(1, 1, 64, 64, dtype=torch.uint8)
    tile[..., 32:] = 100  # left half black, right half grey
    mean, deviation, skewness, kurtosis, rows, columns, low, high = tile_statistics(tile, blurred(tile))[0].tolist()
    assert mean == 50
    assert deviation == pytest.approx(50, rel=1e-3)
    assert skewness == pytest.approx(0, abs=1e-4)
    assert kurtosis == pytest.approx(1, rel=1e-3)
    assert rows == 0
    assert columns == pytest.approx(100 / 63)
    assert low == pytest.approx(0, abs=1e-3)
    assert high == pytest.approx(100, rel=1e-4)

import cv2
import numpy as np
import pytest
import torch

from lightning_models.vta_gan.frequency import split

SIZES = [(n, n) for n in range(1, 34)] + [(64, 64), (96, 128), (100, 100), (63, 128), (240, 360), (256, 7), (1, 9)]


def opencv_bands(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    height, width, _ = x.shape
    low = cv2.pyrUp(cv2.pyrDown(x), dstsize=(width, height)).reshape(x.shape)
    return x - low, low


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_bands_are_opencvs_for_any_size(height, width):
    x = np.random.default_rng(height * 1000 + width).uniform(-1, 1, (height, width, 3)).astype(np.float32)

    lap, res = split(torch.from_numpy(x).permute(2, 0, 1))

    high, low = opencv_bands(x)
    np.testing.assert_allclose(res.permute(1, 2, 0), low, atol=1e-6)
    np.testing.assert_allclose(lap.permute(1, 2, 0), high, atol=1e-6)


def test_bands_add_up_to_the_picture():
    x = torch.rand(2, 8, 3, 64, 96) * 2 - 1
    lap, res = split(x)
    assert lap.shape == res.shape == x.shape
    # One subtraction and one addition round: at most one unit in the last place of the largest term.
    torch.testing.assert_close(lap + res, x, atol=2**-23, rtol=0)


def test_leading_dimensions_do_not_matter():
    x = torch.rand(2, 4, 3, 16, 24)
    whole = split(x)
    one = split(x[1, 2, 0])
    for band, part in zip(whole, one, strict=True):
        torch.testing.assert_close(band[1, 2, 0], part)


def test_flat_pictures_have_no_detail():
    lap, res = split(torch.full((3, 17, 32), 0.25))
    torch.testing.assert_close(lap, torch.zeros_like(lap), atol=1e-6, rtol=0)
    torch.testing.assert_close(res, torch.full_like(res, 0.25))


def test_gradient_is_the_true_one():
    x = torch.rand(2, 5, 8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(split, (x,))


def test_bands_stay_float32_under_autocast_and_for_half_input():
    x = torch.rand(3, 64, 64)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        lap, res = split(x)
    assert lap.dtype == res.dtype == torch.float32
    torch.testing.assert_close(res, split(x)[1])
    assert split(x.bfloat16())[0].dtype == torch.float32


def test_first_use_in_inference_mode_leaves_later_training_possible():
    with torch.inference_mode():
        split(torch.rand(3, 22, 38))
    x = torch.rand(3, 22, 38, requires_grad=True)
    split(x)[0].square().sum().backward()
    assert x.grad is not None


def test_export_leaves_no_captured_tensors_behind():
    class Split(torch.nn.Module):
        def forward(self, x):
            return split(x)

    x = torch.rand(2, 3, 70, 74)  # sizes that no other test puts into the cache
    program = torch.export.export(Split(), (x,))
    for ours, exported in zip(split(x), program.module()(x), strict=True):
        assert type(ours) is torch.Tensor
        torch.testing.assert_close(exported, ours)

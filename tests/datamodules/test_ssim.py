"""Structural similarity against OpenCV's windows and torchmetrics."""

import cv2
import numpy as np
import pytest
import torch
from torchmetrics.functional.image import structural_similarity_index_measure

from datamodules.ssim import ssim_map


@pytest.fixture
def pictures():
    first, second = torch.rand(2, 3, 2, 24, 20, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return first, 0.6 * first + 0.4 * second


def test_every_pixel_against_opencv(pictures):
    first, second = pictures
    found = ssim_map(first, second)

    def blur(image):
        return cv2.GaussianBlur(image, (11, 11), 1.5, borderType=cv2.BORDER_REFLECT_101)

    for i in range(3):
        for c in range(2):
            x, y = first[i, c].numpy(), second[i, c].numpy()
            mx, my = blur(x), blur(y)
            vx, vy, cov = blur(x * x) - mx**2, blur(y * y) - my**2, blur(x * y) - mx * my
            value = (2 * mx * my + 1e-4) * (2 * cov + 9e-4) / ((mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4))
            np.testing.assert_allclose(found[i, c].numpy(), value, atol=1e-10)


@pytest.mark.parametrize("data_range", [1.0, 255.0])
def test_the_mean_is_that_of_torchmetrics(pictures, data_range):
    first, second = (data_range * picture for picture in pictures)
    expected = structural_similarity_index_measure(first, second, data_range=data_range, reduction="none")
    torch.testing.assert_close(ssim_map(first, second, data_range).mean((1, 2, 3)), expected)


def test_a_picture_is_like_itself_at_every_place(pictures):
    torch.testing.assert_close(ssim_map(pictures[0], pictures[0]), torch.ones_like(pictures[0]))


def test_autocast_changes_nothing(pictures):
    first, second = (picture.float() for picture in pictures)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = ssim_map(first, second)
    torch.testing.assert_close(found, ssim_map(first, second))

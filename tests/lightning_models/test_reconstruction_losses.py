"""The distances of pictures against closed forms, torch.distributions and SciPy."""

import numpy as np
import pytest
import scipy.fft
import torch
from torch.distributions import Bernoulli, Laplace, Normal

from datamodules.ssim import ssim_map
from lightning_models.reconstruction_losses import bce, l1, mse, spectral, ssim

ALL = [bce, l1, mse, spectral, ssim]


def pictures(seed, shape=(3, 2, 24, 20)):
    return torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_bce_is_the_negative_log_likelihood_of_a_bernoulli():
    logits, target = 4 * pictures(0) - 2, pictures(1).round()
    expected = -Bernoulli(logits=logits).log_prob(target).sum((1, 2, 3)).mean()
    torch.testing.assert_close(bce(logits, target), expected)


def test_bce_is_finite_and_steers_where_a_sigmoid_is_saturated():
    logits = torch.tensor([[[[200.0]]]], requires_grad=True)
    loss = bce(logits, torch.zeros(1, 1, 1, 1))
    loss.backward()
    assert loss.item() == 200
    assert logits.grad.item() == 1


def test_mse_is_twice_the_negative_log_likelihood_of_a_normal_up_to_a_constant():
    reconstructed, target = pictures(0), pictures(1)
    likelihood = [Normal(mean, 1).log_prob(target).sum((1, 2, 3)).mean() for mean in (reconstructed, target)]
    torch.testing.assert_close(mse(reconstructed, target), 2 * (likelihood[1] - likelihood[0]))


def test_l1_is_the_negative_log_likelihood_of_a_laplace_up_to_a_constant():
    reconstructed, target = pictures(0), pictures(1)
    likelihood = [Laplace(mean, 1).log_prob(target).sum((1, 2, 3)).mean() for mean in (reconstructed, target)]
    torch.testing.assert_close(l1(reconstructed, target), likelihood[1] - likelihood[0])


@pytest.mark.parametrize("log", [False, True])
def test_spectral_against_scipy(log):
    reconstructed, target = pictures(0), pictures(1)
    one, two = (np.abs(scipy.fft.fft2(p.numpy(), norm="ortho")) for p in (reconstructed, target))
    if log:
        one, two = np.log1p(one), np.log1p(two)
    assert spectral(reconstructed, target, log).item() == pytest.approx(((one - two) ** 2).sum() / 3)


def test_spectral_ignores_where_the_weave_lies_and_never_exceeds_mse():
    picture = pictures(0)
    assert spectral(picture.roll((3, 5), (2, 3)), picture).item() == pytest.approx(0, abs=1e-20)
    assert mse(picture.roll((3, 5), (2, 3)), picture) > 1
    assert spectral(pictures(1), picture) <= mse(pictures(1), picture)


def test_ssim_is_one_minus_the_similarity_of_every_pixel():
    first, second = pictures(0), pictures(1)
    assert ssim(first, second).item() == pytest.approx((1 - ssim_map(first, second)).sum().item() / 3)


def test_ssim_knows_the_range():
    first, second = pictures(0), pictures(1)
    torch.testing.assert_close(ssim(255 * first, 255 * second, data_range=255.0), ssim(first, second))


@pytest.mark.parametrize("distance", [l1, mse, spectral, ssim])
def test_a_picture_is_at_no_distance_from_itself(distance):
    assert distance(pictures(0), pictures(0)).item() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("distance", ALL)
def test_sum_over_pixels_and_mean_over_the_batch(distance):
    reconstructed, target = pictures(0), pictures(1)
    each = torch.stack([distance(reconstructed[i : i + 1], target[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(distance(reconstructed, target), each.mean())
    by_channel = torch.stack([distance(reconstructed[:, c : c + 1], target[:, c : c + 1]) for c in range(2)])
    torch.testing.assert_close(distance(reconstructed, target), by_channel.sum())


@pytest.mark.parametrize("distance", ALL)
def test_half_precision_is_summed_in_float32(distance):
    reconstructed = torch.full((1, 1, 512, 512), 0.75, dtype=torch.float16)
    loss = distance(reconstructed, torch.zeros_like(reconstructed))
    assert loss.dtype == torch.float32
    assert torch.isfinite(loss)
    assert loss > 65504


@pytest.mark.parametrize("distance", ALL)
def test_autocast_changes_nothing(distance):
    reconstructed, target = 0.5 + 0.01 * pictures(0).float(), 0.5 + 0.01 * pictures(1).float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = distance(reconstructed, target)
    torch.testing.assert_close(found, distance(reconstructed, target))


@pytest.mark.parametrize("distance", ALL)
def test_gradients_by_finite_differences(distance):
    reconstructed, target = pictures(0, (1, 1, 8, 7)).requires_grad_(), pictures(1, (1, 1, 8, 7))
    assert torch.autograd.gradcheck(lambda picture: distance(picture, target), reconstructed)

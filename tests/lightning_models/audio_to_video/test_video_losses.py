"""Every loss against its formula in numpy, and what padding and gradients do."""

import cv2
import numpy as np
import pytest
import torch
from torchmetrics.functional.image import structural_similarity_index_measure

from lightning_models.audio_to_video import video_losses
from lightning_models.vta_gan.video_losses import temporal_consistency


@pytest.fixture
def clips():
    random = torch.Generator().manual_seed(0)
    generated, real = torch.rand(2, 2, 5, 3, 24, 24, generator=random)
    return generated.requires_grad_(), real


def test_distances(clips):
    generated, real = (clip.detach().numpy() for clip in clips)
    for kind, error in (("l1", np.abs(generated - real)), ("l2", (generated - real) ** 2)):
        np.testing.assert_allclose(
            video_losses.distance(kind, *clips).detach(), error.mean((2, 3, 4)), rtol=1e-5, err_msg=kind
        )


def test_change_distance(clips):
    generated, real = (clip.detach().numpy() for clip in clips)
    expected = np.abs((generated[:, 1:] - generated[:, :-1]) - (real[:, 1:] - real[:, :-1])).mean((2, 3, 4))
    values = video_losses.change_distance(*clips)
    np.testing.assert_allclose(values.detach(), expected, rtol=1e-5)
    torch.testing.assert_close(values.mean(), temporal_consistency(*clips))


@pytest.mark.parametrize("chunk", [1, 3, 16])
def test_structure_distance(chunk, monkeypatch):
    """Against OpenCV's windows, which mirror the border too, on pictures that are not square."""
    monkeypatch.setattr(video_losses, "SSIM_FRAMES", chunk)
    generated, real = torch.rand(2, 2, 4, 3, 24, 32, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    values = video_losses.structure_distance(generated, real)
    for clip, frame in ((0, 0), (1, 3)):
        one, two = (side[clip, frame].permute(1, 2, 0).numpy() for side in (generated, real))

        def blur(picture):
            return cv2.GaussianBlur(picture, (11, 11), 1.5, borderType=cv2.BORDER_REFLECT_101)

        mean_1, mean_2 = blur(one), blur(two)
        spread = blur(one * one) - mean_1**2 + blur(two * two) - mean_2**2
        together = blur(one * two) - mean_1 * mean_2
        similar = (2 * mean_1 * mean_2 + 1e-4) * (2 * together + 9e-4)
        similar /= (mean_1**2 + mean_2**2 + 1e-4) * (spread + 9e-4)
        assert values[clip, frame].item() == pytest.approx(1 - similar.mean(), abs=1e-9)


def test_structure_distance_is_that_of_torchmetrics(clips):
    generated, real = (clip.flatten(0, 1) for clip in clips)
    expected = 1 - structural_similarity_index_measure(generated, real, data_range=1.0, reduction="none")
    (gradient,) = torch.autograd.grad(expected.sum(), clips[0])
    values = video_losses.structure_distance(*clips)
    torch.testing.assert_close(values.flatten(), expected)
    (own,) = torch.autograd.grad(values.sum(), clips[0])
    torch.testing.assert_close(own, gradient, atol=1e-5, rtol=1e-3)
    assert video_losses.structure_distance(clips[1], clips[1]).abs().max() < 1e-5


def test_padding_does_not_count(clips):
    generated, real = clips
    valid = torch.tensor([[True] * 5, [True, True, False, False, False]])
    before = video_losses.over_valid(video_losses.distance("l1", generated, real), valid)
    changed = real.clone()
    changed[1, 2:] = float("nan")
    after = video_losses.over_valid(video_losses.distance("l1", generated, changed), valid)
    assert before == after
    expected = torch.cat(
        [(generated[0] - real[0]).abs().flatten(), (generated[1, :2] - real[1, :2]).abs().flatten()]
    ).mean()
    torch.testing.assert_close(before, expected)


def test_nothing_valid_is_nothing_wrong():
    assert video_losses.over_valid(torch.ones(2, 3), torch.zeros(2, 3, dtype=torch.bool)) == 0


def test_the_hinge_is_closed_form_and_pulls_both_apart():
    own = torch.tensor([0.1, 0.1, 0.3, 0.0], requires_grad=True)
    other = torch.tensor([0.2, 0.11, 0.1, 0.0], requires_grad=True)
    value = video_losses.mismatch_hinge(own, other, 0.05, torch.tensor([True, True, True, False]))
    assert value.item() == pytest.approx((0 + 0.04 + 0.25) / 3)
    value.backward()
    torch.testing.assert_close(own.grad, torch.tensor([0.0, 1 / 3, 1 / 3, 0.0]))
    torch.testing.assert_close(other.grad, torch.tensor([0.0, -1 / 3, -1 / 3, 0.0]))


def test_half_precision_is_summed_in_single():
    generated, real = torch.zeros(1, 2, 3, 64, 64, dtype=torch.bfloat16), torch.full((1, 2, 3, 64, 64), 0.1)
    assert video_losses.distance("l1", generated, real).dtype == torch.float32
    torch.testing.assert_close(video_losses.distance("l1", generated, real), torch.full((1, 2), 0.1))

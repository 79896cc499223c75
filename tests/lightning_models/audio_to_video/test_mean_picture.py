"""The odds of a picture are multiplied by those of the mean picture."""

import torch

from lightning_models.audio_to_video.mean_picture import odds_of, shift


def test_even_odds_show_the_mean_picture():
    mean = torch.linspace(0.02, 0.98, 3 * 4 * 4).view(3, 4, 4)
    torch.testing.assert_close(shift(torch.full((2, 5, 3, 4, 4), 0.5), odds_of(mean)), mean.expand(2, 5, -1, -1, -1))


def test_it_is_a_shift_of_the_logits():
    mean, logits = torch.rand(3, 4, 4) * 0.9 + 0.05, 3 * torch.randn(2, 3, 4, 4, dtype=torch.float64)
    expected = (logits + torch.logit(mean)).sigmoid()
    torch.testing.assert_close(shift(logits.sigmoid(), odds_of(mean)).double(), expected, atol=1e-6, rtol=1e-4)


def test_black_and_white_can_still_be_left():
    odds = odds_of(torch.tensor([0.0, 1.0, 0.5]))
    frames = torch.full((3,), 0.5, requires_grad=True)
    shifted = shift(frames, odds)
    (gradient,) = torch.autograd.grad(shifted.sum(), frames)
    assert (gradient > 0.03).all()
    assert torch.allclose(shifted, torch.tensor([0.01, 0.99, 0.5]))


def test_half_precision_is_shifted_in_single():
    with torch.autocast("cpu", torch.bfloat16):
        assert shift(torch.full((1, 3, 2, 2), 0.5, dtype=torch.bfloat16), torch.ones(3, 2, 2)).dtype == torch.float32

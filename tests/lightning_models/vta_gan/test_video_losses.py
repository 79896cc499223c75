"""The losses of movement against known motion and finite differences."""

import pytest
import torch

from lightning_models.vta_gan.video_losses import flow_consistency, temporal_consistency, temporal_smoothness


def clip(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(sum(shape)))


def test_temporal_losses_of_known_motion():
    time = torch.arange(5, dtype=torch.float64).view(1, 5, 1, 1, 1)
    real = 3 * time + torch.zeros(2, 5, 3, 4, 4)
    frozen = torch.zeros_like(real)
    assert temporal_consistency(real + 7, real).item() == 0  # brightness is reconstruction's matter
    assert temporal_consistency(frozen, real).item() == 3  # a frozen clip pays
    assert temporal_smoothness(2 * real, real).item() == 0
    flicker = real + (-1) ** time  # second difference of +-1: 4
    assert temporal_smoothness(flicker, real).item() == 4
    assert temporal_smoothness(real, flicker).item() == 4  # and so does a clip smoother than the real one
    fake = clip(2, 5, 3, 4, 4)
    steps = (fake[:, 1:] - fake[:, :-1]) - (real[:, 1:] - real[:, :-1])
    assert temporal_consistency(fake, real).item() == pytest.approx(steps.abs().mean().item())
    bends = steps[:, 1:] - steps[:, :-1]
    assert temporal_smoothness(fake, real).item() == pytest.approx(bends.abs().mean().item())


@pytest.mark.parametrize(("loss", "frames"), [(temporal_consistency, 1), (temporal_smoothness, 2)])
def test_temporal_losses_refuse_clips_too_short(loss, frames):
    with pytest.raises(ValueError, match=f"more than {frames} frames"):
        loss(torch.zeros(1, frames, 3, 2, 2), torch.zeros(1, frames, 3, 2, 2))
    with pytest.raises(ValueError, match="equal shape"):
        loss(torch.zeros(1, 4, 3, 2, 2), torch.zeros(1, 4, 1, 2, 2))


def test_flow_consistency_averages_over_valid_places_only():
    frame, warped = torch.zeros(2, 3, 4, 4), torch.ones(2, 3, 4, 4)
    warped[:, :, 0] = 100
    valid = torch.ones(2, 1, 4, 4)
    valid[:, :, 0] = 0
    assert flow_consistency(frame, warped, valid).item() == 1
    assert flow_consistency(frame, warped, torch.zeros_like(valid)).item() == 0


def test_every_loss_has_the_right_gradient():
    real, valid = clip(2, 4, 1, 3, 3), torch.ones(8, 1, 3, 3, dtype=torch.float64)
    for loss in (
        lambda x: temporal_consistency(x, real),
        lambda x: temporal_smoothness(x, real),
        lambda x: flow_consistency(x.flatten(0, 1), real.flatten(0, 1), valid),
    ):
        assert torch.autograd.gradcheck(loss, (clip(2, 4, 1, 3, 3).neg().requires_grad_(),))

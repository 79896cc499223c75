import numpy as np
import pytest
import torch

from lightning_models.vta_gan import evidence
from lightning_models.vta_gan.discriminator import DiscriminatorOutput
from lightning_models.vta_gan.reconstructor import Reconstruction


def clip(reconstructed=None, flows=()):
    frames = torch.rand(2, 4, 3, 16, 24) * 2 - 1
    high = torch.rand_like(frames)
    return Reconstruction(
        frames, high, high + 0.5, frames.clone() if reconstructed is None else reconstructed, list(flows)
    )


def test_a_perfect_reconstruction_gives_no_evidence_but_of_the_band_that_is_wrong():
    maps = evidence.reconstruction_evidence(clip())
    assert maps["reconstruction"].eq(0).all()
    assert maps["temporal"].eq(0).all()
    torch.testing.assert_close(maps["high_band"], torch.full((2, 4, 16, 24), 0.5))


def test_reconstruction_errors_are_means_over_colours():
    reconstructed = torch.rand(2, 4, 3, 16, 24)
    given = clip(reconstructed)
    maps = evidence.reconstruction_evidence(given)
    error = (reconstructed - given.frames).numpy()
    np.testing.assert_allclose(maps["reconstruction"].numpy(), (error**2).mean(2), rtol=1e-5)
    change = np.abs(np.diff(error, axis=1)).mean(2)
    np.testing.assert_allclose(
        maps["temporal"].numpy(), np.concatenate([change[:, :1], change], 1), rtol=1e-4, atol=1e-6
    )


def test_speed_is_the_length_of_the_flow():
    flow = torch.tensor([3.0, -4.0])[:, None, None].expand(1, 3, 2, 8, 8)
    assert torch.equal(evidence.speed(flow), torch.full((1, 4, 8, 8), 5.0))


def test_directions_share_the_speed_among_them():
    flow = torch.randn(2, 3, 2, 8, 8)
    maps = evidence.direction_evidence(flow)
    assert all((values >= 0).all() for values in maps.values())
    assert all(values.shape == (2, 4, 8, 8) for values in maps.values())
    together = torch.stack(list(maps.values())).square().sum(0).sqrt()
    torch.testing.assert_close(together, evidence.speed(flow))
    torch.testing.assert_close(maps["flow_right"][:, 1:] - maps["flow_left"][:, 1:], flow[:, :, 0])
    torch.testing.assert_close(maps["flow_down"][:, 1:] - maps["flow_up"][:, 1:], flow[:, :, 1])


def test_the_right_flow_explains_the_next_frame_and_none_does_not():
    still = torch.nn.functional.interpolate(torch.rand(1, 3, 4, 10), (32, 80), mode="bilinear")
    frames = torch.stack([still[..., 3 * t : 3 * t + 48] for t in range(4)], 1)  # slides to the left
    flow = torch.zeros(1, 3, 2, 32, 48)
    unexplained = evidence.flow_evidence(frames, flow)
    flow[:, :, 0] = -3
    explained = evidence.flow_evidence(frames, flow)
    assert explained.max() < 1e-4
    assert unexplained.mean() > 0.01


def test_flow_out_of_the_picture_is_no_evidence():
    frames = torch.rand(1, 3, 3, 16, 16)
    assert evidence.flow_evidence(frames, torch.full((1, 2, 2, 16, 16), 100.0)).eq(0).all()


def test_the_discriminators_evidence_lies_where_its_maps_are():
    real_map, reconstructed_map = torch.zeros(6, 5, 2, 3), torch.zeros(6, 5, 2, 3)
    reconstructed_map[:, :, 1, 2] = 2.0
    logits = torch.zeros(6, 1, 1)
    real = DiscriminatorOutput(logits - 3, torch.zeros(6, 7, 1, 1), [real_map])
    reconstructed = DiscriminatorOutput(logits, torch.zeros(6, 7, 1, 1), [reconstructed_map])
    maps = evidence.discriminator_evidence(real, reconstructed, torch.Size((2, 3, 3, 32, 48)))
    assert maps["feature"].shape == (2, 3, 32, 48)
    assert maps["feature"][..., -1, -1].eq(4).all()
    assert maps["feature"][..., 0, 0].eq(0).all()
    assert maps["discriminator"].mean().item() == pytest.approx(np.log1p(np.exp(3.0)), rel=1e-5)

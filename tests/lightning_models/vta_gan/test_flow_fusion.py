import pytest
import torch

from datamodules.errors import InputError
from lightning_models.vta_gan.flow_fusion import OpticalFlowFeatureFusion, motion_features


def small(**arguments):
    torch.manual_seed(0)
    return OpticalFlowFeatureFusion(hidden=(8, 16), groups=4, **arguments)


def test_motion_features_of_known_flows():
    flow = torch.zeros(2, 3, 1)
    flow[:, 0, 0] = torch.tensor((3.0, -4.0))
    flow[:, 1, 0] = torch.tensor((0.0, 2.0))
    features = motion_features(flow)
    expected = torch.tensor(((3, -4, 5, 0.6, -0.8), (0, 2, 2, 0, 1), (0, 0, 0, 0, 0)), dtype=torch.float32)
    torch.testing.assert_close(features[:, :, 0].T, expected, atol=0.006, rtol=0)
    torch.testing.assert_close(features[:2], flow)


def test_the_direction_of_noise_fades():
    noise = torch.full((2, 1, 1), 1e-4)
    assert motion_features(noise)[3:].abs().max() < 0.05


def test_motion_features_have_a_finite_gradient_where_nothing_moves():
    flow = torch.zeros(2, 4, 4, requires_grad=True)
    motion_features(flow).sum().backward()
    assert flow.grad.isfinite().all()


@pytest.mark.parametrize("size", [(64, 64), (48, 80), (33, 17)])
@pytest.mark.parametrize("shrink", [1, 4])
def test_bands_keep_their_shape_whatever_the_size_of_the_flow(size, shrink):
    fusion = small()
    lap, res = torch.randn(2, 4, 3, *size), torch.randn(2, 4, 3, *size)
    flow = torch.randn(2, 3, 2, size[0] // shrink, size[1] // shrink)
    new_lap, new_res = fusion(lap, res, flow)
    assert new_lap.shape == new_res.shape == lap.shape
    # Residual: the same motion on both bands, bounded by the weights.
    torch.testing.assert_close(new_lap - lap, new_res - res, atol=1e-5, rtol=0)
    assert (new_lap - lap).abs().max() < 0.2 * 1.1


def test_resizing_equals_fusing_at_the_flows_own_size_when_the_map_is_flat():
    fusion = small()
    flow = torch.randn(1, 2, 2, 8, 8)
    bands = torch.zeros(1, 3, 3, 16, 16)
    fused, _ = fusion(bands, bands, flow)
    motion = fusion.motion_weight * fusion.motion(flow)
    torch.testing.assert_close(fused.mean(dim=(3, 4)), motion.mean(dim=(3, 4)), atol=1e-5, rtol=0)


def test_every_frame_has_its_own_map_and_the_first_repeats_the_first_flow():
    fusion = small().eval()
    flow = torch.zeros(1, 7, 2, 16, 16)
    flow[:, 5, :, 4:8, 4:8] = 3.0
    motion = fusion.motion(flow)
    assert motion.shape == (1, 8, 3, 16, 16)
    still = fusion.motion(torch.zeros_like(flow))
    change = (motion - still).abs().amax(dim=(0, 2, 3, 4))
    assert change[6] == change.max()  # flow 5 leads from frame 5 to frame 6
    assert change[:4].max() == 0  # two convolutions see two frames to either side

    # The same flow at every step gives the first two frames the same features before the convolutions.
    moving = torch.randn(1, 1, 2, 16, 16).expand(1, 3, 2, 16, 16)
    fusion.over_time = torch.nn.Conv3d(5, 16, 1)  # no exchange over time
    maps = fusion.motion(moving)
    torch.testing.assert_close(maps[:, 0], maps[:, 3])


def test_the_motion_weight_starts_at_its_value_and_stays_in_range_with_a_gradient():
    fusion = small(motion_weight=0.2, magnitude_weight=0.1)
    assert fusion.motion_weight.item() == pytest.approx(0.2)
    assert fusion.magnitude_weight.item() == pytest.approx(0.1)
    for logit in (-8.0, 8.0):
        fusion.motion_logit.data.fill_(logit)
        fusion.motion_logit.grad = None
        fusion.motion_weight.backward()
        assert 0 < fusion.motion_weight < 1
        assert fusion.motion_logit.grad > 0


def test_everything_learns():
    fusion = small()
    bands, flow = torch.randn(2, 3, 3, 16, 16), torch.randn(2, 2, 2, 16, 16, requires_grad=True)
    sum(fusion(bands, bands, flow)).square().mean().backward()
    for name, parameter in fusion.named_parameters():
        assert parameter.grad.abs().sum() > 0, name
    assert flow.grad.abs().sum() > 0


def test_a_still_clip_is_finite():
    fusion = small()
    bands, flow = torch.zeros(1, 3, 3, 16, 16), torch.zeros(1, 2, 2, 16, 16, requires_grad=True)
    sum(fusion(bands, bands, flow)).sum().backward()
    assert flow.grad.isfinite().all()
    assert all(parameter.grad.isfinite().all() for parameter in fusion.parameters())


@pytest.mark.parametrize("arguments", [{"motion_weight": 0.0}, {"motion_weight": 1.0}, {"hidden": (12, 64)}])
def test_impossible_arguments_are_refused(arguments):
    with pytest.raises(InputError):
        OpticalFlowFeatureFusion(**arguments)


def test_exports_and_runs_under_autocast():
    fusion = small().eval()
    inputs = (torch.randn(1, 3, 3, 16, 16), torch.randn(1, 3, 3, 16, 16), torch.randn(1, 2, 2, 16, 16))
    program = torch.export.export(fusion, inputs)
    plain = fusion(*inputs)
    torch.testing.assert_close(program.module()(*inputs)[0], plain[0])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = fusion(*inputs)
    torch.testing.assert_close(rough[0].float(), plain[0], atol=0.02, rtol=0.02)

import cv2
import numpy as np
import pytest
import torch
from torch.nn import functional as F

from datamodules.errors import InputError
from lightning_models.vta_gan.flownet_sd import FLOW_SCALE, FlowNetSD
from lightning_models.vta_gan.optical_flow import (
    OpticalFlow,
    inside,
    photometric_loss,
    smoothness_loss,
    warp,
)


def texture(height, width, seed=0):
    """Smooth random picture in [-1, 1], (3, H, W)."""
    generator = torch.Generator().manual_seed(seed)
    rough = torch.rand(1, 3, height // 4, width // 4, generator=generator)
    return F.interpolate(rough, size=(height, width), mode="bicubic").clamp(0, 1)[0] * 2 - 1


def moving(right, down, length=3, size=64):
    """A clip of a texture that moves by whole pixels per frame, (1, T, 3, size, size)."""
    wide = texture(2 * size, 2 * size)
    starts = [(size // 2 - t * down, size // 2 - t * right) for t in range(length)]
    return torch.stack([wide[:, top : top + size, left : left + size] for top, left in starts])[None]


def constant_flow(right, down, length=3, size=64):
    return torch.tensor((right, down), dtype=torch.float32).view(1, 1, 2, 1, 1).expand(1, length - 1, 2, size, size)


# --- warp
# ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(24, 40), (33, 17), (1, 9)])
def test_warp_is_opencvs_remap(size):
    height, width = size
    rng = np.random.default_rng(0)
    image = rng.uniform(-1, 1, (3, height, width)).astype(np.float32)
    # remap rounds positions to 1/32 of a pixel; some of these lead out of the picture.
    flow = (rng.integers(-300, 300, (2, height, width)) / 32).astype(np.float32)

    warped = warp(torch.from_numpy(image), torch.from_numpy(flow))

    x, y = np.meshgrid(np.arange(width), np.arange(height))
    reference = cv2.remap(
        image.transpose(1, 2, 0),
        (x + flow[0]).astype(np.float32),
        (y + flow[1]).astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=0,
    )
    np.testing.assert_allclose(warped.permute(1, 2, 0), reference.reshape(height, width, 3), atol=2e-5)


def test_warp_fetches_the_next_frame_back():
    frames = moving(right=3, down=-2)
    warped = warp(frames[:, 1:], constant_flow(3, -2))
    assert warped.shape == (1, 2, 3, 64, 64)
    torch.testing.assert_close(warped[..., 4:-4, 4:-4], frames[:, :-1, :, 4:-4, 4:-4], atol=1e-4, rtol=0)


def test_warp_stays_float32_under_autocast():
    image, flow = torch.rand(1, 3, 32, 32), torch.full((1, 2, 32, 32), 0.37)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        warped = warp(image, flow)
    torch.testing.assert_close(warped, warp(image, flow))


def test_inside_marks_where_the_flow_leads_out():
    mask = inside(constant_flow(5, 0)[0, 0])
    assert mask.shape == (1, 64, 64)
    assert mask[..., :59].all()
    assert not mask[..., 59:].any()


# --- losses
# -------------------------------------------------------------------------------------------------------


def test_photometric_loss_is_least_at_the_true_flow():
    frames = moving(right=3, down=-2)
    true = photometric_loss(frames, constant_flow(3, -2))
    assert true.item() == pytest.approx(1e-3, rel=0.1)  # nothing but Charbonnier's epsilon
    for wrong in ((0, 0), (-3, 2), (3, -1), (2, -2)):
        assert photometric_loss(frames, constant_flow(*wrong)) > 10 * true


def test_photometric_loss_by_hand():
    frames = torch.zeros(1, 2, 3, 4, 4)
    frames[:, 1] = 0.5
    frames[:, 1, :, :, 0] = 1.0
    flow = torch.zeros(1, 1, 2, 4, 4)
    robust = lambda d: (d * d + 1e-6) ** 0.5  # noqa: E731
    assert photometric_loss(frames, flow).item() == pytest.approx((3 * robust(0.5) + robust(1.0)) / 4)
    assert photometric_loss(frames, flow + 100).item() == 0


def test_photometric_loss_pulls_a_wrong_flow_towards_the_true_one():
    frames = moving(right=1, down=0)
    flow = torch.zeros(1, 2, 2, 64, 64, requires_grad=True)
    photometric_loss(frames, flow).backward()
    assert flow.grad[:, :, 0].sum() < 0  # descending moves u up, towards 1


def test_smoothness_loss_by_hand():
    frames = torch.zeros(1, 2, 3, 4, 4)
    flow = torch.zeros(1, 1, 2, 4, 4)
    assert smoothness_loss(frames, flow + 7) == 0
    flow[:, :, 0, :, 2:] = 2.0  # one step of 2 pixels in u, between columns 1 and 2
    along_x = 2.0 / 3 / 2  # a third of the differences along x, half of the channels
    assert smoothness_loss(frames, flow).item() == pytest.approx(along_x / 2)
    frames[..., 2:] = 1.0  # an edge of half the range in the same place
    assert smoothness_loss(frames, flow).item() == pytest.approx(along_x / 2 * np.exp(-10 * 0.5))


# --- backends
# -----------------------------------------------------------------------------------------------------


def test_farneback_finds_the_motion():
    flow = OpticalFlow("farneback")(moving(right=2, down=-1))
    assert flow.shape == (1, 2, 2, 64, 64)
    assert flow.dtype == torch.float32
    inner = flow[..., 16:-16, 16:-16]
    assert inner[:, :, 0].median().item() == pytest.approx(2, abs=0.2)
    assert inner[:, :, 1].median().item() == pytest.approx(-1, abs=0.2)


def test_farneback_needs_no_gradient():
    frames = moving(1, 0).requires_grad_()
    assert not OpticalFlow("farneback")(frames).requires_grad


def test_frame_difference_is_the_signed_change_of_grey():
    frames = torch.full((2, 3, 3, 8, 8), -1.0)
    frames[:, 1] = 1.0
    backend = OpticalFlow("frame_difference")
    flow = backend(frames)
    assert flow.shape == (2, 2, 2, 8, 8)
    torch.testing.assert_close(flow[:, 0, 0], torch.ones(2, 8, 8))
    torch.testing.assert_close(flow[:, 1, 0], -torch.ones(2, 8, 8))
    assert flow[:, :, 1].abs().max() == 0
    assert not backend.is_displacement


def test_none_has_no_flow():
    with pytest.raises(RuntimeError, match="none"):
        OpticalFlow("none")(torch.zeros(1, 2, 3, 64, 64))


def test_a_single_frame_has_no_flow():
    with pytest.raises(InputError, match="at least 2 frames"):
        OpticalFlow("frame_difference")(torch.zeros(1, 1, 3, 64, 64))


@pytest.mark.parametrize("size", [(64, 64), (192, 128)])
def test_flownet_flow_has_the_size_of_the_frames(size):
    backend = OpticalFlow("flownet_sd", width=0.05)
    frames = torch.rand(2, 3, 3, *size) * 2 - 1
    assert backend(frames).shape == (2, 2, 2, *size)
    scales = backend.scales(frames)
    assert [tuple(flow.shape) for flow in scales] == [(2, 2, 2, *size)] * 5
    torch.testing.assert_close(scales[0], backend(frames))


def test_flownet_is_fed_and_read_in_nvidias_units():
    class Probe(FlowNetSD):
        def forward(self, pairs):
            self.seen = pairs
            return [torch.full((len(pairs), 2, 16, 16), 0.25)]

    backend = OpticalFlow("flownet_sd", width=0.05)
    backend.network = Probe(width=0.05)
    frames = torch.rand(2, 3, 3, 64, 64) * 2 - 1
    flow = backend(frames)

    pair = (frames[1, 1:3] + 1) / 2 * 255  # second clip, second pair, 0..255
    normalised = (pair - pair.mean(dim=(0, 2, 3))[:, None, None]) / 255
    torch.testing.assert_close(backend.network.seen[3], normalised.flatten(0, 1), atol=1e-6, rtol=0)
    torch.testing.assert_close(flow, torch.full_like(flow, 0.25 * FLOW_SCALE))


def test_flownet_is_trained_and_never_frozen_noise():
    backend = OpticalFlow("flownet_sd", width=0.05)
    frames = moving(2, 1)
    flow = backend(frames)
    (photometric_loss(frames, flow) + 0.1 * smoothness_loss(frames, flow)).backward()
    for name, parameter in backend.named_parameters():
        # The coarsest scales are read by their own flows only through the finer ones.
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name
    with pytest.raises(InputError, match=r"flow_weights is flow\.pth, .*\.flow_backend flownet_sd"):
        OpticalFlow("farneback", weights="flow.pth")


def test_loaded_weights_are_the_start(tmp_path):
    torch.manual_seed(1)
    path = tmp_path / "flow.pth"
    weights = FlowNetSD(width=0.05).state_dict()
    torch.save(weights, path)
    backend = OpticalFlow("flownet_sd", width=0.05, weights=str(path))
    torch.testing.assert_close(backend.network.conv0[0].weight, weights["conv0.0.weight"])
    assert all(parameter.requires_grad for parameter in backend.parameters())


@pytest.mark.slow
def test_flownet_learns_a_motion():
    torch.manual_seed(0)
    backend = OpticalFlow("flownet_sd", width=0.125)
    frames = moving(2, -1, length=4)
    optimizer = torch.optim.Adam(backend.parameters(), lr=1e-3)
    for _ in range(150):
        flows = backend.scales(frames)
        loss = sum(photometric_loss(frames, flow) + 0.05 * smoothness_loss(frames, flow) for flow in flows)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    flow = backend(frames)[..., 8:-8, 8:-8].detach()
    assert flow[:, :, 0].median().item() == pytest.approx(2, abs=0.3)
    assert flow[:, :, 1].median().item() == pytest.approx(-1, abs=0.3)

"""CNNParamTanh's networks: sizes, the synthetic video, and where the tanh layer starts."""

import numpy as np
import pytest
import scipy.ndimage
import scipy.optimize
import torch
from torch.nn import functional as F

from datamodules.errors import InputError
from lightning_models.cnn_param_tanh.network import NEAR_IDENTITY, VAE, Critic, ParamTanh, SyntheticVideo


def parameters(network):
    return sum(weight.numel() for weight in network.parameters())


def test_the_published_sizes():
    with torch.device("meta"):
        vae, critic = VAE(), Critic()
        assert vae.encode(torch.empty(16, 3, 128, 128)).event_shape == (64,)
        assert vae.decode(torch.empty(16, 64)).shape == (16, 3, 128, 128)
        assert critic(torch.empty(16, 3, 128, 128)).shape == (16,)
    assert parameters(vae) == 2_490_755
    assert parameters(critic) == 829_473


def test_the_sizes_of_the_tanh_layer():
    conv = ParamTanh(image_size=128, head="conv")
    assert conv.cnn[0].in_channels == 48
    assert parameters(conv.cnn) == 942
    assert parameters(conv.head) == 37
    with torch.device("meta"):
        linear = ParamTanh(image_size=128, head="linear", motion="shift")  # without noise to draw
    assert parameters(linear.cnn) == 942
    assert parameters(linear.head) == 67_125_248
    small = ParamTanh(image_size=16, head="linear")
    assert parameters(small.head) == (4 * 4 * 4 + 1) * 16 * 16


def test_the_autoencoder_is_the_layers_listed():
    torch.manual_seed(0)
    vae, images = VAE(1, 16, 4), torch.rand(2, 1, 16, 16) * 2 - 1
    x = images
    for layer in (vae.encoder[0], vae.encoder[3], vae.encoder[6]):
        x = F.max_pool2d(F.conv2d(x, layer.weight, layer.bias, padding=1).relu(), 2)
    torch.testing.assert_close(vae.encode(images).mean, vae.posterior.mean(x.flatten(1)))
    z = torch.randn(2, 4)
    y = vae.from_latent(z).reshape(2, 48, 2, 2)
    for index in (0, 2, 4):
        layer = vae.decoder[index]
        y = F.conv_transpose2d(y, layer.weight, layer.bias, stride=2, padding=1)
        y = y.relu() if index < 4 else y
    torch.testing.assert_close(vae.decode(z), 2 * y.sigmoid() - 1)


def test_the_critics_score_is_linear():
    torch.manual_seed(0)
    critic, images = Critic(1, 16), torch.rand(3, 1, 16, 16)
    assert critic(images).shape == (3,)
    before = critic(images)
    with torch.no_grad():
        critic[-2].weight.mul_(1e4)
        critic[-2].bias.mul_(1e4)
    torch.testing.assert_close(critic(images), 1e4 * before, rtol=1e-4, atol=1e-2)


def test_the_start_is_as_near_to_the_identity_as_a_tanh_can_be():
    x = np.linspace(-1, 1, 2001)
    best = scipy.optimize.minimize_scalar(lambda alpha: np.abs(np.tanh(alpha * x) - x).max(), bounds=(0.5, 3))
    assert pytest.approx(best.x, abs=2e-3) == NEAR_IDENTITY
    layer, images = ParamTanh(2, 1, 16), torch.rand(4, 1, 16, 16) * 2 - 1
    assert (layer(images) - images).abs().max() < 0.113


@pytest.mark.parametrize("head", ["linear", "conv"])
def test_the_layer_starts_at_one_alpha_and_learns_a_map(head):
    torch.manual_seed(0)
    layer = ParamTanh(3, 3, 16, head=head, alpha_start=0.5)
    images = torch.rand(4, 3, 16, 16) * 2 - 1
    alpha = layer.alpha(layer.video(images))
    assert alpha.shape == (4, 1, 16, 16)
    assert torch.equal(alpha, torch.full_like(alpha, 0.5))
    torch.testing.assert_close(layer(images), torch.tanh(0.5 * images))
    optimizer = torch.optim.Adam(layer.parameters(), 0.02)
    wanted = torch.where(images.mean(1, keepdim=True) > 0, 3.0, 1.0) * images
    errors = []
    for _ in range(40):
        loss = (layer(images) - torch.tanh(wanted)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        errors.append(loss.item())
    assert errors[-1] < 0.6 * errors[0]
    learned = layer.eval().alpha(layer.video(images))
    assert learned.std() > 0
    assert layer(images).abs().max() < 1


@pytest.mark.parametrize("motion", ["noise", "shift", "zoom"])
def test_the_video_moves_away_from_its_picture(motion):
    torch.manual_seed(0)
    picture = F.interpolate(torch.rand(1, 1, 4, 4) * 2 - 1, (32, 32), mode="bicubic").clamp(-1, 1)
    video = SyntheticVideo(16, 1, 32, motion).eval()(picture)
    assert video.shape == (1, 16, 1, 32, 32)
    torch.testing.assert_close(video[:, 0], picture, atol=1e-6, rtol=0)
    away = (video - picture[:, None]).square().mean((0, 2, 3, 4)).sqrt()
    assert (away.diff() > 0).all()
    assert away[-1] < 0.35  # slightly changed
    assert video.abs().max() <= 1 + 1e-6


def test_noise_grows_by_a_hundredth_of_the_range():
    torch.manual_seed(0)
    video = SyntheticVideo(5, 1, 256, "noise")(torch.zeros(1, 1, 256, 256))
    deviations = video.std((0, 2, 3, 4))
    torch.testing.assert_close(deviations, 0.02 * torch.arange(5.0), rtol=0.02, atol=0)


def test_noise_is_new_in_training_and_the_same_in_evaluation():
    synthetic, pictures = SyntheticVideo(3, 1, 16, "noise"), torch.zeros(2, 1, 16, 16)
    assert not torch.equal(synthetic(pictures), synthetic(pictures))
    synthetic.eval()
    judged = synthetic(pictures)
    assert torch.equal(judged, synthetic(pictures))
    assert torch.equal(judged[0], judged[1])
    assert torch.equal(judged, SyntheticVideo(3, 1, 16, "noise").eval()(pictures))
    assert synthetic.state_dict() == {}


def test_shift_and_zoom_are_scipys():
    picture = np.random.default_rng(0).uniform(-1, 1, (2, 20, 20))
    images = torch.from_numpy(picture).float()[None]
    shifted, zoomed = (SyntheticVideo(9, 2, 20, motion)(images)[0].numpy() for motion in ("shift", "zoom"))
    for t in (3, 8):
        scale, centre = 1 / (1 + 0.008 * t), 9.5
        for channel in range(2):
            expected = scipy.ndimage.shift(picture[channel], (0, 0.004 * t * 20), order=1, mode="nearest")
            np.testing.assert_allclose(shifted[t, channel], expected, atol=1e-5)
            expected = scipy.ndimage.affine_transform(
                picture[channel], [scale, scale], offset=centre * (1 - scale), order=1, mode="nearest"
            )
            np.testing.assert_allclose(zoomed[t, channel], expected, atol=1e-5)


@pytest.mark.parametrize("motion", ["shift", "zoom"])
def test_pictures_of_low_precision_move_to_exact_places(motion):
    """Left is the rounding of the pictures' own values; that of the places would be a quarter of a pixel."""
    torch.manual_seed(0)
    images = (torch.rand(2, 1, 256, 256) * 2 - 1).bfloat16()
    video = SyntheticVideo(6, 1, 256, motion)
    expected = video(images.float())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        made = video(images)
    assert made.dtype == torch.bfloat16
    torch.testing.assert_close(made.float(), expected, atol=2**-8, rtol=0)


@pytest.mark.parametrize("size", [20, 4])
def test_sizes_that_do_not_halve_thrice_are_refused(size):
    with pytest.raises(InputError, match="multiple of 8"):
        VAE(image_size=size)


def test_a_video_without_frames_is_refused():
    with pytest.raises(InputError, match="num_frames"):
        ParamTanh(num_frames=0)

"""motorVAEGAN's networks against the layers that its description lists."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from datamodules.errors import InputError
from lightning_models.motor_vae_gan.network import VAE, Decoder, Discriminator, Doubling


def parameters(network):
    return sum(weight.numel() for weight in network.parameters())


def test_the_published_sizes():
    with torch.device("meta"):
        vae, discriminator = VAE(), Discriminator(norm="batch")
        maps = discriminator(torch.empty(2, 1, 256, 256)).maps
        inner = vae.encoder(torch.empty(2, 1, 256, 256))
        generated = vae.decode(torch.empty(2, 128))
    assert parameters(vae) == 15_763_681
    assert parameters(discriminator) == 1_602_753
    assert [tuple(stage.shape[1:]) for stage in maps] == [
        (32, 128, 128),
        (64, 64, 64),
        (128, 32, 32),
        (256, 16, 16),
        (512, 8, 8),
    ]
    assert inner.shape == (2, 512, 8, 8)
    assert generated.shape == (2, 1, 256, 256)


@pytest.mark.parametrize(("channels", "size"), [(1, 32), (3, 32), (1, 96)])
def test_any_multiple_of_32(channels, size):
    vae, discriminator = VAE(channels, size, latent_dim=5, width=2), Discriminator(channels, size, width=2)
    posterior = vae.encode(torch.rand(3, channels, size, size))
    assert posterior.event_shape == (5,)
    generated = vae.decode(posterior.rsample())
    assert generated.shape == (3, channels, size, size)
    assert generated.min() >= 0
    assert generated.max() <= 1
    assert discriminator(generated).logits.shape == (3,)


@pytest.mark.parametrize("make", [VAE, Discriminator])
@pytest.mark.parametrize("size", [48, 16, 0])
def test_other_sizes_are_refused(make, size):
    with pytest.raises(InputError, match="multiple of 32"):
        make(image_size=size, width=2)


def normed(x, layer):
    mean, variance = x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), unbiased=False, keepdim=True)
    x = (x - mean) / (variance + 1e-5).sqrt()
    return layer.weight.view(-1, 1, 1) * x + layer.bias.view(-1, 1, 1)


def test_encoder_and_discriminator_are_the_layers_listed():
    torch.manual_seed(0)
    vae, discriminator = VAE(1, 32, 4, width=2), Discriminator(1, 32, width=2, norm="batch")
    images = torch.rand(4, 1, 32, 32)
    x = y = images
    for own, judge in zip(vae.encoder, discriminator.stages, strict=True):
        x = F.leaky_relu(normed(F.conv2d(x, own[0].weight, own[0].bias, stride=2, padding=1), own[1]), 0.01)
        y = F.leaky_relu(normed(F.conv2d(y, judge[0].weight, judge[0].bias, stride=2, padding=1), judge[1]), 0.2)
    torch.testing.assert_close(vae.encoder(images), x)
    torch.testing.assert_close(
        discriminator(images).logits, y.flatten(1) @ discriminator.to_logit.weight[0] + discriminator.to_logit.bias
    )


@pytest.mark.parametrize("kernel", [3, 4])
def test_decoder_is_the_layers_listed(kernel):
    torch.manual_seed(0)
    decoder, z = Decoder(1, 32, 4, 2, kernel), torch.randn(3, 4)
    x = decoder.from_latent(z).reshape(3, 32, 1, 1)
    for layer, norm, _ in decoder.stages:
        assert layer.weight.shape[2:] == (kernel, kernel)
        x = F.conv_transpose2d(x, layer.weight, layer.bias, stride=2, padding=1, output_padding=4 - kernel)
        x = F.leaky_relu(normed(x, norm), 0.01)
    x = F.conv2d(x, decoder.to_image.weight, decoder.to_image.bias, padding=1)
    torch.testing.assert_close(decoder(z), 1 / (1 + (-x).exp()))


@pytest.mark.parametrize(("kernel", "even"), [(3, False), (4, True)])
def test_an_even_kernel_gives_every_pixel_as_many_products(kernel, even):
    doubling = Doubling(1, 1, kernel)
    torch.nn.init.ones_(doubling.weight)
    torch.nn.init.zeros_(doubling.bias)
    inner = doubling(torch.ones(1, 1, 8, 8))[..., 2:-2, 2:-2]
    assert (len(inner.unique()) == 1) == even


def test_the_bias_added_afterwards_has_the_gradient_of_one_inside():
    torch.manual_seed(0)
    ours = Doubling(3, 2).double()
    x = torch.randn(2, 3, 5, 5, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(2, 2, 10, 10, dtype=torch.float64)
    (ours(x) * weight).sum().backward()
    found = [x.grad.clone(), ours.weight.grad.clone(), ours.bias.grad.clone()]
    plain = F.conv_transpose2d(x, ours.weight, ours.bias, stride=2, padding=1, output_padding=1)
    expected = torch.autograd.grad((plain * weight).sum(), [x, ours.weight, ours.bias])
    for own, reference in zip(found, expected, strict=True):
        torch.testing.assert_close(own, reference)


def test_spectral_norm_bounds_every_layer():
    discriminator = Discriminator(1, 32, width=2, norm="spectral")
    for _ in range(100):  # the power iteration goes one step with every call in training
        discriminator(torch.rand(1, 1, 32, 32))
    layers = [stage[0] for stage in discriminator.stages] + [discriminator.to_logit]
    for layer in layers:
        matrix = layer.weight.detach().flatten(1).numpy()
        assert np.linalg.svd(matrix, compute_uv=False)[0] == pytest.approx(1, abs=1e-2)


@pytest.mark.parametrize(("norm", "alone"), [("spectral", True), ("none", True), ("batch", False)])
def test_only_a_batch_norm_looks_at_the_company(norm, alone):
    torch.manual_seed(0)
    discriminator, images = Discriminator(1, 32, width=2, norm=norm), torch.rand(4, 1, 32, 32)
    if norm == "spectral":
        for layer in discriminator.modules():  # hold the power iteration
            if hasattr(layer, "parametrizations"):
                layer.parametrizations.weight[0].eval()
    assert torch.allclose(discriminator(images).logits[:2], discriminator(images[:2]).logits, atol=1e-6) == alone

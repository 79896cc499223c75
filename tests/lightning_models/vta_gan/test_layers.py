import pytest
import torch
from torch.nn import functional as F

from lightning_models.vta_gan.layers import DoublingConv2d, HalvingConv2d

SIZES = [(2, 2), (2, 4), (4, 4), (2, 8), (6, 4), (16, 16)]


def gradients(output, *inputs):
    seed = torch.linspace(-1, 1, output.numel()).view(output.shape)
    return torch.autograd.grad(output, inputs, seed)


@pytest.mark.parametrize("size", SIZES)
def test_halving_is_the_convolution(size):
    layer = HalvingConv2d(5, 7)
    x = torch.randn(3, 5, *size, requires_grad=True)
    ours, reference = layer(x), F.conv2d(x, layer.weight, None, 2, 1)
    torch.testing.assert_close(ours, reference, atol=1e-5, rtol=1e-5)
    for mine, theirs in zip(gradients(ours, x, layer.weight), gradients(reference, x, layer.weight), strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (1, 2), (2, 2), (1, 4), (3, 2), (8, 8)])
@pytest.mark.parametrize("bias", [False, True])
def test_doubling_is_the_transposed_convolution(size, bias):
    layer = DoublingConv2d(5, 7, bias=bias)
    x = torch.randn(3, 5, *size, requires_grad=True)
    ours, reference = layer(x), F.conv_transpose2d(x, layer.weight, layer.bias, 2, 1)
    torch.testing.assert_close(ours, reference, atol=1e-5, rtol=1e-5)
    for mine, theirs in zip(gradients(ours, x, layer.weight), gradients(reference, x, layer.weight), strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("leaving", [1, 3, 5])
@pytest.mark.parametrize("bias", [False, True])
def test_doubling_without_a_gradient_is_the_same(leaving, bias):
    layer = DoublingConv2d(6, leaving, bias=bias)
    x = torch.randn(2, 6, 10, 12)
    learning = layer(x)
    with torch.no_grad():
        torch.testing.assert_close(layer(x), learning, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("layer", [HalvingConv2d(4, 8), DoublingConv2d(4, 8)])
def test_autocast_applies_to_the_products_too(layer):
    x = torch.randn(3, 4, 2, 2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = layer(x)
    assert rough.dtype == torch.bfloat16
    torch.testing.assert_close(rough.float(), layer(x), atol=0.05, rtol=0.05)

import pytest
import torch

from datamodules.errors import InputError
from lightning_models.vta_gan.discriminator import Discriminator


@pytest.mark.parametrize("norm", ["batch", "group"])
def test_full_size_has_the_published_number_of_parameters(norm):
    with torch.device("meta"):
        discriminator = Discriminator(norm=norm)
    assert sum(parameter.numel() for parameter in discriminator.parameters()) == 3_577_476


@pytest.mark.parametrize(("size", "grid"), [((64, 64), (1, 1)), ((128, 128), (5, 5)), ((192, 128), (9, 5))])
def test_shapes(size, grid):
    output = Discriminator(ndf=4, features=10)(torch.randn(2, 3, *size))
    assert output.logits.shape == (2, *grid)
    assert output.features.shape == (2, 10, *grid)
    assert [tuple(features.shape) for features in output.maps] == [
        (2, 4 * 2**level, size[0] // 2 ** (level + 1), size[1] // 2 ** (level + 1)) for level in range(4)
    ]


def test_logits_are_no_probabilities():
    torch.manual_seed(0)
    discriminator = Discriminator(ndf=4)
    discriminator.to_logits.weight.data.fill_(10.0)
    logits = discriminator(torch.randn(8, 3, 64, 64)).logits
    assert (logits.abs() > 1).any()
    assert (logits < 0).any()


def test_too_small_frames_are_refused():
    with pytest.raises(InputError, match=r"data\.image_size is 32x64, .* at least 64x64"):
        Discriminator(ndf=2)(torch.zeros(1, 3, 32, 64))


@pytest.mark.parametrize(("norm", "alone"), [("batch", False), ("group", True), ("spectral", True)])
def test_only_the_batch_norm_couples_the_frames_of_a_batch(norm, alone):
    torch.manual_seed(0)
    discriminator = Discriminator(ndf=8, norm=norm)
    real, fake = torch.randn(4, 3, 64, 64), torch.randn(4, 3, 64, 64) * 3
    with torch.no_grad():
        discriminator(real)
        if norm == "spectral":
            discriminator.eval()  # its power iteration moves on with every training call
        together = discriminator(torch.cat((real, fake))).features[:4]
        apart = discriminator(real).features
    assert torch.allclose(together, apart, atol=1e-5) is alone


def test_spectral_norm_makes_convolutions_of_norm_one():
    torch.manual_seed(0)
    discriminator = Discriminator(ndf=8, norm="spectral")
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        for _ in range(50):
            discriminator(x)
        discriminator.eval()
        for layer in (discriminator.stages[2][0], discriminator.to_features, discriminator.to_logits):
            assert torch.linalg.matrix_norm(layer.weight.flatten(1), ord=2).item() == pytest.approx(1, abs=0.02)


def test_all_parameters_learn():
    discriminator = Discriminator(ndf=4)
    discriminator(torch.randn(4, 3, 64, 64)).logits.square().mean().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in discriminator.parameters())


def test_exports():
    discriminator = Discriminator(ndf=4).eval()
    x = torch.randn(2, 3, 64, 64)
    program = torch.export.export(discriminator, (x,), dynamic_shapes=({0: torch.export.Dim("batch", min=2)},))
    more = torch.randn(3, 3, 64, 64)
    torch.testing.assert_close(program.module()(more)[0], discriminator(more).logits)

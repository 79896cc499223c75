import pytest
import torch

from datamodules.errors import InputError
from lightning_models.vta_gan.generator import ChannelSelection, Generator


def parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


def test_full_size_has_the_published_number_of_parameters():
    with torch.device("meta"):
        alone = Generator(channel_selection="off")
        coupled = Generator()
    assert parameters(alone) == 58_488_070
    assert parameters(coupled) == 58_488_070 + 1_313_632
    assert parameters(coupled.selection) == 1_313_632


@pytest.mark.parametrize("size", [(64, 64), (128, 128), (256, 256), (192, 128)])
def test_output_has_the_size_of_the_input_and_the_range_of_tanh(size):
    generator = Generator(ngf=2).eval()
    generator.lap.up[0][0].weight.data.mul_(1e4)  # far beyond the range, but for the tanh
    with torch.no_grad():
        outputs = generator(torch.randn(1, 3, *size), torch.randn(1, 3, *size))
    for band in outputs:
        assert band.shape == (1, 3, *size)
        assert band.abs().max() <= 1


@pytest.mark.parametrize("size", [(64, 96), (240, 360), (32, 64)])
def test_a_size_that_cannot_be_halved_is_refused_by_name(size):
    with pytest.raises(InputError, match=f"multiples of 64, not {size[0]}x{size[1]}"):
        Generator(ngf=2)(torch.zeros(1, 3, *size), torch.zeros(1, 3, *size))


def test_depth_sets_the_stride():
    generator = Generator(ngf=2, depth=4)
    assert generator(torch.zeros(2, 3, 48, 32), torch.zeros(2, 3, 48, 32))[0].shape == (2, 3, 48, 32)


@pytest.mark.parametrize("arguments", [{"ngf": 0}, {"depth": 1}, {"noise_std": -0.1}])
def test_impossible_arguments_are_refused(arguments):
    with pytest.raises(InputError):
        Generator(**arguments)


def test_channel_selection_is_trained_and_kept():
    generator = Generator(ngf=4)
    lap, res = torch.randn(4, 3, 64, 64), torch.randn(4, 3, 64, 64)
    sum(generator(lap, res)).square().mean().backward()
    names = [name for name, _ in generator.named_parameters() if name.startswith("selection")]
    assert len(names) == 6 * 6  # six levels, three linear layers, weight and bias
    assert set(names) <= set(generator.state_dict())
    for name in names:
        gradient = generator.get_parameter(name).grad
        assert gradient is not None, name
        assert gradient.abs().sum() > 0, name


def test_channel_selection_couples_the_branches_and_off_does_not():
    lap, res = torch.randn(2, 3, 64, 64), torch.randn(2, 3, 64, 64)
    for mode, coupled in (("learned", True), ("off", False)):
        torch.manual_seed(0)
        generator = Generator(ngf=4, channel_selection=mode).eval()
        for parameter in generator.parameters():
            parameter.data.mul_(5)  # away from the small initial weights, whose coupling is lost in rounding
        with torch.no_grad():
            before = generator(lap, res)[0]
            after = generator(lap, res * 3)[0]
        assert torch.equal(before, after) is not coupled


def test_channel_selection_weights_share_each_channel_between_the_branches():
    torch.manual_seed(0)
    selection = ChannelSelection(8)
    lap, res = torch.rand(2, 8, 5, 5) + 0.5, torch.rand(2, 8, 5, 5) + 0.5
    chosen_lap, chosen_res = selection(lap, res)

    pooled = (lap + res).mean(dim=(2, 3))
    code = pooled @ selection.squeeze.weight.T + selection.squeeze.bias
    score_lap = code @ selection.excite_lap.weight.T + selection.excite_lap.bias
    score_res = code @ selection.excite_res.weight.T + selection.excite_res.bias
    share = torch.sigmoid(score_lap - score_res)[..., None, None]  # a softmax over two
    torch.testing.assert_close(chosen_lap, lap * share)
    torch.testing.assert_close(chosen_res, res * (1 - share))


def test_noise_is_added_in_training_only_and_the_same_to_both_bands():
    seen = []
    generator = Generator(ngf=2, noise_std=0.5)
    generator.lap.down[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    generator.res.down[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    zeros = torch.zeros(4, 3, 64, 64)

    generator(zeros, zeros)
    assert torch.equal(seen[0], seen[1])
    assert seen[0].std().item() == pytest.approx(0.5, rel=0.05)

    generator.eval()(zeros, zeros)
    assert seen[2].abs().max() == 0


def test_both_branches_and_both_inputs_receive_gradients():
    generator = Generator(ngf=2)
    lap, res = (torch.randn(2, 3, 64, 64, requires_grad=True) for _ in range(2))
    sum(generator(lap, res)).square().mean().backward()
    assert lap.grad.abs().sum() > 0
    assert res.grad.abs().sum() > 0
    assert all(parameter.grad is not None for parameter in generator.parameters())


def test_initial_weights_are_dcgans():
    generator = Generator(ngf=16)
    down = generator.lap.down[3][0].weight
    assert down.mean().item() == pytest.approx(0, abs=1e-3)
    assert down.std().item() == pytest.approx(0.02, rel=0.05)
    assert generator.res.down[2][1].weight.mean().item() == pytest.approx(1, abs=0.02)
    assert generator.lap.up[0][0].bias.abs().max() == 0


def test_channels_last_and_autocast_change_the_form_and_not_the_result():
    torch.manual_seed(0)
    generator = Generator(ngf=8).eval()
    lap, res = torch.randn(2, 3, 64, 64), torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        plain = generator(lap, res)
        generator.to(memory_format=torch.channels_last)
        moved = generator(*(x.contiguous(memory_format=torch.channels_last) for x in (lap, res)))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rough = generator(lap, res)
    for ours, theirs, half in zip(plain, moved, rough, strict=True):
        torch.testing.assert_close(theirs, ours, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(half.float(), ours, atol=0.05, rtol=0.05)


def test_exports():
    generator = Generator(ngf=2, depth=4).eval()
    inputs = (torch.randn(2, 3, 32, 32), torch.randn(2, 3, 32, 32))
    batch = torch.export.Dim("batch", min=2)
    program = torch.export.export(generator, inputs, dynamic_shapes=({0: batch}, {0: batch}))
    more = (torch.randn(5, 3, 32, 32), torch.randn(5, 3, 32, 32))
    for ours, exported in zip(generator(*more), program.module()(*more), strict=True):
        torch.testing.assert_close(exported, ours)

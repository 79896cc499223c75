import pytest
import torch

from datamodules.errors import InputError
from lightning_models.vta_gan.flownet_sd import FlowNetSD, load_flownet_sd


def published_layout():
    """Names and shapes of NVIDIA's FlowNet2-SD, written out by hand."""
    shapes = {}

    def add(name, *weight, bias):
        shapes[f"{name}.weight"] = weight
        shapes[f"{name}.bias"] = (bias,)

    convolutions = {
        "conv0": (6, 64), "conv1": (64, 64), "conv1_1": (64, 128), "conv2": (128, 128), "conv2_1": (128, 128),
        "conv3": (128, 256), "conv3_1": (256, 256), "conv4": (256, 512), "conv4_1": (512, 512),
        "conv5": (512, 512), "conv5_1": (512, 512), "conv6": (512, 1024), "conv6_1": (1024, 1024),
        "inter_conv5": (1026, 512), "inter_conv4": (770, 256), "inter_conv3": (386, 128), "inter_conv2": (194, 64),
    }  # fmt: skip
    for name, (entering, leaving) in convolutions.items():
        add(f"{name}.0", leaving, entering, 3, 3, bias=leaving)
    for name, entering, leaving in (
        ("deconv5", 1024, 512), ("deconv4", 1026, 256), ("deconv3", 770, 128), ("deconv2", 386, 64),
    ):  # fmt: skip
        add(f"{name}.0", entering, leaving, 4, 4, bias=leaving)
    for level, entering in ((6, 1024), (5, 512), (4, 256), (3, 128), (2, 64)):
        add(f"predict_flow{level}", 2, entering, 3, 3, bias=2)
    for level in (6, 5, 4, 3):
        add(f"upsampled_flow{level}_to_{level - 1}", 2, 2, 4, 4, bias=2)
    return shapes


def test_width_one_is_nvidias_network():
    with torch.device("meta"):
        network = FlowNetSD()
    assert {name: tuple(value.shape) for name, value in network.state_dict().items()} == published_layout()
    assert sum(parameter.numel() for parameter in network.parameters()) == 45_371_666


@pytest.mark.parametrize("size", [(64, 64), (128, 64), (192, 128)])
def test_five_scales_finest_first(size):
    flows = FlowNetSD(width=0.05)(torch.randn(2, 6, *size))
    assert [tuple(flow.shape) for flow in flows] == [
        (2, 2, size[0] // stride, size[1] // stride) for stride in (4, 8, 16, 32, 64)
    ]


def test_training_starts_at_almost_no_motion():
    torch.manual_seed(0)
    for flow in FlowNetSD(width=0.25)(torch.randn(2, 6, 64, 64)):
        assert 0 < flow.abs().max() < 0.05


@pytest.mark.parametrize("size", [(64, 96), (240, 360), (32, 32)])
def test_other_sizes_are_refused_by_name(size):
    with pytest.raises(InputError, match=rf"data\.image_size is {size[0]}x{size[1]}, .* multiples of 64"):
        FlowNetSD(width=0.05)(torch.zeros(1, 6, *size))


def test_width_must_be_positive():
    with pytest.raises(InputError, match="width"):
        FlowNetSD(width=0)


@pytest.mark.parametrize("wrapped", [True, False])
def test_published_files_load(tmp_path, wrapped):
    torch.manual_seed(0)
    source, target = FlowNetSD(width=0.05), FlowNetSD(width=0.05)
    path = tmp_path / "FlowNet2-SD_checkpoint.pth.tar"
    state = source.state_dict()
    torch.save({"arch": "FlowNet2SD", "epoch": 0, "state_dict": state} if wrapped else state, path)
    load_flownet_sd(path, target)
    for name, value in target.state_dict().items():
        torch.testing.assert_close(value, state[name])


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.pth"):
        load_flownet_sd(tmp_path / "nowhere.pth", FlowNetSD(width=0.05))


@pytest.mark.parametrize("content", [b"", b"no weights at all", b"\x80\x02cos\nsystem\n."])
def test_a_file_of_something_else_is_refused(tmp_path, content):
    path = tmp_path / "flow.pth"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"flow_weights: .*flow\.pth is (refused: it is damaged|not a whole)"):
        load_flownet_sd(path, FlowNetSD(width=0.05))


def test_weights_of_another_shape_or_name_are_refused_and_leave_the_network_as_it_was(tmp_path):
    network = FlowNetSD(width=0.05)
    before = network.conv0[0].weight.clone()
    path = tmp_path / "flow.pth"

    torch.save(FlowNetSD(width=0.1).state_dict(), path)
    with pytest.raises(InputError, match="shape"):
        load_flownet_sd(path, network)

    state = network.state_dict()
    state["conv9.0.weight"] = state.pop("conv0.0.weight")
    torch.save(state, path)
    with pytest.raises(InputError, match=r"2 differences, e\.g\. conv0\.0\.weight: missing"):
        load_flownet_sd(path, network)

    torch.save([1, 2], path)
    with pytest.raises(InputError, match="no weights by name, but list"):
        load_flownet_sd(path, network)
    assert torch.equal(network.conv0[0].weight, before)


def test_exports():
    network = FlowNetSD(width=0.05).eval()
    pairs = torch.randn(2, 6, 64, 64)
    program = torch.export.export(network, (pairs,))
    torch.testing.assert_close(program.module()(pairs)[0], network(pairs)[0])

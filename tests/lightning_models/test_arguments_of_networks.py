"""No argument of a network is dead: another value changes its weights or what it makes of an input, or is refused.

``NETWORKS`` has one other value for every argument; a new argument fails the test until it has one.
"""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from datamodules.errors import InputError
from lightning_models import variational
from lightning_models.aitex_vae.network import AitexNetwork
from lightning_models.audio_to_video import AudioToVideoNet, AudioToVideoNetLegacy, AudioToVideoNetStill
from lightning_models.audio_to_video.decoder import FrameDecoder
from lightning_models.audio_to_video.encoders import ConvolutionalEncoder
from lightning_models.audio_to_video.mel_encoder import MelEncoder
from lightning_models.cnn_param_tanh import network as cnn_param_tanh
from lightning_models.motor_vae_gan import network as motor_vae_gan
from lightning_models.vta_gan.discriminator import Discriminator
from lightning_models.vta_gan.flow_fusion import OpticalFlowFeatureFusion
from lightning_models.vta_gan.flownet_sd import FlowNetSD
from lightning_models.vta_gan.generator import Generator
from lightning_models.vta_gan.optical_flow import OpticalFlow
from lightning_models.vta_gan.temporal_attention import TemporalFeatureFusion


class Refused(NamedTuple):
    """A value that is refused on the same input, by a message that names the argument."""

    value: Any
    match: str


class Network(NamedTuple):
    """A network: its input, arguments that make it small, and another value for each of its arguments."""

    inputs: Callable[[], tuple[Tensor, ...]]
    small: dict[str, Any]
    others: dict[str, Any]


def noise(*shapes: tuple[int, ...]) -> Callable[[], tuple[Tensor, ...]]:
    return lambda: tuple(torch.rand(shape, generator=torch.Generator().manual_seed(0)) for shape in shapes)


NET = {"fps": 10.0, "sample_rate": 4000, "image_size": 16, "width": 32}
NETWORKS: dict[Callable[..., nn.Module], Network] = {
    Generator: Network(
        noise((2, 3, 64, 64), (2, 3, 64, 64)),
        {"ngf": 2},
        {"ngf": 3, "depth": 5, "channel_selection": "off", "noise_std": 0.2},
    ),
    Discriminator: Network(
        noise((2, 3, 64, 64)), {"ndf": 4, "features": 5}, {"ndf": 8, "features": 6, "norm": "spectral"}
    ),
    OpticalFlowFeatureFusion: Network(
        noise((1, 3, 3, 32, 32), (1, 3, 3, 32, 32), (1, 2, 2, 8, 8)),
        {},
        {"hidden": (8, 16), "groups": 4, "motion_weight": 0.3, "magnitude_weight": 0.2},
    ),
    TemporalFeatureFusion: Network(
        noise((1, 4, 3, 32, 32)),
        {"num_frames": 4, "base_size": 8, "pool": 2, "channels": (4, 4, 8)},
        {
            "num_frames": Refused(3, "num_frames"),
            "base_size": 16,
            "pool": 1,
            "channels": (4, 8, 8),
            "heads": 2,
            "dropout": 0.5,
            "positional": "sinusoidal",
            "token_width": 16,
        },
    ),
    OpticalFlow: Network(
        noise((1, 2, 3, 64, 64)),
        {"width": 0.05},
        {
            "backend": Refused("farneback", r"flow_width is 0\.05, .*\.flow_backend flownet_sd"),
            "width": 0.1,
            "weights": Refused("nowhere.pth", "width|nowhere"),
        },
    ),
    FlowNetSD: Network(noise((1, 6, 64, 64)), {"width": 0.05}, {"width": 0.1}),
    AitexNetwork: Network(
        noise((2, 1, 32, 32)),
        {"tile_size": 32, "width": 2, "latent_dim": 4},
        {
            "tile_size": Refused(64, "shapes"),
            "channels": Refused(3, "channels"),
            "width": 3,
            "latent_dim": 5,
            "posterior": "full",
            "rank": Refused(2, r"rank is 2, .*\.posterior low_rank"),
            "decoder": "symmetric",
            "dropout": 0.5,
            "output": "tanh",
            "latent": "map",
        },
    ),
    variational.make_posterior: Network(
        noise((2, 6)),
        {"kind": "low_rank", "in_features": 6, "latent_dim": 4},
        {"kind": "diagonal", "in_features": Refused(7, "shapes"), "latent_dim": 5, "rank": 2},
    ),
    motor_vae_gan.Discriminator: Network(
        noise((2, 1, 32, 32)),
        {"image_size": 32, "width": 2},
        {"image_channels": Refused(3, "channels"), "image_size": Refused(64, "shapes"), "width": 3, "norm": "batch"},
    ),
    cnn_param_tanh.Critic: Network(
        noise((2, 3, 16, 16)),
        {"image_size": 16},
        {"image_channels": Refused(1, "channels"), "image_size": Refused(32, "shapes")},
    ),
    cnn_param_tanh.ParamTanh: Network(
        noise((2, 3, 16, 16)),
        {"image_size": 16, "num_frames": 3},
        {
            "num_frames": 4,
            "image_channels": Refused(1, "channels|size"),
            "image_size": Refused(32, "size"),
            "head": "linear",
            "alpha_start": 1.0,
            "motion": "zoom",
        },
    ),
    AudioToVideoNet: Network(
        noise((2, 1, 4000)),
        {**NET, "layers": 1, "heads": 4, "feedforward": 32},
        {
            "fps": 11.0,
            "sample_rate": 8000,
            "image_size": 32,
            "width": 64,
            "layers": 2,
            "heads": 2,
            "feedforward": 64,
            "dropout": 0.5,
            "cross_attention": True,
            "encoder": partial(ConvolutionalEncoder, activation=nn.Tanh),
            "chunk": Refused(0, "chunk"),  # what it changes is the memory, see test_decoder.py
            "max_frames": Refused(5, "max_frames"),
        },
    ),
    AudioToVideoNetLegacy: Network(
        noise((2, 1, 4000)),
        NET,
        {
            "fps": 11.0,
            "sample_rate": 8000,
            "image_size": 32,
            "width": 64,
            "encoder": partial(ConvolutionalEncoder, activation=nn.Tanh),
            "max_frames": Refused(5, "max_frames"),
        },
    ),
    AudioToVideoNetStill: Network(
        noise((2, 1, 4000)),
        NET,
        {
            "fps": 11.0,
            "sample_rate": 8000,
            "image_size": 32,
            "width": 64,
            "movements": 12,
            "components": 8,
            "strength": 1e-5,  # so small, since what these weights draw is white
            "encoder": ConvolutionalEncoder,
            "max_frames": Refused(5, "max_frames"),
        },
    ),
    MelEncoder: Network(
        noise((2, 1, 4000)),
        {"width": 16, "sample_rate": 4000},
        {"width": 8, "sample_rate": 8000, "layers": 2, "dropout": 0.5},
    ),
    FrameDecoder: Network(
        noise((2, 16)),
        {"width": 16, "image_size": 32},
        {"width": Refused(32, "shapes"), "image_size": 64, "chunk": Refused(0, "chunk")},
    ),
    ConvolutionalEncoder: Network(noise((2, 1, 1024)), {"width": 16}, {"width": 8, "activation": nn.ReLU}),
}


class Autoencoder(nn.Module):
    """Encodes and decodes at once, to be tested like the others."""

    def __init__(self, vae: nn.Module) -> None:
        super().__init__()
        self.vae = vae

    def forward(self, images: Tensor) -> Tensor:
        return self.vae.decode(self.vae.encode(images).mean)


def autoencoder(kind: type[nn.Module]) -> Callable[..., nn.Module]:
    def make(**arguments: Any) -> nn.Module:
        return Autoencoder(kind(**arguments))

    make.__signature__, make.__name__ = inspect.signature(kind), kind.__module__
    return make


NETWORKS[autoencoder(motor_vae_gan.VAE)] = Network(
    noise((2, 1, 32, 32)),
    {"image_size": 32, "width": 2, "latent_dim": 4},
    {
        "image_channels": Refused(3, "channels"),
        "image_size": Refused(64, "shapes"),
        "latent_dim": 5,
        "width": 3,
        "decoder_kernel": 4,
    },
)
NETWORKS[autoencoder(cnn_param_tanh.VAE)] = Network(
    noise((2, 3, 16, 16)),
    {"image_size": 16, "latent_dim": 4},
    {"image_channels": Refused(1, "channels"), "image_size": Refused(32, "shapes"), "latent_dim": 5},
)


def flat(answer: object) -> list[Tensor]:
    """All tensors of an answer in their order."""
    if isinstance(answer, Distribution):
        return [answer.mean, answer.variance]
    if isinstance(answer, list | tuple):
        return [tensor for part in answer for tensor in flat(part)]
    return [answer] if isinstance(answer, Tensor) else []


def traces(make: Callable[..., nn.Module], arguments: dict[str, Any], inputs: tuple[Tensor, ...]) -> list[Tensor]:
    """Weights and buffers at the start, then what is made of the input in training and in evaluation.

    A little off the start, where layers that begin at zero would hide what comes before them.
    """
    torch.manual_seed(0)
    network = make(**arguments)
    found = [tensor.clone() for tensor in network.state_dict().values()]
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.1 * torch.rand_like(weight))
        for training in (True, False):
            torch.manual_seed(1)
            found += flat(network.train(training)(*inputs))
    return found


def equal(one: list[Tensor], other: list[Tensor]) -> bool:
    return len(one) == len(other) and all(map(torch.equal, one, other))


def name(make: Callable[..., nn.Module]) -> str:
    return f"{make.__module__}.{make.__name__}".removeprefix("lightning_models.")


EVERY = [pytest.param(make, key, id=f"{name(make)}-{key}") for make, net in NETWORKS.items() for key in net.others]


@pytest.mark.parametrize("make", NETWORKS, ids=name)
def test_the_table_has_every_argument(make):
    assert set(NETWORKS[make].others) == set(inspect.signature(make).parameters)


@pytest.mark.parametrize("make", NETWORKS, ids=name)
def test_the_same_arguments_make_the_same_network(make):
    inputs, small, _ = NETWORKS[make]
    assert equal(traces(make, small, inputs()), traces(make, small, inputs()))


@pytest.mark.parametrize(("make", "key"), EVERY)
def test_another_value_changes_something(make, key):
    inputs, small, others = NETWORKS[make]
    if isinstance(others[key], Refused):
        with pytest.raises((InputError, RuntimeError), match=others[key].match):
            traces(make, {**small, key: others[key].value}, inputs())
    else:
        assert not equal(traces(make, small, inputs()), traces(make, {**small, key: others[key]}, inputs()))

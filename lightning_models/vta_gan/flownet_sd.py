"""FlowNet2-SD: optical flow from a stack of two frames, for small displacements.

Ilg et al., "FlowNet 2.0" (CVPR 2017). It has no correlation layer (that is FlowNet-C). At width 1 the
parameters have the names and shapes of NVIDIA's published PyTorch files without BatchNorm.
"""

from pathlib import Path

import torch
from torch import Tensor, nn

from datamodules.errors import InputError
from datamodules.weights_file import read_weights

STRIDE = 64
FLOW_SCALE = 20.0
"""The network's unit of flow in pixels: it was trained on flow / 20."""


class FlowNetSD(nn.Module):
    """Encoder with six halvings, decoder with skips, and a flow at each of five scales.

    45,371,666 parameters at width 1. The names of the layers are those of the published weights.

    Args:
        width: Factor on the number of channels of every layer.
    """

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        if width <= 0:
            raise InputError(f"flow_width is {width}: give a factor above 0")

        def scaled(channels: int) -> int:
            return max(1, round(channels * width))

        c64, c128, c256, c512, c1024 = (scaled(channels) for channels in (64, 128, 256, 512, 1024))
        self.conv0 = _conv(6, c64)
        self.conv1 = _conv(c64, c64, stride=2)
        self.conv1_1 = _conv(c64, c128)
        self.conv2 = _conv(c128, c128, stride=2)
        self.conv2_1 = _conv(c128, c128)
        self.conv3 = _conv(c128, c256, stride=2)
        self.conv3_1 = _conv(c256, c256)
        self.conv4 = _conv(c256, c512, stride=2)
        self.conv4_1 = _conv(c512, c512)
        self.conv5 = _conv(c512, c512, stride=2)
        self.conv5_1 = _conv(c512, c512)
        self.conv6 = _conv(c512, c1024, stride=2)
        self.conv6_1 = _conv(c1024, c1024)

        # Channels of the concatenations: the encoder's map, the decoder's map and the coarser flow's two.
        joined5, joined4, joined3, joined2 = c512 + c512 + 2, c512 + c256 + 2, c256 + c128 + 2, c128 + c64 + 2
        self.deconv5 = _deconv(c1024, c512)
        self.deconv4 = _deconv(joined5, c256)
        self.deconv3 = _deconv(joined4, c128)
        self.deconv2 = _deconv(joined3, c64)
        self.inter_conv5 = nn.Sequential(nn.Conv2d(joined5, c512, 3, 1, 1))
        self.inter_conv4 = nn.Sequential(nn.Conv2d(joined4, c256, 3, 1, 1))
        self.inter_conv3 = nn.Sequential(nn.Conv2d(joined3, c128, 3, 1, 1))
        self.inter_conv2 = nn.Sequential(nn.Conv2d(joined2, c64, 3, 1, 1))
        self.predict_flow6 = nn.Conv2d(c1024, 2, 3, 1, 1)
        self.predict_flow5 = nn.Conv2d(c512, 2, 3, 1, 1)
        self.predict_flow4 = nn.Conv2d(c256, 2, 3, 1, 1)
        self.predict_flow3 = nn.Conv2d(c128, 2, 3, 1, 1)
        self.predict_flow2 = nn.Conv2d(c64, 2, 3, 1, 1)
        self.upsampled_flow6_to_5 = nn.ConvTranspose2d(2, 2, 4, 2, 1)
        self.upsampled_flow5_to_4 = nn.ConvTranspose2d(2, 2, 4, 2, 1)
        self.upsampled_flow4_to_3 = nn.ConvTranspose2d(2, 2, 4, 2, 1)
        self.upsampled_flow3_to_2 = nn.ConvTranspose2d(2, 2, 4, 2, 1)
        self._initialise()

    def _initialise(self) -> None:
        """Start training at almost no motion: a large random flow finds nothing to match."""
        for name, layer in self.named_modules():
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.kaiming_normal_(layer.weight, a=0.1)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
                if name.startswith("predict_flow"):
                    nn.init.normal_(layer.weight, std=1e-4)

    def forward(self, pairs: Tensor) -> list[Tensor]:
        """Estimate the flow of frame pairs.

        Args:
            pairs: ``(N, 6, H, W)``: RGB of the first frame, then of the second, minus the pair's mean
                colour, in units of the full range 0..255 = 0..1. H and W multiples of 64.

        Returns:
            Five flows ``(N, 2, H/4, W/4)``, ..., ``(N, 2, H/64, W/64)``, finest first: u to the right, v
            down, from the first frame to the second, in units of 20 pixels of the H x W frame.

        Raises:
            InputError: If H or W is not a multiple of 64.
        """
        height, width = pairs.shape[-2:]
        if height % STRIDE or width % STRIDE:
            raise InputError(
                f"data.image_size is {height}x{width}, and FlowNetSD halves frames six times: give multiples of "
                f"{STRIDE}, or another model.flow_backend"
            )
        # channels at width 1
        conv1 = self.conv1_1(self.conv1(self.conv0(pairs)))  # (N, 128, H/2, W/2)
        conv2 = self.conv2_1(self.conv2(conv1))  # (N, 128, H/4, W/4)
        conv3 = self.conv3_1(self.conv3(conv2))  # (N, 256, H/8, W/8)
        conv4 = self.conv4_1(self.conv4(conv3))  # (N, 512, H/16, W/16)
        conv5 = self.conv5_1(self.conv5(conv4))  # (N, 512, H/32, W/32)
        conv6 = self.conv6_1(self.conv6(conv5))  # (N, 1024, H/64, W/64)

        flow6 = self.predict_flow6(conv6)  # (N, 2, H/64, W/64)
        joined5 = torch.cat((conv5, self.deconv5(conv6), self.upsampled_flow6_to_5(flow6)), dim=1)
        flow5 = self.predict_flow5(self.inter_conv5(joined5))  # (N, 1026, H/32, W/32) -> (N, 2, H/32, W/32)
        joined4 = torch.cat((conv4, self.deconv4(joined5), self.upsampled_flow5_to_4(flow5)), dim=1)
        flow4 = self.predict_flow4(self.inter_conv4(joined4))  # (N, 770, H/16, W/16) -> (N, 2, H/16, W/16)
        joined3 = torch.cat((conv3, self.deconv3(joined4), self.upsampled_flow4_to_3(flow4)), dim=1)
        flow3 = self.predict_flow3(self.inter_conv3(joined3))  # (N, 386, H/8, W/8) -> (N, 2, H/8, W/8)
        joined2 = torch.cat((conv2, self.deconv2(joined3), self.upsampled_flow3_to_2(flow3)), dim=1)
        flow2 = self.predict_flow2(self.inter_conv2(joined2))  # (N, 194, H/4, W/4) -> (N, 2, H/4, W/4)
        return [flow2, flow3, flow4, flow5, flow6]


def load_flownet_sd(path: str | Path, network: FlowNetSD) -> None:
    """Load published FlowNet2-SD weights into a network of width 1, in place.

    Args:
        path: A ``.pth`` or ``.pth.tar`` file: a state dict, or a dict with one under ``"state_dict"``. Only
            tensors are read from it (``weights_only``).
        network: The network to fill.

    Raises:
        InputError: If the file is missing or no such file, or its names or shapes are not the network's.
    """
    if not Path(path).is_file():
        raise InputError(f"flow_weights is {path}, and there is no such file: give the .pth file of FlowNet2-SD")
    try:
        stored = read_weights(Path(path), unchecked_too=True)  # those that NVIDIA published are of before
    except InputError as problem:
        raise InputError(f"flow_weights: {problem}") from problem
    state = stored.get("state_dict", stored) if isinstance(stored, dict) else None
    if not isinstance(state, dict):
        raise InputError(
            f"flow_weights: {path} holds no weights by name, but {type(stored).__name__}; give the .pth of FlowNet2-SD"
        )
    if other := [str(name) for name, weight in state.items() if not isinstance(weight, torch.Tensor)]:
        raise InputError(f"flow_weights: {path} holds no tensor under {other[0]}; give the .pth of FlowNet2-SD")
    own = network.state_dict()
    wrong = [
        f"{name}: shape {tuple(state[name].shape)}, not {tuple(own[name].shape)}"
        for name in own.keys() & state.keys()
        if state[name].shape != own[name].shape
    ]
    wrong += [f"{name}: missing" for name in own.keys() - state.keys()]
    wrong += [f"{name}: unknown" for name in state.keys() - own.keys()]
    if wrong:
        raise InputError(
            f"flow_weights: {path} does not fit FlowNetSD ({len(wrong)} differences, e.g. {sorted(wrong)[0]}); "
            "published weights are without BatchNorm and need width 1"
        )
    network.load_state_dict(state)


def _conv(entering: int, leaving: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(entering, leaving, 3, stride, 1), nn.LeakyReLU(0.1))


def _deconv(entering: int, leaving: int) -> nn.Sequential:
    return nn.Sequential(nn.ConvTranspose2d(entering, leaving, 4, 2, 1), nn.LeakyReLU(0.1))

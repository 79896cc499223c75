"""Layers and initialisation that several of the networks use."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d, nn.Conv3d, nn.Linear)
_NORMS = (nn.BatchNorm2d, nn.GroupNorm)

_FEW_PIXELS = 4
_FEW_CHANNELS = 4


def init_gan_weights(module: nn.Module, std: float = 0.02) -> None:
    """Initialise a GAN's layers as DCGAN did: weights N(0, std), norms' gains N(1, std), biases zero.

    Args:
        module: Network whose convolutions, linear layers and norms are initialised in place.
        std: Standard deviation of the weights.
    """
    for layer in module.modules():
        if isinstance(layer, _CONVOLUTIONS):
            nn.init.normal_(layer.weight, 0.0, std)
        elif isinstance(layer, _NORMS):
            nn.init.normal_(layer.weight, 1.0, std)
        else:
            continue
        if isinstance(layer.bias, torch.Tensor):
            nn.init.zeros_(layer.bias)


class HalvingConv2d(nn.Conv2d):
    """Convolution k4 s2 p1 without bias: ``(N, C, H, W) -> (N, C', H/2, W/2)``, H and W even.

    On a map of 2 x 2, deep inside a U-Net, the CPU's convolution takes twice the time of a matrix product; there the
    same sums are written as one.
    """

    def __init__(self, entering: int, leaving: int) -> None:
        super().__init__(entering, leaving, kernel_size=4, stride=2, padding=1, bias=False)

    def forward(self, input: Tensor) -> Tensor:
        """Halve the map."""
        if not _as_product(input) or input.shape[-2:] != (2, 2):
            return super().forward(input)
        # the outer taps of the kernel see nothing but padding
        return F.linear(input.flatten(1), self.weight[..., 1:3, 1:3].flatten(1))[..., None, None]


class DoublingConv2d(nn.ConvTranspose2d):
    """Transposed convolution k4 s2 p1: ``(N, C, H, W) -> (N, C', 2H, 2W)``.

    Products stand for it as in ``HalvingConv2d``, and where few channels leave: the CPU's convolution computes those of
    a picture as if they were 16. With a gradient that would not pay.
    """

    def __init__(self, entering: int, leaving: int, bias: bool = False) -> None:
        super().__init__(entering, leaving, kernel_size=4, stride=2, padding=1, bias=bias)

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Double the map."""
        batch, channels, height, width = input.shape
        to_picture = self.out_channels <= _FEW_CHANNELS and not torch.is_grad_enabled()
        from_little = height * width <= _FEW_PIXELS and self.bias is None
        if not _as_product(input) or not (to_picture or from_little):
            return super().forward(input, output_size)
        if to_picture:
            doubled = self._folded(self.weight.flatten(1).mT @ input.flatten(2), height, width)
            return doubled if self.bias is None else doubled + self.bias[:, None, None]
        if height == width == 1:  # the outer taps of the kernel fall outside
            product = input.flatten(1) @ self.weight[..., 1:3, 1:3].flatten(1)
            return product.reshape(batch, self.out_channels, 2, 2)
        pixels = input.transpose(0, 1).reshape(channels, -1)  # (C, N * H * W)
        patches = self.weight.flatten(1).mT @ pixels  # (C' * 16, N * H * W)
        return self._folded(patches.reshape(-1, batch, height * width).transpose(0, 1), height, width)

    @staticmethod
    def _folded(patches: Tensor, height: int, width: int) -> Tensor:
        """Add up what each pixel gives to the 4 x 4 around it: ``(N, C' * 16, H * W) -> (N, C', 2H, 2W)``."""
        return F.fold(patches, (2 * height, 2 * width), 4, padding=1, stride=2)


def _as_product(input: Tensor) -> bool:
    """Whether products may stand for convolutions: not on GPUs, and not in a graph that is exported for one."""
    return input.device.type == "cpu" and not torch.compiler.is_compiling()

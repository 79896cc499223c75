"""Small pieces that several of the networks use."""

import torch
from torch import nn

_CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d, nn.Conv3d, nn.Linear)
_NORMS = (nn.BatchNorm2d, nn.GroupNorm)


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

"""The three networks of motorVAEGAN, layer by layer as its description lists them.

Encoder and discriminator share one shape, five convolutions that halve the picture; the decoder mirrors it. At
256 x 256 grey pixels and width 32 the autoencoder has 15,763,681 parameters and the discriminator 1,602,753.
"""

from itertools import pairwise
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.nn import functional as F

from datamodules.errors import InputError
from lightning_models.variational import DiagonalPosterior

Norm = Literal["spectral", "none", "batch"]
DecoderKernel = Literal[3, 4]

STAGES = 5
STRIDE = 2**STAGES


def stage_channels(width: int) -> list[int]:
    """Return the channels of the five stages, outermost first: 32, 64, 128, 256, 512 at the published width 32."""
    return [width * 2**stage for stage in range(STAGES)]


def grid_size(image_size: int, width: int) -> int:
    """Return the edge of the innermost map, 8 for pictures of 256 x 256.

    Raises:
        InputError: ``image_size`` is no multiple of 32, or ``width`` below 1.
    """
    if image_size < STRIDE or image_size % STRIDE:
        raise InputError(f"image_size is {image_size}: give a multiple of {STRIDE}")
    if width < 1:
        raise InputError(f"width is {width}: give a whole number of at least 1")
    return image_size // STRIDE


class Encoder(nn.Sequential):
    """Pictures ``(B, C, S, S)`` to maps ``(B, 16 width, S/32, S/32)``: 5 x [conv k3 s2 p1, BatchNorm, LeakyReLU]."""

    def __init__(self, image_channels: int, width: int) -> None:
        stages = [
            nn.Sequential(nn.Conv2d(entering, leaving, 3, 2, 1), nn.BatchNorm2d(leaving), nn.LeakyReLU(inplace=True))
            for entering, leaving in pairwise([image_channels, *stage_channels(width)])
        ]
        super().__init__(*stages)


class Doubling(nn.ConvTranspose2d):
    """Transposed convolution s2 p1: ``(B, C, H, W)`` to ``(B, C', 2H, 2W)``.

    With k3, as described, and output padding 1, a pixel gets 1, 2 or 4 products by where it lies, which leaves a
    pattern of dots (Odena et al. 2016, "Deconvolution and Checkerboard Artifacts"); with k4 all get 4.

    The bias is added afterwards: on CPUs its gradient within the convolution costs twice the convolution's own.
    """

    def __init__(self, entering: int, leaving: int, kernel: DecoderKernel = 3) -> None:
        super().__init__(entering, leaving, kernel, 2, 1, output_padding=4 - kernel)

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Double the map."""
        assert self.bias is not None
        doubled = F.conv_transpose2d(input, self.weight, None, 2, 1, self.output_padding)
        return doubled.add_(self.bias.to(doubled.dtype).view(-1, 1, 1))


class Decoder(nn.Module):
    """Latent vectors ``(B, D)`` to pictures ``(B, C, S, S)`` in [0, 1].

    A linear layer to the innermost map; 5 x [transposed conv s2 p1, BatchNorm, LeakyReLU], the last of which keeps the
    channels; conv k3 p1; sigmoid.
    """

    def __init__(
        self, image_channels: int, image_size: int, latent_dim: int, width: int, kernel: DecoderKernel = 3
    ) -> None:
        super().__init__()
        self.grid = grid_size(image_size, width)
        channels = [*reversed(stage_channels(width)), width]
        self.from_latent = nn.Linear(latent_dim, channels[0] * self.grid**2)
        self.stages = nn.Sequential(
            *(
                nn.Sequential(Doubling(entering, leaving, kernel), nn.BatchNorm2d(leaving), nn.LeakyReLU(inplace=True))
                for entering, leaving in pairwise(channels)
            )
        )
        self.to_image = nn.Conv2d(width, image_channels, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        """Decode ``z`` to pictures."""
        maps = self.from_latent(z).view(z.shape[0], -1, self.grid, self.grid)  # (B, 16 width, S/32, S/32)
        maps = self.stages(maps)  # (B, width, S, S)
        return self.to_image(maps).sigmoid()  # (B, C, S, S)


class VAE(nn.Module):
    """Encoder, Gaussian posterior of D independent dimensions, decoder.

    Args:
        image_channels: C, 1 grey or 3 RGB.
        image_size: S, edge of the pictures in pixels, a multiple of 32.
        latent_dim: D.
        width: channels of the outermost stage; 32 is the published size.
        decoder_kernel: edge of the decoder's kernels that double a map; 3 as described, 4 leaves no pattern of dots.

    Raises:
        InputError: a size that does not fit.
    """

    def __init__(
        self,
        image_channels: int = 1,
        image_size: int = 256,
        latent_dim: int = 128,
        width: int = 32,
        decoder_kernel: DecoderKernel = 3,
    ) -> None:
        super().__init__()
        features = stage_channels(width)[-1] * grid_size(image_size, width) ** 2
        self.encoder = Encoder(image_channels, width)
        self.posterior = DiagonalPosterior(features, latent_dim)
        self.decoder = Decoder(image_channels, image_size, latent_dim, width, decoder_kernel)

    def encode(self, images: Tensor) -> Distribution:
        """Return q(z | x), event shape ``(D,)``, of pictures ``(B, C, S, S)`` in [0, 1]."""
        maps = self.encoder(images)  # (B, 16 width, S/32, S/32)
        return self.posterior(maps.flatten(1))  # over (B, D)

    def decode(self, z: Tensor) -> Tensor:
        """Return pictures ``(B, C, S, S)`` in [0, 1] of latent vectors ``(B, D)``."""
        return self.decoder(z)


class Judgement(NamedTuple):
    """Output of the discriminator for N pictures of S x S.

    Attributes:
        logits: ``(N,)``, positive for real; their sigmoid is the probability of the description.
        maps: five activated maps, ``(N, width * 2**l, S / 2**(l+1), S / 2**(l+1))`` for l = 0..4.
    """

    logits: Tensor
    maps: list[Tensor]


class Discriminator(nn.Module):
    """Tell photographs from reconstructions and samples.

    5 x [conv k3 s2 p1, norm, LeakyReLU 0.2], then a linear layer to one number, without its sigmoid: that belongs
    to the loss, which is exact for large scores only on logits.

    A BatchNorm sees the pictures of a call together. Where real and generated ones come in separate calls, as in the
    original, its statistics alone tell them apart, and the game is over at once; without it each picture is judged
    by itself.

    Args:
        image_channels: C, 1 grey or 3 RGB.
        image_size: S, a multiple of 32.
        width: channels of the first stage; 32 is the published size.
        norm: ``spectral``: every layer has spectral norm one (Miyato et al. 2018); ``none``; ``batch``: as published.
    """

    def __init__(
        self, image_channels: int = 1, image_size: int = 256, width: int = 32, norm: Norm = "spectral"
    ) -> None:
        super().__init__()
        grid = grid_size(image_size, width)
        channels = stage_channels(width)
        self.stages = nn.ModuleList()
        for entering, leaving in pairwise([image_channels, *channels]):
            layers: list[nn.Module] = [nn.Conv2d(entering, leaving, 3, 2, 1)]
            layers += [nn.BatchNorm2d(leaving)] if norm == "batch" else []
            # not in place: the maps are handed out, and a BatchNorm's neighbour is kept for its gradient
            self.stages.append(nn.Sequential(*layers, nn.LeakyReLU(0.2)))
        self.to_logit = nn.Linear(channels[-1] * grid**2, 1)
        if norm == "spectral":
            for layer in [layer for layer in self.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]:
                nn.utils.parametrizations.spectral_norm(layer)

    def forward(self, images: Tensor) -> Judgement:
        """Judge pictures ``(N, C, S, S)`` in [0, 1]."""
        maps = []
        for stage in self.stages:
            images = stage(images)  # (N, width 2^l, S / 2^(l+1), S / 2^(l+1))
            maps.append(images)
        return Judgement(self.to_logit(torch.flatten(images, 1)).squeeze(1), maps)  # logits (N,)

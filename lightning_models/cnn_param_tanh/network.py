"""The networks of CNNParamTanh: autoencoder, critic, and the tanh layer whose steepness a CNN chooses per pixel.

Pictures lie in [-1, 1]. At 3 x 128 x 128, latent 64 and 16 frames the autoencoder has 2,490,755 parameters, the critic
829,473, and the tanh layer 942 in its CNN and 67,125,248 (``linear``) or 37 (``conv``) in its head.
"""

from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.nn import functional as F

from datamodules.errors import InputError
from datamodules.seeding import derive_seed
from lightning_models.effective import effective
from lightning_models.variational import DiagonalPosterior

AlphaHead = Literal["linear", "conv"]
Motion = Literal["noise", "shift", "zoom"]

CHANNELS = 48  # of every inner map of autoencoder and critic
STRIDE = 8
NEAR_IDENTITY = 1.412
"""Steepness at which ``tanh(alpha x)`` is closest to x over [-1, 1]: nowhere further away than 0.113."""


def conv_trunk(image_channels: int) -> nn.Sequential:
    """Pictures ``(B, C, S, S)`` to maps ``(B, 48, S/8, S/8)``: 3 x [conv k3 p1, ReLU, max-pool 2]."""
    stages: list[nn.Module] = []
    for entering, leaving in pairwise([image_channels, CHANNELS, CHANNELS, CHANNELS]):
        stages += [nn.Conv2d(entering, leaving, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2)]
    return nn.Sequential(*stages)


class VAE(nn.Module):
    """Encoder, Gaussian posterior of D independent dimensions, decoder of three transposed convolutions k4 s2 p1.

    Args:
        image_channels: C, 1 grey or 3 RGB.
        image_size: S, edge of the pictures in pixels, a multiple of 8.
        latent_dim: D.

    Raises:
        InputError: ``image_size`` does not fit.
    """

    def __init__(self, image_channels: int = 3, image_size: int = 128, latent_dim: int = 64) -> None:
        super().__init__()
        if image_size < STRIDE or image_size % STRIDE:
            raise InputError(f"image_size is {image_size}: give a multiple of {STRIDE}")
        self.grid = image_size // STRIDE
        self.encoder = conv_trunk(image_channels)
        self.posterior = DiagonalPosterior(CHANNELS * self.grid**2, latent_dim)
        self.from_latent = nn.Linear(latent_dim, CHANNELS * self.grid**2)
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(CHANNELS, CHANNELS, 4, 2, 1),
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(CHANNELS, CHANNELS, 4, 2, 1),
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(CHANNELS, image_channels, 4, 2, 1),
        )

    def encode(self, images: Tensor) -> Distribution:
        """Return q(z | x), event shape ``(D,)``, of pictures ``(B, C, S, S)`` in [-1, 1]."""
        maps = self.encoder(images)  # (B, 48, S/8, S/8)
        return self.posterior(maps.flatten(1))  # over (B, D)

    def decode(self, z: Tensor) -> Tensor:
        """Return pictures ``(B, C, S, S)`` in [-1, 1] of latent vectors ``(B, D)``: ``2 sigmoid - 1``."""
        maps = self.from_latent(z).view(z.shape[0], CHANNELS, self.grid, self.grid)  # (B, 48, S/8, S/8)
        return 2 * self.decoder(maps).sigmoid() - 1  # (B, C, S, S)


class Critic(nn.Sequential):
    """Pictures ``(N, C, S, S)`` in [-1, 1] to scores ``(N,)``, larger for real: the encoder's trunk, 64 units, one.

    The score is linear: its range is what the Wasserstein distance is measured in. No norm, so that every picture has
    a gradient of its own.
    """

    def __init__(self, image_channels: int = 3, image_size: int = 128) -> None:
        super().__init__(
            conv_trunk(image_channels),
            nn.Flatten(),
            nn.Linear(CHANNELS * (image_size // STRIDE) ** 2, 64),
            nn.LeakyReLU(0.2),
            nn.Linear(64, 1),
            nn.Flatten(0),
        )


class SyntheticVideo(nn.Module):
    """T copies of a picture, each a little further from it: ``(B, C, S, S)`` to ``(B, T, C, S, S)`` in [-1, 1].

    Frame 0 is the picture. Frame t has, by ``motion``,

    - ``noise``: normal noise of standard deviation 0.01 t of the range, cut off at its ends; the same for all pictures
      of a call, new at every call in training, always the same in evaluation;
    - ``shift``: moved to the right by 0.4 % t of the width, the border repeated;
    - ``zoom``: enlarged by 0.8 % t.
    """

    noise: Tensor
    time: Tensor

    def __init__(self, num_frames: int, image_channels: int, image_size: int, motion: Motion | None) -> None:
        super().__init__()
        if num_frames < 1:
            raise InputError(f"num_frames is {num_frames}: give a whole number of at least 1")
        self.num_frames = num_frames
        self.motion: Motion = effective("motion", motion, "noise", num_frames > 1, "num_frames above 1")
        if self.motion == "noise":
            generator = torch.Generator().manual_seed(derive_seed("synthetic video"))
            noise = torch.randn(num_frames, image_channels, image_size, image_size, generator=generator)
            self.register_buffer("noise", noise, persistent=False)
        self.register_buffer("time", torch.arange(num_frames).view(-1, 1, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Make the video."""
        if self.motion == "noise":
            noise = torch.randn_like(self.noise) if self.training else self.noise
            return (images[:, None] + 0.02 * self.time * noise).clamp(-1, 1)  # (B, T, C, S, S)
        moved = torch.eye(2, 3, device=images.device).repeat(self.num_frames, 1, 1)  # (T, 2, 3)
        if self.motion == "shift":
            moved[:, 0, 2] = -0.008 * self.time.flatten()  # the grid spans two units
        else:
            moved[:, :, :2] /= 1 + 0.008 * self.time.view(-1, 1, 1)
        # all pictures move alike: as channels of one
        stacked = images.float().flatten(0, 1).expand(self.num_frames, -1, -1, -1)  # (T, B C, S, S)
        with torch.autocast(images.device.type, enabled=False):  # bfloat16 rounds places of 256 by a quarter pixel
            grid = F.affine_grid(moved, [self.num_frames, 1, *images.shape[-2:]], align_corners=False)  # (T, S, S, 2)
            frames = F.grid_sample(stacked, grid, padding_mode="border", align_corners=False)  # (T, B C, S, S)
        return frames.to(images.dtype).unflatten(1, images.shape[:2]).transpose(0, 1)  # (B, T, C, S, S)


class ParamTanh(nn.Module):
    """``tanh(alpha x)`` with a steepness alpha for every pixel, which a CNN reads off a synthetic video of x.

    A form of Dynamic Tanh (Zhu et al. 2025, arXiv 2503.10622), whose one alpha is a parameter. The CNN: conv k3 p1 to 2
    filters, ReLU, max-pool 2, conv k3 p1 to 4, ReLU, max-pool 2. Its head: ``linear``, from all of that to every pixel;
    or ``conv`` k3 p1 to one map that is enlarged bilinearly. The head's last layer starts at zero, so that alpha is
    ``alpha_start`` everywhere. Alpha has no bounds: what is to be white needs one well above 1, as tanh(1) is 0.76.

    Args:
        num_frames: T, frames of the synthetic video.
        image_channels: C.
        image_size: S, a multiple of 4.
        head: of the CNN.
        alpha_start: alpha before training; the default is closest to the identity.
        motion: of the synthetic video, where it has more than one frame; None: noise.
    """

    def __init__(
        self,
        num_frames: int = 16,
        image_channels: int = 3,
        image_size: int = 128,
        head: AlphaHead = "conv",
        alpha_start: float = NEAR_IDENTITY,
        motion: Motion | None = None,
    ) -> None:
        super().__init__()
        self.alpha_start = alpha_start
        self.video = SyntheticVideo(num_frames, image_channels, image_size, motion)
        self.cnn = nn.Sequential(
            nn.Conv2d(num_frames * image_channels, 2, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Conv2d(2, 4, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
        )
        last: nn.Linear | nn.Conv2d
        if head == "linear":
            last = nn.Linear(4 * (image_size // 4) ** 2, image_size**2)
            self.head = nn.Sequential(nn.Flatten(), last, nn.Unflatten(1, (1, image_size, image_size)))
        else:
            last = nn.Conv2d(4, 1, 3, padding=1)
            self.head = nn.Sequential(last, nn.Upsample(scale_factor=4, mode="bilinear"))
        nn.init.zeros_(last.weight)
        assert last.bias is not None
        nn.init.zeros_(last.bias)

    def alpha(self, video: Tensor) -> Tensor:
        """Return the steepness ``(B, 1, S, S)`` for a video ``(B, T, C, S, S)``."""
        features = self.cnn(video.flatten(1, 2))  # (B, T C, S, S) -> (B, 4, S/4, S/4)
        return self.alpha_start + self.head(features)  # (B, 1, S, S)

    def forward(self, images: Tensor) -> Tensor:
        """Return pictures ``(B, C, S, S)`` in (-1, 1) of pictures in [-1, 1]."""
        return torch.tanh(self.alpha(self.video(images)) * images)

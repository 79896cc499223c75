"""The generator: two U-Nets, one per frequency band, coupled by learned channel selection.

After OCR-GAN (Liang et al., "Omni-frequency channel-selection representations for unsupervised anomaly
detection", IEEE TIP 2023). In the released code the selection's layers were made anew in every forward
pass, thus random and never trained; here they are registered and trained.
"""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from datamodules.errors import InputError
from lightning_models.vta_gan.layers import DoublingConv2d, HalvingConv2d, init_gan_weights

ChannelSelectionMode = Literal["learned", "off"]


class ChannelSelection(nn.Module):
    """Let the two branches compete for every channel.

    What both branches see on average decides, channel by channel, how much of each branch passes: the two
    weights of a channel are in (0, 1) and add up to one.

    Args:
        channels: Channels C of each branch.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        squeezed = max(channels // 2, 32)
        self.squeeze = nn.Linear(channels, squeezed)
        self.excite_lap = nn.Linear(squeezed, channels)
        self.excite_res = nn.Linear(squeezed, channels)

    def forward(self, lap: Tensor, res: Tensor) -> tuple[Tensor, Tensor]:
        """Weigh two ``(N, C, H, W)`` maps; the result has the same shapes."""
        pooled = (lap + res).mean(dim=(2, 3))  # (N, C)
        code = self.squeeze(pooled)  # (N, max(C / 2, 32))
        scores = torch.stack((self.excite_lap(code), self.excite_res(code)))  # (2, N, C)
        weights = scores.float().softmax(dim=0).to(lap.dtype)[..., None, None]  # (2, N, C, 1, 1)
        return lap * weights[0], res * weights[1]  # (N, C, H, W) each


class _Branch(nn.Module):
    """Layers of one U-Net. The generator drives two of them in step: they exchange data at every level."""

    def __init__(self, channels: list[int]) -> None:
        super().__init__()
        depth = len(channels) - 1
        self.down = nn.ModuleList()
        self.up = nn.ModuleList()
        for level in range(depth):
            outer, inner = channels[level], channels[level + 1]
            down: list[nn.Module] = [HalvingConv2d(outer, inner)]
            if 0 < level < depth - 1:
                down.append(nn.BatchNorm2d(inner))
            self.down.append(nn.Sequential(*down))
            # Below the innermost level there is no skip to concatenate.
            entering = inner if level == depth - 1 else 2 * inner
            up: list[nn.Module] = [DoublingConv2d(entering, outer, bias=level == 0)]
            up.append(nn.Tanh() if level == 0 else nn.BatchNorm2d(outer))
            self.up.append(nn.Sequential(*up))

    def decode(self, skips: list[Tensor]) -> Tensor:
        """Decode the encoder's maps ``(N, C_l, H / 2^(l+1), W / 2^(l+1))``, outermost first: ``(N, 3, H, W)``."""
        x = skips[-1].relu()  # (N, C_l, H / 2^(l+1), W / 2^(l+1)) of the innermost level l = L - 1
        for level in range(len(skips) - 1, 0, -1):
            x = self.up[level](x)  # (N, C_(l-1), H / 2^l, W / 2^l)
            # The relu of a leaky relu is the relu of what entered it: the encoder's maps can be used as
            # they are. One for both, in place, halves the time and the memory.
            x = torch.cat((skips[level - 1], x), dim=1).relu_()  # (N, 2 C_(l-1), H / 2^l, W / 2^l)
        return self.up[0](x)  # (N, 3, H, W)


class Generator(nn.Module):
    """Reconstruct the two bands of frames that look like the training data.

    Level l halves the size and has ``ngf * min(2**l, 8)`` channels: 64, 128, 256, 512, 512, 512 by default.
    Down: LeakyReLU 0.2, convolution k4 s2 p1, BatchNorm; up: ReLU, transposed convolution k4 s2 p1, BatchNorm;
    skips are concatenated; tanh at the end. At ngf 64 and depth 6: 58,488,070 parameters without channel selection,
    and 1,313,632 in it.

    The outputs are in [-1, 1] each, like the bands of a picture in [-1, 1]; only lone pixels of full
    contrast have more detail than that, and they cannot be reproduced wholly.

    Args:
        ngf: Channels of the outermost level.
        depth: Number of halvings. H and W must be multiples of ``2**depth``.
        channel_selection: ``"learned"``, or ``"off"`` for two U-Nets that know nothing of each other.
        noise_std: Standard deviation of the Gaussian noise added to the input, in units of the picture's
            range [-1, 1]: the same noise on both bands, in training mode only. 0 is none.
    """

    def __init__(
        self,
        ngf: int = 64,
        depth: int = 6,
        channel_selection: ChannelSelectionMode = "learned",
        noise_std: float = 0.1,
    ) -> None:
        super().__init__()
        if ngf < 1 or depth < 2:
            raise InputError(f"the generator needs ngf >= 1 and depth >= 2, not ngf={ngf}, depth={depth}")
        if noise_std < 0:
            raise InputError(f"noise_std is a standard deviation and cannot be {noise_std}: give 0 or more")
        channels = [3] + [ngf * min(2**level, 8) for level in range(depth)]
        self.stride = 2**depth
        self.noise_std = noise_std
        self.lap = _Branch(channels)
        self.res = _Branch(channels)
        self.selection = (
            nn.ModuleList(ChannelSelection(width) for width in channels[1:]) if channel_selection == "learned" else None
        )
        init_gan_weights(self)

    def check_size(self, key: str, height: int, width: int) -> None:
        """Refuse frames of a size, set by a key, that cannot be halved ``depth`` times.

        Raises:
            InputError: If height or width is not a multiple of ``2**depth``.
        """
        if height % self.stride or width % self.stride:
            raise InputError(
                f"{key}: the generator halves frames {self.stride.bit_length() - 1} times, so height and "
                f"width must be multiples of {self.stride}, not {height}x{width}"
            )

    def forward(self, lap: Tensor, res: Tensor) -> tuple[Tensor, Tensor]:
        """Reconstruct both bands.

        Args:
            lap: ``(N, 3, H, W)``, high band of N frames, about [-1, 1].
            res: ``(N, 3, H, W)``, low band, about [-1, 1].

        Returns:
            ``(fake_lap, fake_res)``, each ``(N, 3, H, W)`` in [-1, 1]; their sum is the reconstructed frame.

        Raises:
            InputError: If H or W is not a multiple of ``2**depth``.
        """
        self.check_size("data.image_size", *lap.shape[-2:])
        if self.training and self.noise_std > 0:
            noise = torch.randn_like(lap) * self.noise_std
            lap, res = lap + noise, res + noise

        skips: tuple[list[Tensor], list[Tensor]] = ([], [])
        for level, (down_lap, down_res) in enumerate(zip(self.lap.down, self.res.down, strict=True)):
            lap, res = down_lap(lap), down_res(res)  # (N, C_l, H / 2^(l+1), W / 2^(l+1)) each
            if self.selection is not None:
                lap, res = self.selection[level](lap, res)  # the same
            if level < len(self.lap.down) - 1:
                lap, res = F.leaky_relu(lap, 0.2), F.leaky_relu(res, 0.2)
            skips[0].append(lap)
            skips[1].append(res)
        return self.lap.decode(skips[0]), self.res.decode(skips[1])  # (N, 3, H, W) each

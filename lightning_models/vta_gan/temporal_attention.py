"""Temporal attention fusion: one feature map for a clip, attended over its frames.

The seed's module: a small encoder makes one token of each frame, the tokens attend to each other, and their
mean becomes a picture of what the clip has in common. The caller adds it to every frame's bands with factor
0.1.
"""

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from datamodules.errors import InputError

PositionalEncoding = Literal["learned", "sinusoidal"]


class TemporalFeatureFusion(nn.Module):
    """Turn the frames of a clip into one map that is added to each of them.

    With the defaults: three convolutions (k3 s2 p1, ReLU) 3-32-64-128, 93,248 parameters; average pooling to
    4 x 4, hence tokens of 2048; four heads of 512, 16,785,408; LayerNorm; a linear layer to 3 x 64 x 64,
    25,178,112. The map is made at ``base_size`` and resized, so that the parameters do not depend on the
    frame's size (the linear layer alone would take 403 M at 256 x 256).

    Args:
        num_frames: Longest clip T that the positional encoding covers.
        base_size: Height and width of the map before it is resized.
        pool: Height and width of the pooled encoder map.
        channels: Channels of the encoder's convolutions.
        heads: Attention heads; must divide the token's width.
        dropout: Probability, within the attention and on its result.
        positional: ``"learned"`` (N(0, 0.02) at first), or ``"sinusoidal"`` (fixed; Vaswani et al. 2017,
            sec. 3.5).
        token_width: Width of the tokens. None is the pooled encoder map itself (2048 by default); a smaller
            width is reached by a linear projection and makes a small model: 256 needs 4.0 M parameters in
            place of 42 M.
    """

    positions: Tensor

    def __init__(
        self,
        num_frames: int = 8,
        base_size: int = 64,
        pool: int = 4,
        channels: tuple[int, int, int] = (32, 64, 128),
        heads: int = 4,
        dropout: float = 0.1,
        positional: PositionalEncoding = "learned",
        token_width: int | None = None,
    ) -> None:
        super().__init__()
        if num_frames < 1:
            raise InputError(f"num_frames must be at least 1, not {num_frames}")
        pooled_width = channels[-1] * pool * pool
        width = pooled_width if token_width is None else token_width
        if width % heads:
            raise InputError(f"token_width is {width}: give a multiple of {heads}, the number of attention heads")
        if positional == "sinusoidal" and width % 2:
            raise InputError(f"token_width is {width}: sinusoidal positions need an even one")
        self.num_frames = num_frames
        self.base_size = base_size

        layers: list[nn.Module] = []
        for entering, leaving in zip((3, *channels[:-1]), channels, strict=True):
            layers += [nn.Conv2d(entering, leaving, 3, 2, 1), nn.ReLU()]
        self.encoder = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(pool), nn.Flatten())
        self.project = nn.Identity() if token_width is None else nn.Linear(pooled_width, width)
        if positional == "learned":
            self.positions = nn.Parameter(0.02 * torch.randn(num_frames, width))
        else:
            self.register_buffer("positions", sinusoidal_positions(num_frames, width), persistent=False)
        self.attention = nn.MultiheadAttention(width, heads, dropout=dropout, batch_first=True)
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)
        self.to_map = nn.Linear(width, 3 * base_size * base_size)

    def forward(self, frames: Tensor) -> Tensor:
        """Summarise clips.

        Args:
            frames: ``(B, T, 3, H, W)``, lap + res, about [-1, 1]; any H and W, T at most ``num_frames``.

        Returns:
            ``(B, 3, H, W)``, unbounded, of order one.

        Raises:
            InputError: If the clip is longer than ``num_frames``.
        """
        batch, _, _, height, width = frames.shape
        tokens = self._tokens(frames)
        attended, _ = self.attention(tokens, tokens, tokens, need_weights=False)  # (B, T, D)
        tokens = self.norm(tokens + self.dropout(attended))  # (B, T, D)
        base = self.to_map(tokens.mean(dim=1)).view(batch, 3, self.base_size, self.base_size)  # (B, 3, 64, 64)
        if (height, width) == (self.base_size, self.base_size):
            return base
        return F.interpolate(base, size=(height, width), mode="bilinear", align_corners=False)  # (B, 3, H, W)

    def weights(self, frames: Tensor) -> Tensor:
        """Return how much each frame attends to each, ``(B, T, T)``: the mean of the heads, each row with the sum 1."""
        tokens = self._tokens(frames)
        _, weights = self.attention(tokens, tokens, tokens, need_weights=True)
        return weights

    def _tokens(self, frames: Tensor) -> Tensor:
        batch, length = frames.shape[:2]
        if length > self.num_frames:
            raise InputError(
                f"temporal attention was built for {self.num_frames} frames and got {length}: "
                "raise num_frames or shorten the windows"
            )
        tokens = self.project(self.encoder(frames.flatten(0, 1)))  # (B T, D), D = 2048 by default
        return tokens.reshape(batch, length, -1) + self.positions[:length]  # (B, T, D)


def sinusoidal_positions(length: int, width: int) -> Tensor:
    """Sines (even channels) and cosines (odd ones) of the positions, ``(length, width)``; width even."""
    frequency = torch.exp(torch.arange(0, width, 2) * (-math.log(10_000.0) / width))
    angle = torch.arange(length)[:, None] * frequency
    return torch.stack((angle.sin(), angle.cos()), dim=-1).flatten(1)

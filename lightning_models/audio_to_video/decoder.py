"""The frame decoder: a frame from every feature vector; where they are many, chunk by chunk, in less memory.

BatchNorm is what makes this more than a loop: in training each frame is normalised by the statistics of all of them,
which are not known before the last chunk is through. So chunks go through the network stage by stage, as follows.

- A convolution's output, before the activation, is all that a stage keeps for the backward pass.
- The statistics of the activated maps are computed chunk by chunk and put together exactly (Chan et al. 1979).
- With these BatchNorm is one factor and one summand a channel, which the next stage applies, activation and all, to
  one chunk at a time. Both are computed again in the backward pass, the convolution is not.

Output, gradients and running statistics are those of the plain network on all frames at once. The running statistics
are updated where nothing is computed twice: once a step.
"""

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from datamodules.errors import InputError
from lightning_models.precision import at_least_float32

Result = TypeVar("Result")

SEED = 8  # edge of the map that frames grow from


class FrameDecoder(nn.Module):
    """A linear layer to 8x8, then transposed convolutions that double the edge, with GELU and BatchNorm between.

    Args:
        width: length of a feature vector, and channels of the 8x8 map; every doubling halves them.
        image_size: edge of a frame in pixels, 8 times a power of two.
        chunk: up to so many frames go through at once, by the shortest way; more go through in chunks of that size,
            which takes about half the memory and a fifth more time.

    Raises:
        InputError: for an edge that doubling does not reach.
    """

    def __init__(self, width: int = 256, image_size: int = 128, chunk: int = 128) -> None:
        super().__init__()
        doublings = (image_size // SEED).bit_length() - 1
        if doublings < 1 or image_size != SEED << doublings:
            raise InputError(
                f"model.image_size: is {image_size}; frames grow from 8x8 by doubling: give 16, 32, 64, 128, 256, ..."
            )
        if width % (1 << (doublings - 1)):
            raise InputError(
                f"model.network.width: {width} cannot be halved {doublings - 1} times, once for every doubling up to "
                f"{image_size} pixels but the last: give a multiple of {1 << (doublings - 1)}"
            )
        if chunk < 1:
            raise InputError(f"model.network.chunk: is {chunk}; decode at least 1 frame at a time")
        channels = [width >> level for level in range(doublings)]
        self.chunk = chunk
        self.seed = nn.Linear(width, width * SEED * SEED)
        self.doublings = nn.ModuleList(
            nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1)
            for inputs, outputs in zip(channels, [*channels[1:], 3], strict=True)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(outputs) for outputs in channels[1:])

    def forward(self, features: Tensor) -> Tensor:
        """Decode ``(N, width)`` to frames ``(N, 3, image_size, image_size)`` in [0, 1]."""
        if not self.training and torch.compiler.is_compiling():  # a graph that is exported takes any number of frames
            return self._decode_alone(features)
        chunks = features.split(self.chunk)  # (n, width) each
        if not self.training or len(chunks) == 1:
            return torch.cat([self._decode_alone(chunk) for chunk in chunks])
        maps = [self.doublings[0](self._seed(chunk)) for chunk in chunks]  # (n, width / 2, 16, 16) each
        for norm, double in zip(self.norms, list(self.doublings)[1:], strict=True):
            factor, summand = _fold(norm, maps)  # (C, 1, 1) each
            maps = [_recomputed(_double, double, chunk, factor, summand) for chunk in maps]  # (n, C / 2, 2H, 2W) each
        return torch.cat(maps).sigmoid_()  # in place, while the chunks still take as much again

    def _decode_alone(self, features: Tensor) -> Tensor:
        """Decode frames that are not normalised together with those of other chunks."""
        seed = self._seed(features)
        if not self.training and seed.device.type == "cpu" and not torch.compiler.is_compiling():
            seed = seed.contiguous(memory_format=torch.channels_last)  # a fifth faster on a processor
        maps = self.doublings[0](seed)  # (n, width / 2, 16, 16)
        for norm, double in zip(self.norms, list(self.doublings)[1:], strict=True):
            maps = double(norm(F.gelu(maps)))  # (n, C / 2, 2H, 2W); 3 channels at last
        frames: Tensor = maps.sigmoid()
        return frames

    def _seed(self, features: Tensor) -> Tensor:
        seed: Tensor = self.seed(features)  # (n, 64 width)
        return seed.unflatten(1, (-1, SEED, SEED))  # (n, width, 8, 8)


def _double(double: nn.Module, maps: Tensor, factor: Tensor, summand: Tensor) -> Tensor:
    doubled: Tensor = double(torch.addcmul(summand, F.gelu(maps), factor))
    return doubled


def _fold(norm: nn.Module, chunks: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Return BatchNorm over the activated maps of all chunks as factor and summand, and note the statistics."""
    if not isinstance(norm, nn.BatchNorm2d):
        raise InputError(
            "trainer.sync_batchnorm is true, but frames decoded in chunks are normalised within each process: "
            "set it to false, or model.network.chunk to the frames of a whole batch"
        )
    counts = [chunk[:, 0].numel() for chunk in chunks]
    moments = torch.stack([torch.stack(_recomputed(_moments, chunk)) for chunk in chunks])  # (chunks, 2, channels)
    share = moments.new_tensor(counts)[:, None] / sum(counts)  # (chunks, 1)
    variances, means = moments.unbind(1)
    mean = (share * means).sum(0)  # (channels,)
    variance = (share * (variances + (means - mean).square())).sum(0)
    if norm.running_mean is not None and norm.running_var is not None and norm.num_batches_tracked is not None:
        with torch.no_grad():
            unbiased = variance * (sum(counts) / max(sum(counts) - 1, 1))
            norm.running_mean.lerp_(mean, norm.momentum or 0.0)
            norm.running_var.lerp_(unbiased, norm.momentum or 0.0)
            norm.num_batches_tracked += 1
    factor = norm.weight * (variance + norm.eps).rsqrt()
    return factor[:, None, None], (norm.bias - mean * factor)[:, None, None]


def _moments(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Return variance and mean of every channel of the activated maps, in float32."""
    activated = F.gelu(maps)
    variance, mean = torch.var_mean(at_least_float32(activated), (0, 2, 3), correction=0)
    return variance, mean


def _recomputed(function: Callable[..., Result], *arguments: object) -> Result:
    result: Result = checkpoint(function, *arguments, use_reentrant=False, preserve_rng_state=False)
    return result

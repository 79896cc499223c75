"""Feature extractors: the networks in whose features FID and KID are measured."""

from pathlib import Path
from typing import ClassVar

import torch
import torch.nn.functional as F
from lightning.pytorch.utilities import rank_zero_info
from torch import Tensor, nn
from torchmetrics.image.fid import NoTrainInceptionV3

from datamodules.errors import InputError
from datamodules.weights_file import read_checkpoint

INCEPTION_FILE = "weights-inception-2015-12-05-6726825d.pth"
"""The Inception network of all published FIDs, as the package torch-fidelity names and loads it."""


class FeatureExtractor(nn.Module):
    """A fixed network ``(B, C, H, W) -> (B, num_features)``; pictures float32 in [0, 1], C 1 (grey) or 3 (RGB).

    Attributes:
        name: what stands behind ``fid_`` and ``kid_`` in the metrics, so that no two kinds are mixed up.
        num_features: number of features of a picture. With fewer pictures than features the covariance is
            singular and FID far too large.
    """

    name: ClassVar[str]
    num_features: ClassVar[int]


class RandomConvFeatures(FeatureExtractor):
    """A convolutional network with fixed random weights: needs no download and knows no kind of picture.

    Random networks keep enough of a picture to compare sets of them (Naeem et al. 2020, "Reliable Fidelity and
    Diversity Metrics for Generative Models", who use 64 features of a random VGG). The picture is brought to
    64 x 64, three convolutions halve it to 128 x 8 x 8, a random projection makes 64 features of them: few
    enough for a validation split of some hundred pictures. The numbers compare with each other only, never with
    those of Inception.
    """

    name = "random_conv"
    num_features = 64
    _SIZE, _CHANNELS, _SLOPE = 64, (3, 32, 64, 128), 0.2

    def __init__(self) -> None:
        super().__init__()
        random = torch.Generator().manual_seed(0)  # on the CPU, hence the same on every device
        for stage, (before, after) in enumerate(zip(self._CHANNELS, self._CHANNELS[1:], strict=False)):
            weight = torch.randn(after, before, 4, 4, generator=random)
            gain = (2 / (1 + self._SLOPE**2)) ** 0.5  # He et al. 2015: every layer keeps the signal's size
            self.register_buffer(f"weight_{stage}", weight * gain / (before * 16) ** 0.5)
        grid = self._CHANNELS[-1] * (self._SIZE // 2 ** (len(self._CHANNELS) - 1)) ** 2
        self.register_buffer("projection", torch.randn(grid, self.num_features, generator=random) / grid**0.5)

    def forward(self, images: Tensor) -> Tensor:
        """Return float32 ``(B, 64)``; a picture of middle grey has the features 0."""
        images = _rgb(images.float())
        features = F.interpolate(images, (self._SIZE, self._SIZE), mode="bilinear", antialias=True) * 2 - 1
        for stage in range(len(self._CHANNELS) - 1):
            weight = self.get_buffer(f"weight_{stage}")
            features = F.leaky_relu(F.conv2d(features, weight, stride=2, padding=1), self._SLOPE)
        return features.flatten(1) @ self.get_buffer("projection")


class InceptionFeatures(FeatureExtractor):
    """The 2048 features of Inception v3 that published FIDs are measured in; nothing is ever downloaded.

    Args:
        weights: file of the weights; None looks where torch keeps downloaded ones.

    Raises:
        InputError: if the file is missing, or holds code.
    """

    name = "inception"
    num_features = 2048

    def __init__(self, weights: str | None = None) -> None:
        super().__init__()
        path = _inception_file(weights)
        if weights is not None and not path.is_file():
            raise InputError(
                f"ImageMetrics: inception_weights is {weights}: there is no such file; correct or leave it out"
            )
        if not path.is_file():
            raise InputError(
                f"ImageMetrics: the weights of Inception are not at {path}. Put {INCEPTION_FILE} of the package "
                "torch-fidelity there, name it by inception_weights, or leave 'inception' out of features"
            )
        read_checkpoint(path, mmap=True)  # refuses a file that holds code, which the next line would run
        self.network = NoTrainInceptionV3("inception-v3-compat", [str(self.num_features)], str(path))

    def forward(self, images: Tensor) -> Tensor:
        """Return float32 ``(B, 2048)``; the network takes RGB bytes and brings them to its own size."""
        return self.network((_rgb(images.float()) * 255).round().byte())


def find_extractors(weights: str | None = None) -> list[str]:
    """Return the names of those that can be used, ``random_conv`` first; Inception where its weights are.

    Weights that are named are taken at their word: where they are missing, :class:`InceptionFeatures` says so.
    """
    if weights:
        return ["random_conv", "inception"]
    path, found = _inception_file(None), "ImageMetrics: FID and KID by random_conv"
    if not path.is_file():
        rank_zero_info(f"{found}. Inception is left out: its weights are not at {path}.")
        return ["random_conv"]
    rank_zero_info(f"{found}, and by Inception, whose weights are there.")
    return ["random_conv", "inception"]


def make_extractor(name: str, inception_weights: str | None = None) -> FeatureExtractor:
    """Return the extractor of that name in evaluation mode, without gradients."""
    made: FeatureExtractor = InceptionFeatures(inception_weights) if name == "inception" else RandomConvFeatures()
    return made.requires_grad_(False).eval()


def _inception_file(weights: str | None) -> Path:
    return Path(weights) if weights else Path(torch.hub.get_dir()) / "checkpoints" / INCEPTION_FILE


def _rgb(images: Tensor) -> Tensor:
    return images.expand(-1, 3, -1, -1)

"""FID, KID, precision and recall between a set of pictures and a set of samples, and how diverse a set is."""

import torch
from torch import Tensor, nn
from torch_fidelity.metric_prc import calculate_precision_recall_full
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import poly_mmd

MOST = 5000
"""Of larger sets, this many rows at equal distances stand for all where the cost grows with their square."""

NEIGHBOURS = 3
"""A picture's neighbourhood reaches to the third nearest of its own set; the paper's number."""

AT_ONCE = 2**16
"""Rows whose products FID adds up in one step, in float64 beside the float32 in which they are kept."""


class _AsTheyAre(nn.Module):
    """Hands over features that were extracted before, batch by batch, while the pictures were there."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features

    def forward(self, features: Tensor) -> Tensor:
        return features


def frechet_distance(real: Tensor, fake: Tensor) -> float:
    """Return FID (Heusel et al. 2017) of two sets of features ``(N, F)``, in float64; at least two rows each.

    It is 0 for equal sets, and biased: the fewer rows, the larger. Compare only numbers of the same N.
    """
    metric = FrechetInceptionDistance(feature=_AsTheyAre(real.shape[1]), sync_on_compute=False)
    for rows, is_real in ((real, True), (fake, False)):
        for part in rows.split(AT_ONCE):
            metric.update(part.double(), real=is_real)
    return float(metric.compute())


def kernel_distance(real: Tensor, fake: Tensor) -> float:
    """Return KID (Bińkowski et al. 2018) of two ``(N, F)``, in float64: the unbiased squared MMD, kernel (x'y/F + 1)^3.

    Equal distributions have 0 on average, hence sometimes less.
    """
    size = min(len(real), len(fake), MOST)
    return float(poly_mmd(_at_most(real, size).double(), _at_most(fake, size).double()))


def precision_and_recall(real: Tensor, fake: Tensor) -> tuple[float, float]:
    """Return improved precision and recall (Kynkäänniemi et al. 2019, arXiv 1904.06991) of two ``(N, F)``, N above 3.

    Precision is the share of samples that lie in the neighbourhood of a picture, recall the share of pictures that lie
    in that of a sample; both from 0 to 1. Compare only numbers of the same extractor.
    """
    size = min(len(real), len(fake), MOST)
    pictures, samples = _at_most(real, size).double(), _at_most(fake, size).double()
    precision, recall = calculate_precision_recall_full(samples, pictures, NEIGHBOURS)
    return float(precision), float(recall)


def _at_most(rows: Tensor, count: int) -> Tensor:
    return rows[torch.linspace(0, len(rows) - 1, min(len(rows), count), dtype=torch.float64).round().long()]


class Spread:
    """How far apart the pictures of a set are, from sums alone.

    Attributes:
        count: number of pictures.
        total: float64 ``(C, H, W)``, their sum.
        power: float64, sum of their mean squares.
    """

    def __init__(self) -> None:
        self.count = 0
        self.total = torch.zeros((), dtype=torch.float64)
        self.power = 0.0

    def add(self, images: Tensor) -> None:
        """Take in pictures ``(B, C, H, W)``."""
        images = images.detach().double()
        self.count += len(images)
        self.total = self.total + images.sum(0).cpu()
        self.power += float(images.square().flatten(1).mean(1).sum())

    def __add__(self, other: "Spread") -> "Spread":
        both = Spread()
        both.count = self.count + other.count
        both.total = self.total + other.total
        both.power = self.power + other.power
        return both

    @property
    def mean(self) -> Tensor:
        """The mean picture, float64 ``(C, H, W)``."""
        return self.total / self.count

    @property
    def variance(self) -> float:
        """Mean square difference of a picture and the mean picture, per pixel."""
        return max(self.power / self.count - float(self.mean.square().mean()), 0.0)  # rounding may leave -1e-17

    @property
    def pairwise_distance(self) -> float:
        """Root mean square difference of two different pictures, per pixel; needs two.

        Over all pairs the squared distances add up to twice the variance: no pair has to be formed.
        """
        return (2 * self.variance * self.count / (self.count - 1)) ** 0.5

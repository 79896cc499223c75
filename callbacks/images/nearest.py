"""The training picture that lies nearest to a sample: whoever has learned pictures by heart draws them again."""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

from callbacks.images.sheets import colour, grid
from callbacks.picture_file import Picture
from datamodules.batches import ImageBatch
from datamodules.gathering import gather_objects

_SIZE = 32  # pixels that pictures are compared at: shape, place and light, without grain
PIXELS = "pixels"
"""What the pixels are called that pictures are compared by, among their features."""

SHOWN = 32
"""Samples beside which the nearest training picture is shown: the first ones."""


def small(images: Tensor) -> Tensor:
    """Return what pictures ``(B, C, H, W)`` in [0, 1] are compared by: 32 x 32 pixels, float32 ``(B, 1024 C)``."""
    shrunk = F.interpolate(images.float(), (_SIZE, _SIZE), mode="bilinear", antialias=True)
    return shrunk.flatten(1).cpu()


class Nearest:
    """Keeps, while training pictures pass, the smallest distance to each of N pictures, and the nearest of the first.

    Args:
        pictures: float32 ``(N, 1024 C)``, as ``small`` makes them.
        kept: how many of the first ones the nearest picture is kept of.

    Attributes:
        distance: ``(N,)``, root mean square difference of the pixels; infinite before anything has passed.
        nearest: uint8 ``(C, H, W)`` by the number of the picture.
    """

    def __init__(self, pictures: Tensor, kept: int = 0) -> None:
        self._pictures, self._kept = pictures, kept
        self.distance = torch.full((len(pictures),), torch.inf)
        self.nearest: dict[int, Tensor] = {}

    def look(self, images: Tensor) -> None:
        """Compare with training pictures, uint8 ``(B, C, H, W)``."""
        passing = small(images / 255)
        least, rows = (torch.cdist(self._pictures, passing) / passing.shape[1] ** 0.5).min(1)
        nearer = least < self.distance
        self.distance = torch.where(nearer, least, self.distance)
        for number in nearer[: self._kept].nonzero().flatten().tolist():
            self.nearest[number] = images[rows[number]].cpu().clone()

    def joined(self) -> "Nearest":
        """Return what the processes have found together, the same on each; all must call it."""
        whole = Nearest(self._pictures, self._kept)
        for distance, nearest in gather_objects((self.distance, self.nearest)):
            nearer = distance < whole.distance
            whole.distance = torch.where(nearer, distance, whole.distance)
            whole.nearest |= {number: one for number, one in nearest.items() if nearer[number]}
        return whole


class SampleNovelty:
    """Compares samples with the training pictures, and held-out pictures with them likewise.

    Args:
        samples: N samples as ``small`` makes them.
        held_out: as many pictures that nothing was learned from.
        first: the first samples ``(M, C, H, W)`` in [0, 1], which are shown.
    """

    def __init__(self, samples: Tensor, held_out: Tensor, first: Tensor) -> None:
        self._samples, self._held_out = Nearest(samples, len(first)), Nearest(held_out)
        self._first = first

    def compare(self, training: Iterable[ImageBatch], rank: int = 0, processes: int = 1) -> None:
        """Go through the training pictures, shared among the processes; all must call it."""
        for number, batch in enumerate(training):
            if number % processes == rank:
                self._samples.look(batch.images)
                self._held_out.look(batch.images)
        self._samples, self._held_out = self._samples.joined(), self._held_out.joined()

    @property
    def novelty(self) -> float | None:
        """Median distance of a sample from its nearest training picture, of a held-out picture's 1.

        None where there were no training pictures, or the held-out pictures are some of them.
        """
        usual = float(self._held_out.distance.median())
        return float(self._samples.distance.median()) / usual if 0 < usual < torch.inf else None

    def sheet(self) -> Picture | None:
        """Return the first samples, below each its nearest training picture; None without training pictures."""
        if not self._samples.nearest:
            return None
        nearest = torch.stack([self._samples.nearest[number] for number in range(len(self._first))]) / 255
        return grid({"sample": colour(self._first), "nearest training picture": colour(nearest)})

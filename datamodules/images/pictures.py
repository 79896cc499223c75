"""Datasets of cached pictures, which hand out whole batches."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from datamodules.arrays import mapped
from datamodules.batches import ImageBatch
from datamodules.images.augmentation import mirror, zoom_in
from datamodules.images.picture_cache import CachedPictures
from datamodules.images.picture_layouts import Picture


class Pictures(Dataset[ImageBatch]):
    """Cached pictures in a fixed order; whole batches are read at once."""

    def __init__(self, pictures: Sequence[Picture], cached: CachedPictures) -> None:
        self._path = cached.path
        self._names = [picture.name for picture in pictures]
        self._rows = np.array([cached.row[name] for name in self._names])
        self._labels = torch.tensor([picture.label for picture in pictures])

    def __len__(self) -> int:
        return len(self._names)

    def __getitems__(self, indices: Sequence[int]) -> ImageBatch:
        """Read a batch, for the ``DataLoader``."""
        chosen = np.asarray(indices)  # no tensor: as an index, numpy takes one of a single element for a number
        return ImageBatch(
            images=torch.from_numpy(np.asarray(mapped(self._path)[self._rows[chosen]])),
            name=[self._names[index] for index in indices],
            label=self._labels[chosen],
            index=torch.from_numpy(chosen),
        )


class TrainingPictures(Dataset[ImageBatch]):
    """Pictures as they are changed at random in an epoch.

    Args:
        pictures: as they are.
        flip: whether half of them are mirrored left to right.
        zoom: largest share of its edges that a picture loses to a random crop.
        seed: of the run.
    """

    def __init__(self, pictures: Pictures, flip: bool, zoom: float, seed: int) -> None:
        self._pictures = pictures
        self._flip, self._zoom, self._seed = flip, zoom, seed

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitems__(self, keys: Sequence[tuple[int, int]]) -> ImageBatch:
        """Read a batch by ``(epoch, index)``, as ``EpochSampler`` hands them out."""
        batch = self._pictures.__getitems__([index for _, index in keys])
        if self._flip:
            batch.images = mirror(batch.images, keys, self._seed)
        if self._zoom:
            batch.images = zoom_in(batch.images, keys, self._zoom, self._seed)
        return batch


def as_it_is(batch: Any) -> Any:
    """Collate what is a batch already."""
    return batch

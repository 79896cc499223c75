"""Random changes of training pictures; each is a function of (seed, epoch, index) alone."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional

from datamodules.seeding import derive_seed

Key = tuple[int, int]
"""Epoch, and index of the picture in its dataset."""


def mirror(images: Tensor, keys: Sequence[Key], seed: int) -> Tensor:
    """Mirror half of the pictures ``(B, C, H, W)`` left to right."""
    chosen = torch.tensor([derive_seed(seed, "flip", *key) % 2 == 1 for key in keys])
    return torch.where(chosen[:, None, None, None], functional.horizontal_flip(images), images)


def zoom_in(images: Tensor, keys: Sequence[Key], most: float, seed: int) -> Tensor:
    """Cut a part of the same shape out of every picture ``(B, C, H, W)``, and enlarge it to the picture's size.

    Its edges are 1 - ``most`` to 1 of the picture's, its place anywhere; both are drawn evenly.
    """
    height, width = images.shape[2:]
    parts = []
    for image, key in zip(images, keys, strict=True):
        random = np.random.default_rng(derive_seed(seed, "zoom", *key))
        kept = 1 - most * random.random()
        size = (round(height * kept), round(width * kept))
        top, left = (int(random.integers(whole - part + 1)) for whole, part in zip((height, width), size, strict=True))
        parts.append(functional.resized_crop(image, top, left, *size, [height, width], antialias=True))
    return torch.stack(parts)

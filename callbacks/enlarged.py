"""Pictures larger than a model draws them: by Lanczos' filter, which adds no detail, and under a name that says so."""

from pathlib import PurePath

import cv2
import numpy as np
import torch
from torch import Tensor

from callbacks.picture_file import Picture
from datamodules.ranges import check_range

LARGEST = 16
"""Times that a picture can be enlarged."""


def checked_scale(scale: int) -> int:
    """Return how many times larger pictures are wanted.

    Raises:
        InputError: if it is not from 1, which is as they are, to ``LARGEST``.
    """
    check_range("scale", scale, 1, LARGEST)
    return scale


def enlarged_name(name: str, scale: int) -> str:
    """Return what a file of enlarged pictures is called: ``sheet.png`` is ``sheet_x4_lanczos.png``."""
    file = PurePath(name)
    return f"{file.stem}_x{scale}_lanczos{file.suffix}"


def enlarge(picture: Picture, scale: int) -> Picture:
    """Return a picture, uint8 ``(H, W, 3)``, ``scale`` times as high and wide."""
    size = picture.shape[1] * scale, picture.shape[0] * scale
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_LANCZOS4), np.uint8)


def enlarge_all(images: Tensor, scale: int) -> Tensor:
    """Return pictures, float ``(N, 3, H, W)`` in [0, 1], ``scale`` times as high and wide; in steps of 1 / 255."""
    pixels = (images.detach().float().cpu().clamp(0, 1) * 255).round().byte().movedim(1, -1).numpy()
    larger = np.stack([enlarge(picture, scale) for picture in pixels])
    return torch.from_numpy(larger).movedim(-1, 1).float() / 255

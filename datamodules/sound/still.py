"""The still picture that prediction draws on: a picture, or the mean picture of a video."""

from pathlib import Path

import numpy as np

from datamodules.errors import InputError
from datamodules.letterbox import Letterbox
from datamodules.listing import VIDEO_SUFFIXES
from datamodules.media import read_frames
from datamodules.picture_file import Frame, read_picture


def read_still(given: Path | Frame, box: Letterbox) -> Frame:
    """Return a picture, or the mean of all pictures of a video, fitted into a size: uint8 ``(3, H, W)``.

    Args:
        given: a file, or the picture itself, uint8 RGB ``(h, w, 3)``.
        box: the size.

    Raises:
        InputError: if there is no such file, or it cannot be read; names the key of the configuration.
    """
    if not isinstance(given, Path):
        return box.picture(given)
    path = given
    if not path.is_file():
        raise InputError(f"data.still: {path} is no file; give a picture, or a video whose mean picture is taken")
    try:
        if path.suffix.lower() not in VIDEO_SUFFIXES:
            return box.picture(read_picture(path, 3))
        total, count = np.zeros((3, box.height, box.width)), 0
        for frame in read_frames(path):
            total, count = total + box.picture(frame), count + 1
    except InputError as error:
        raise InputError(f"data.still: {error}") from error
    return np.round(total / max(count, 1)).astype(np.uint8)


def mean_picture(frames: Frame) -> Frame:
    """Return the mean of pictures ``(T, 3, H, W)``, at least one, rounded: uint8 ``(3, H, W)``."""
    mean: Frame = np.round(frames.sum(axis=0, dtype=np.uint64) / len(frames)).astype(np.uint8)
    return mean

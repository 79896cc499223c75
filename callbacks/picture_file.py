"""Pictures as files, whole or not at all, and not more of them than wanted."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from datamodules.atomic_file import atomic_file

Picture = NDArray[np.uint8]


def write_png(path: Path, picture: Picture) -> None:
    """Replace a PNG file in one step.

    Args:
        path: the file; its folder is made where missing.
        picture: uint8, grey ``(H, W)`` or RGB ``(H, W, 3)``.

    Raises:
        InputError: if the disk is full or cannot be written.
    """
    ordered = picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    done, coded = cv2.imencode(".png", ordered)
    assert done, f"a picture of shape {picture.shape} cannot be a PNG"
    with atomic_file(path) as file:
        file.write(coded.tobytes())


def keep_newest(folder: Path, pattern: str, keep: int) -> None:
    """Remove all that match ``pattern`` but the ``keep`` files that were written last.

    Not those of the most batches: a validation of the best weights, after training, would lose at once what it shows.
    """
    for old in sorted(folder.glob(pattern), key=lambda file: (file.stat().st_mtime_ns, file.name))[:-keep]:
        old.unlink()


def stacked(pictures: Sequence[Picture], paper: int = 255) -> Picture:
    """Lay RGB pictures under each other, each filled up with grey of level ``paper`` at its right."""
    width = max(picture.shape[1] for picture in pictures)
    padded = [np.pad(one, ((0, 0), (0, width - one.shape[1]), (0, 0)), constant_values=paper) for one in pictures]
    return np.vstack(padded)

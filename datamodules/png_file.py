"""Pictures written as PNG, whole or not at all; OpenCV's own ``imwrite`` does not say why it fails."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from datamodules.atomic_file import atomic_file


def write_png(path: Path, picture: NDArray[np.uint8]) -> None:
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

"""Pictures in a column, and files of them, not more than wanted."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datamodules.atomic_file import readable_errors

Picture = NDArray[np.uint8]


def keep_newest(folder: Path, pattern: str, keep: int) -> None:
    """Remove all that match ``pattern`` but the ``keep`` files that were written last.

    Not those of the most batches: a validation of the best weights, after training, would lose at once what it shows.
    """
    for old in sorted(folder.glob(pattern), key=lambda file: (file.stat().st_mtime_ns, file.name))[:-keep]:
        with readable_errors(old):
            old.unlink()


def stacked(pictures: Sequence[Picture], paper: int = 255) -> Picture:
    """Lay RGB pictures under each other, each filled up with grey of level ``paper`` at its right."""
    width = max(picture.shape[1] for picture in pictures)
    padded = [np.pad(one, ((0, 0), (0, width - one.shape[1]), (0, 0)), constant_values=paper) for one in pictures]
    return np.vstack(padded)

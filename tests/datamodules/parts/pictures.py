"""Generated pictures as they lie in a folder."""

from pathlib import Path

import cv2


def grey(path: Path):
    return cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)


def all_pictures(folder: Path):
    """Every picture below a folder, by its place in it."""
    return {path.relative_to(folder): grey(path) for path in folder.rglob("*.png")}

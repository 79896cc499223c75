"""Which files are data, and in which order."""

import re
from collections.abc import Callable
from pathlib import Path

VIDEO_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg"),
    *(".mts", ".m2ts", ".ts", ".vob", ".mxf", ".wmv", ".asf", ".flv", ".f4v", ".ogv", ".3gp", ".3g2"),
)
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".pgm", ".ppm")


def natural_key(name: str) -> list[tuple[int, str]]:
    """Return a sort key under which ``"frame10"`` follows ``"frame9"``."""
    parts = re.split(r"([0-9]+)", name)
    return [(int(part), "") if part.isdigit() else (-1, part.casefold()) for part in parts]


def list_images(folder: Path) -> list[Path]:
    """Return the images directly in ``folder`` in natural order, hidden files left out."""
    return children(folder, lambda path: path.suffix.lower() in IMAGE_SUFFIXES and path.is_file())


def is_picture(path: Path) -> bool:
    """Whether a file's name says that it is a picture; hidden files are not."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")


def children(folder: Path, wanted: Callable[[Path], bool]) -> list[Path]:
    """Return what is directly in ``folder`` and wanted, in natural order of the names, hidden ones left out."""
    names = (child for child in folder.iterdir() if not child.name.startswith("."))
    return sorted(filter(wanted, names), key=lambda child: natural_key(child.name))

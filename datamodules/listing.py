"""Which files and folders are data, in which order, and which are left out."""

import os
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from datamodules.errors import InputError

VIDEO_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg"),
    *(".mts", ".m2ts", ".ts", ".vob", ".mxf", ".wmv", ".asf", ".flv", ".f4v", ".ogv", ".3gp", ".3g2"),
)
IMAGE_SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".dib", ".tif", ".tiff", ".webp"),
    *(".gif", ".avif", ".pgm", ".ppm", ".pbm", ".pnm"),
)

COMPANIONS = (
    *("", ".txt", ".md", ".pdf", ".html", ".csv", ".tsv", ".json", ".jsonl", ".xml", ".yaml", ".yml"),
    *(".m", ".mat", ".npy", ".npz", ".pkl", ".py", ".sh", ".log", ".zip", ".gz", ".tar", ".7z", ".rar"),
)
"""Endings of what lies beside data and is none, such as labels and notes: nobody misses it."""

APART = "move the videos elsewhere to train on the pictures; to train on the videos use --config vta_gan"
_JUNK = {"@eadir", "__macosx", "thumbs.db", "desktop.ini", "$recycle.bin", "lost+found"}
_NAMED = 5  # of several, in a message


def natural_key(name: str) -> list[tuple[int, str]]:
    """Return a sort key under which ``"frame10"`` follows ``"frame9"``."""
    parts = re.split(r"([0-9]+)", name)
    return [(int(part), "") if part.isdigit() else (-1, part.casefold()) for part in parts]


def is_junk(name: str) -> bool:
    """Whether a file or folder is what systems and programs leave behind: hidden, previews, waste."""
    return name.startswith(".") or name.lower() in _JUNK


def is_picture(path: Path) -> bool:
    """Whether a file's name says that it is a picture."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not is_junk(path.name)


def children(folder: Path, wanted: Callable[[Path], bool] = lambda _: True) -> list[Path]:
    """Return what is directly in ``folder`` and wanted, in natural order of the names, junk left out.

    Nothing is in a folder that is missing.
    """
    if not folder.is_dir():
        return []
    visible = (child for child in folder.iterdir() if not is_junk(child.name))
    return sorted(filter(wanted, visible), key=lambda child: natural_key(child.name))


def folders(folder: Path) -> list[Path]:
    """Return the folders directly in ``folder`` in natural order."""
    return children(folder, Path.is_dir)


def list_images(folder: Path) -> list[Path]:
    """Return the images directly in ``folder`` in natural order."""
    return children(folder, lambda path: is_picture(path) and path.is_file())


def folder_named(root: Path, *names: str) -> Path:
    """Return a folder below ``root`` by the names that lead to it, whether they are in capitals or not.

    Returns:
        One that may not exist, where there is none.
    """
    for name in names:
        exact = root / name
        alike = [] if exact.is_dir() else [one for one in folders(root) if one.name.lower() == name.lower()]
        root = alike[0] if alike else exact
    return root


def walk(root: Path, suffixes: Sequence[str]) -> list[Path]:
    """Return the files at any depth below ``root`` that end in one of ``suffixes``, in natural order of their paths.

    Links are followed, but not to a folder that they lie in.

    Raises:
        InputError: if a folder cannot be read, or what is called like a file of data is a pipe, socket or device.
    """
    found = [path for path in _files_below(root) if path.suffix.lower() in suffixes]
    for path in found:
        refuse_devices(path)
    return sorted(found, key=lambda path: natural_key(str(path.relative_to(root))))


def holds(root: Path, suffixes: Sequence[str]) -> bool:
    """Whether any file at any depth below ``root`` ends in one of ``suffixes``; looks no further than the first."""
    return any(path.suffix.lower() in suffixes for path in _files_below(root))


def holds_directly(folder: Path) -> bool:
    """Whether an image lies directly in ``folder``; looks no further than the first."""
    return folder.is_dir() and any(is_picture(path) and path.is_file() for path in folder.iterdir())


def why_no_file(path: Path) -> str:
    """Return what a path is that is no file, as a sentence without its end."""
    if path.is_dir():
        return "this is a folder"
    return "this is no file, but a pipe, a socket or a device" if path.exists() else "there is no such file"


def refuse_devices(path: Path) -> None:
    """Raise ``InputError`` if a path is a pipe, socket or device: reading it might never end."""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise InputError(f"{path}: is a pipe, a socket or a device, and no file; move it out of the data")


def other_files(root: Path, suffixes: Sequence[str]) -> list[Path]:
    """Return the files at any depth below ``root`` that end in none of ``suffixes``."""
    found = (path for path in _files_below(root) if path.suffix.lower() not in suffixes)
    return sorted(found, key=lambda path: natural_key(str(path.relative_to(root))))


def tell_left_out(root: Path, left_out: Sequence[Path], kind: str, remedy: str = "") -> None:
    """Warn, once for a source, of what is in it and not read: how many of each ending, and some by their names.

    Args:
        root: of the source.
        left_out: what is not read.
        kind: what is, e.g. ``"pictures"``.
        remedy: said at the end.
    """
    if left_out:
        endings = Counter(path.suffix.lower() or "without ending" for path in left_out)
        counted = ", ".join(f"{count:,} {ending}" for ending, count in endings.most_common())
        named = some_of([str(path.relative_to(root)) for path in left_out])
        warnings.warn(f"{root}: left out, not known as {kind} here ({counted}): {named}{remedy}", stacklevel=3)


def ask_which(root: Path, videos: Sequence[Path], pictures: Sequence[Path], remedy: str = APART) -> None:
    """Refuse a folder of videos and pictures that nothing tells apart.

    Args:
        root: of the source.
        videos: in it.
        pictures: in it.
        remedy: how to say what is meant, each way.

    Raises:
        InputError: if there are both.
    """
    if videos and pictures:
        named = (some_of([str(path.relative_to(root)) for path in paths]) for paths in (videos, pictures))
        raise InputError(f"data.source: {root} holds videos ({next(named)}) and pictures ({next(named)}): {remedy}")


def some_of(names: Sequence[str]) -> str:
    """Return the first names in a row, and how many more there are."""
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _files_below(folder: Path, above: frozenset[tuple[int, int]] = frozenset()) -> Iterator[Path]:
    if not folder.is_dir():
        return
    try:
        state = folder.stat()
        place = (state.st_dev, state.st_ino)
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise InputError(f"{folder}: cannot be read ({error.strerror})") from error
    if place in above:
        return
    for entry in entries:
        if is_junk(entry.name):
            continue
        if entry.is_dir():
            yield from _files_below(Path(entry.path), above | {place})
        else:
            yield Path(entry.path)

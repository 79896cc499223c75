"""Which pictures a folder holds, their classes, and whether they train, validate or test."""

import os
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from datamodules.errors import InputError
from datamodules.listing import (
    COMPANIONS,
    IMAGE_SUFFIXES,
    VIDEO_SUFFIXES,
    ask_which,
    folders,
    holds,
    holds_directly,
    natural_key,
    other_files,
    tell_left_out,
    walk,
)
from datamodules.seeding import derive_seed

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
_HELD_OUT: tuple[Split, Split] = ("validation", "test")
_SPLIT_OF: dict[str, Split] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}
_Found = tuple[Path, int, Split | None]  # a file, its label, and its split where a folder tells


@dataclass(frozen=True)
class Picture:
    """A file and what is known of it before it is opened.

    Attributes:
        path: of the file.
        name: its path below the source, with ``/`` on every system; unique.
        label: number of the class; 0 without classes.
        split: what it is for.
    """

    path: Path
    name: str
    label: int
    split: Split


@dataclass(frozen=True)
class PictureSource:
    """The pictures of a folder in natural order of their names.

    Attributes:
        layout: ``flat``, ``classes`` or ``splits``, see ``read_pictures``.
        classes: names of the classes by label; one empty name without classes.
        pictures: all of them.
    """

    layout: Literal["flat", "classes", "splits"]
    classes: list[str]
    pictures: list[Picture]


def read_pictures(root: Path, validation_fraction: float, test_fraction: float) -> PictureSource:
    """List the pictures of a dataset.

    - ``flat``: pictures directly in ``root``.
    - ``classes``: one folder per class, as torchvision's ``ImageFolder``.
    - ``splits``: folders ``train`` and, as far as there are, ``validation`` and ``test``, each of them either of
      the above.

    Where a folder for validation or test is missing, they are chosen from the rest by ``hashed_split``.

    Raises:
        InputError: if ``root`` does not exist, holds no picture, or can be read in more than one way.
    """
    named = _folders_with_pictures(root)
    ask_which(root, walk(root, VIDEO_SUFFIXES), walk(root, IMAGE_SUFFIXES))
    tell_left_out(root, other_files(root, (*IMAGE_SUFFIXES, *COMPANIONS)), "pictures")
    roles = {folder: _SPLIT_OF[folder.lower()] for folder in named if folder.lower() in _SPLIT_OF}
    if "train" not in roles.values() or (len(roles) == 1 and len(named) > 1):  # a class may be called "train"
        found, classes = _read_folder(root)
        chosen: list[_Found] = [(path, label, None) for path, label in found]
        return PictureSource(
            "classes" if named else "flat", classes, _pictures(root, chosen, validation_fraction, test_fraction)
        )
    if len(set(roles.values())) < len(named) or holds_directly(root):
        raise InputError(
            f"{root}: holds {', '.join(named)}{' and single pictures' * holds_directly(root)}, so that it is "
            "unclear what is to train, to validate and to test; name a folder that holds only train, validation "
            "and test, or one folder per class, or only pictures"
        )
    by_split = {split: root / folder for folder, split in roles.items()}
    found, classes = _read_folder(by_split["train"])
    chosen = [(path, label, None) for path, label in found]
    for split in _HELD_OUT:
        if split in by_split:
            chosen += [(path, label, split) for path, label in _read_folder(by_split[split], classes)[0]]
    fractions = [
        0.0 if split in by_split else fraction
        for split, fraction in zip(_HELD_OUT, (validation_fraction, test_fraction), strict=True)
    ]
    return PictureSource("splits", classes, _pictures(root, chosen, *fractions))


def find_pictures(path: Path) -> list[Picture]:
    """List a single picture or every picture below a folder, whatever the folder's layout.

    Raises:
        InputError: if there is none.
    """
    if path.is_file():
        return [Picture(path, path.name, 0, "test")]
    _folders_with_pictures(path)
    tell_left_out(path, other_files(path, (*IMAGE_SUFFIXES, *COMPANIONS)), "pictures")
    found: list[_Found] = [(file, 0, "test") for file, _ in _list(path, [""])]
    return _pictures(path, found, 0.0, 0.0)


def hashed_split(name: str, validation_fraction: float, test_fraction: float) -> Split:
    """Choose a split for a picture by its name alone.

    Neither the seed nor the other pictures matter: what is added to a folder never moves what was there.

    >>> hashed_split("rose/1.jpg", 0.1, 0.1) == hashed_split("rose/1.jpg", 0.1, 0.1)
    True
    """
    place = derive_seed("split", name) / 2**63
    if place < test_fraction:
        return "test"
    return "validation" if place < test_fraction + validation_fraction else "train"


def part_copies(
    splits: Mapping[Split, Sequence[Picture]], digest: Callable[[Picture], str]
) -> tuple[dict[Split, list[Picture]], list[str]]:
    """Make sure that no picture, whatever its name, is in two splits.

    Of equal pictures in several splits those in the test set stay, else those for validation; the others
    are left out. So the sets that measure do not change when copies are added to what is learned from.

    Args:
        splits: pictures by split.
        digest: of a picture's content; equal for equal pictures.

    Returns:
        The splits without such copies, and one sentence for every picture left out.
    """
    seen: dict[str, Picture] = {}
    kept: dict[Split, list[Picture]] = {}
    notes = []
    for split in reversed(SPLITS):
        kept[split] = []
        for picture in splits.get(split, ()):
            first = seen.setdefault(digest(picture), picture)
            if first.split == split:
                kept[split].append(picture)
            else:
                notes.append(f"{picture.name} ({split}) shows the same as {first.name} ({first.split})")
    return kept, notes


def _list(root: Path, classes: list[str]) -> list[tuple[Path, int]]:
    """Return the pictures of the named classes with their labels; the one class "" stands for the folder itself."""
    return [(file, label) for label, name in enumerate(classes) for file in walk(root / name, IMAGE_SUFFIXES)]


def _read_folder(root: Path, classes: list[str] | None = None) -> tuple[list[tuple[Path, int]], list[str]]:
    """Return a folder's pictures with labels, and its classes: the given ones, or its folders."""
    named = _folders_with_pictures(root) or [""]
    if named != [""] and holds_directly(root):
        raise InputError(
            f"{root}: holds both pictures and folders of pictures ({', '.join(named)}); name one of the "
            "folders, or move the pictures into a folder of their own"
        )
    unknown = set(named) - set(classes if classes is not None else named)
    if classes is not None and unknown and "" in {*named, *classes}:
        sorted_into, flat = (named, "those to train on") if classes == [""] else (classes, "its pictures")
        raise InputError(
            f"{root}: {flat} lie directly in their folder, the others in folders of classes "
            f"({', '.join(sorted_into)}); sort all of them alike"
        )
    if classes is not None and unknown:
        raise InputError(
            f"{root}: holds the classes {', '.join(map(repr, named))}, those to train on are "
            f"{', '.join(map(repr, classes))}; they must have the same folders"
        )
    return _list(root, classes or named), classes or named


def _pictures(root: Path, found: Sequence[_Found], validation_fraction: float, test_fraction: float) -> list[Picture]:
    """Give every file a name, and a split where it has none."""
    named: dict[str, Picture] = {}
    places: dict[str, str] = {}
    # a copy on another system may compose accents otherwise; rarely two names differ in just that
    composed = {path: unicodedata.normalize("NFC", path.relative_to(root).as_posix()) for path, _, _ in found}
    alike = Counter(composed.values())
    for path, label, given in found:
        name = composed[path] if alike[composed[path]] == 1 else path.relative_to(root).as_posix()
        split = given or hashed_split(composed[path], validation_fraction, test_fraction)
        first = places.setdefault(os.path.realpath(path), name)
        if name in named or first != name:
            raise InputError(f"{root}: {first} and {path.relative_to(root)} are one file; remove one or the link to it")
        named[name] = Picture(path, name, label, split)
    return sorted(named.values(), key=lambda picture: (natural_key(picture.name), picture.name))


def _folders_with_pictures(root: Path) -> list[str]:
    """Return the names of the folders in ``root`` that hold pictures at any depth, sorted.

    Raises:
        InputError: if there is no such folder and no picture either.
    """
    if not root.is_dir():
        raise InputError(
            f"data.source: {root} is neither a picture nor a folder; name a folder of pictures, or leave data.source "
            "out for the drawn cars"
        )
    found = sorted(child.name for child in folders(root) if holds(child, IMAGE_SUFFIXES))
    if not found and not holds_directly(root):
        raise InputError(f"data.source: {root} holds no picture; looked for files ending in {' '.join(IMAGE_SUFFIXES)}")
    return found

"""The folder layouts of inspection datasets, read into one form: pictures of parts, most of them faultless.

``docs/fabric.md`` shows each of them. A layout is recognised by the names of its folders.
"""

import re
import warnings
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from datamodules.batches import UNKNOWN_LABEL
from datamodules.errors import BadFile, InputError
from datamodules.listing import (
    COMPANIONS,
    IMAGE_SUFFIXES,
    VIDEO_SUFFIXES,
    ask_which,
    folder_named,
    folders,
    holds,
    list_images,
    other_files,
    some_of,
    tell_left_out,
    walk,
)

GOOD, UNKNOWN = "good", "unknown"

_AITEX_NAME = re.compile(r"(?P<number>\d+)_(?P<defect>\d{3})_(?P<fabric>\d{2})")
_MASK_NAME = re.compile(r"(?P<picture>.+)_mask\d*")
_AITEX_MASKS = "mask_images"
_AITEX_FOLDERS = ("nodefect_images", "defect_images", _AITEX_MASKS)  # the archives themselves write NODefect_images
_MASK_FOLDERS = ("ground_truth", "masks", "mask")
_SOUGHT = """\
  AITEX:     NODefect_images/<fabric>/0001_000_03.png  Defect_images/0018_010_03.png  Mask_images/0018_010_03_mask.png
  MVTec AD:  train/good/000.png  test/good/000.png  test/<defect>/000.png  ground_truth/<defect>/000_mask.png,
             or a folder of such folders, one for each category
  plain:     good/any.png  <defect>/any.png  masks/<defect>/any.png or any_mask.png
  flat:      pictures alone, all of them faultless"""


@dataclass(frozen=True)
class Part:
    """A picture of an inspected part, not yet read.

    Attributes:
        name: unique within a source.
        path: of the picture.
        group: what is inspected, e.g. the fabric ``"03"``.
        defect: kind of defect; ``"good"`` without, ``"unknown"`` where nobody says.
        label: 1 defective, 0 faultless, -1 unknown.
        masks: pictures whose bright pixels together mark the defect; empty where nobody says.
        for_test: whether a faultless picture is set apart for the test by the layout; None leaves it to a hold-out.
        has_margin: whether a margin beside the part belongs to such pictures.
        group_is_source: whether the group is named after the source's own folder.
    """

    name: str
    path: Path
    group: str
    defect: str = UNKNOWN
    label: int = UNKNOWN_LABEL
    masks: tuple[Path, ...] = ()
    for_test: bool | None = None
    has_margin: bool = False
    group_is_source: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """What is the same wherever the source lies and whatever its folder is called."""
        return ("" if self.group_is_source else self.group), self.name


@dataclass(frozen=True)
class Inspection:
    """The pictures of a source.

    Attributes:
        layout: ``"AITEX"``, ``"MVTec AD"``, ``"plain"`` or ``"flat"``.
        normal: faultless ones.
        defective: the others.
    """

    layout: str
    normal: tuple[Part, ...]
    defective: tuple[Part, ...]


def read_inspection(root: Path, on_bad_file: BadFile) -> Inspection:
    """Recognise the layout of ``root`` and list its pictures in natural order.

    Args:
        root: the dataset's folder.
        on_bad_file: whether a file whose name cannot be understood ends the run or is left out with a warning.

    Raises:
        InputError: if the folder is missing, of no known layout or without faultless pictures.
    """
    if not root.is_dir():
        raise InputError(
            f"data.source: {root} is not a folder; name an existing dataset, or leave data.source out to use the "
            "embedded demo"
        )
    for layout in (_aitex, _mvtec, _plain, _flat):
        source = layout(root, on_bad_file)
        if source is not None:
            if not source.normal:
                raise InputError(
                    f"data.source: {root}, read as {source.layout}, holds no faultless picture to learn from; put some "
                    f"where they are looked for:\n{_SOUGHT}"
                )
            tell_left_out(root, other_files(root, (*IMAGE_SUFFIXES, *COMPANIONS)), "pictures")
            _refuse_equal_names([*source.normal, *source.defective])
            _refuse_shared_masks(source.defective)
            return source
    found = ", ".join(sorted(child.name for child in root.iterdir())[:12]) or "nothing"
    raise InputError(f"data.source: {root} has no known layout. Found: {found}. Looked for:\n{_SOUGHT}")


def list_parts(path: Path, groups: Iterable[str], names_tell: bool = True) -> list[Part]:
    """List the pictures of a file or folder for prediction, masks left out; nothing is known of their defects.

    Args:
        path: a picture, or a folder searched to any depth.
        groups: known ones; a picture belongs to the fabric that its name tells, else to the group that a folder on
            its path is named after, else to the only one known, else to ``"unknown"``.
        names_tell: whether a name like those of AITEX tells the fabric, and that there is a margin; elsewhere
            ``0001_000_03`` is a name like any other.

    Raises:
        InputError: if there is no picture.
    """
    if path.is_file():
        files = [path]
    elif path.is_dir():
        files = _without_masks(walk(path, IMAGE_SUFFIXES), path)
        tell_left_out(path, other_files(path, (*IMAGE_SUFFIXES, *COMPANIONS)), "pictures")
    else:
        raise InputError(f"data.source: {path} does not exist; name a picture or a folder of pictures")
    if not files:
        raise InputError(f"data.source: {path} holds no picture; looked for files ending in {' '.join(IMAGE_SUFFIXES)}")
    known = set(groups)
    root = path if path.is_dir() else path.parent
    parts = []
    for file in files:
        named = _AITEX_NAME.fullmatch(file.stem) if names_tell else None
        group = named["fabric"] if named else _group_of(file, known)
        parts.append(Part(_name(file, root), file, group, has_margin=named is not None))
    _refuse_equal_names(parts)
    return parts


def _aitex(root: Path, on_bad_file: BadFile) -> Inspection | None:
    by_name = {folder.name.lower(): folder for folder in folders(root)}
    faultless, faulty, marked = (by_name.get(name) for name in _AITEX_FOLDERS)
    if faultless is None:
        return None
    normal, defective = [], []
    for path in walk(faultless, IMAGE_SUFFIXES):
        if named := _aitex_name(path, True, on_bad_file):
            normal.append(Part(path.stem, path, named["fabric"], GOOD, 0, has_margin=True))
    masks = _by_masked_stem(walk(marked, IMAGE_SUFFIXES) if marked else [])
    for path in walk(faulty, IMAGE_SUFFIXES) if faulty else []:
        if named := _aitex_name(path, False, on_bad_file):
            own = tuple(masks.get(path.stem, ()))
            defective.append(Part(path.stem, path, named["fabric"], named["defect"], 1, own, has_margin=True))
    known = {part.group for part in normal}
    for part in defective:
        if part.group not in known:
            warnings.warn(f"left out: {part.path}: there is no faultless picture of fabric {part.group}", stacklevel=2)
    kept = tuple(part for part in defective if part.group in known)
    return Inspection("AITEX", tuple(normal), kept)


def _mvtec(root: Path, on_bad_file: BadFile) -> Inspection | None:
    categories = [folder for folder in (root, *folders(root)) if folder_named(folder, "train", GOOD).is_dir()]
    normal: list[Part] = []
    defective: list[Part] = []
    masks = _Masks()
    for category in categories:
        group, own = category.resolve().name, category == root
        for_test = False if folder_named(category, "test", GOOD).is_dir() else None
        for path in list_images(folder_named(category, "train", GOOD)):
            normal.append(Part(_name(path, root), path, group, GOOD, 0, for_test=for_test, group_is_source=own))
        for kind in folders(folder_named(category, "test")):
            for path in _without_masks(list_images(kind), kind):
                if kind.name.lower() == GOOD:
                    normal.append(Part(_name(path, root), path, group, GOOD, 0, for_test=True, group_is_source=own))
                else:
                    own_masks = masks.of(path, kind.name, category)
                    defective.append(Part(_name(path, root), path, group, kind.name, 1, own_masks))
    return Inspection("MVTec AD", tuple(normal), tuple(defective)) if categories else None


def _plain(root: Path, on_bad_file: BadFile) -> Inspection | None:
    faultless = folder_named(root, GOOD)
    if not faultless.is_dir():
        return None
    group, masks = root.resolve().name, _Masks()
    normal = (Part(_name(path, root), path, group, GOOD, 0, group_is_source=True) for path in list_images(faultless))
    defective = (
        Part(_name(path, root), path, group, kind.name, 1, masks.of(path, kind.name, root))
        for kind in folders(root)
        if kind.name.lower() not in (GOOD, *_MASK_FOLDERS)
        for path in _without_masks(list_images(kind), kind)
    )
    return Inspection("plain", tuple(normal), tuple(defective))


def _flat(root: Path, on_bad_file: BadFile) -> Inspection | None:
    """A folder of pictures alone: what somebody has who has photographed good parts, and sorted nothing."""
    pictures = list_images(root)
    if not pictures:
        return None
    ask_which(root, walk(root, VIDEO_SUFFIXES), pictures)
    masks = [path for path in pictures if _masked_stem(path) is not None]
    sorted_ones = [folder.name for folder in folders(root) if holds(folder, IMAGE_SUFFIXES)]
    if masks or sorted_ones:
        beside = f"folders of pictures ({some_of(sorted_ones)})" if sorted_ones else f"masks ({masks[0].name})"
        raise InputError(
            f"data.source: {root} holds pictures and {beside}: put the faultless pictures into good/, or name a folder "
            "that holds nothing but them"
        )
    group = root.resolve().name
    normal = (Part(_name(path, root), path, group, GOOD, 0, group_is_source=True) for path in pictures)
    return Inspection("flat", tuple(normal), ())


class _Masks:
    """Finds the masks of pictures; every folder is listed once, however many pictures ask."""

    def __init__(self) -> None:
        self._named: dict[Path, dict[str, list[Path]]] = {}
        self._folders: dict[tuple[str, Path], list[Path]] = {}

    def of(self, path: Path, kind: str, root: Path) -> tuple[Path, ...]:
        """Find ``<masks>/<kind>/<stem>_mask.*``, also ``_mask1`` and so on, or without ``_mask``, or the kind's folder.

        Where there is none, a mask may lie beside its picture.
        """
        if (kind, root) not in self._folders:
            places = (folder_named(root, name, *below) for name in _MASK_FOLDERS for below in ((kind,), ()))
            self._folders[kind, root] = list(filter(Path.is_dir, places))
        for folder in self._folders[kind, root]:
            if found := self._in(folder).get(path.stem):
                return tuple(found)
        return tuple(mask for mask in self._in(path.parent).get(path.stem, ()) if _masked_stem(mask) == path.stem)

    def _in(self, folder: Path) -> dict[str, list[Path]]:
        if folder not in self._named:
            self._named[folder] = _by_masked_stem(list_images(folder), or_own=True)
        return self._named[folder]


def _by_masked_stem(masks: Iterable[Path], or_own: bool = False) -> dict[str, list[Path]]:
    """Return masks by the stem of the picture that they are named after, or by their own, too."""
    found: defaultdict[str, list[Path]] = defaultdict(list)
    for mask in masks:
        stem = _masked_stem(mask)
        for name in {stem, mask.stem} if or_own else {stem}:
            if name is not None:
                found[name].append(mask)
    return found


def _aitex_name(path: Path, normal: bool, on_bad_file: BadFile) -> dict[str, str] | None:
    match = _AITEX_NAME.fullmatch(path.stem)
    if match and (match["defect"] == "000") == normal:
        return match.groupdict()
    if match:
        where = "faultless pictures, whose number is 000" if normal else "defects, and 000 is the number of none"
        message = f"{path}: its name says defect {match['defect']}, and it lies among the {where}"
    else:
        example = "0001_000_03" if normal else "0018_010_03"
        message = f"{path}: the name does not read number_defect_fabric as in {example}"
    if on_bad_file == "error":
        raise InputError(f"{message}; rename or move the file\n(data.on_bad_file: skip leaves such files out)")
    warnings.warn(f"left out: {message}", stacklevel=2)
    return None


def _group_of(path: Path, known: set[str]) -> str:
    places = [folder for folder in reversed(path.resolve().parts[:-1]) if folder in known]
    return next(iter(places or (known if len(known) == 1 else [UNKNOWN])))


def _masked_stem(path: Path) -> str | None:
    """Return the stem of the picture that a file is named as the mask of; None where it is no mask's name."""
    named = _MASK_NAME.fullmatch(path.stem)
    return named["picture"] if named else None


def _without_masks(files: Sequence[Path], root: Path) -> list[Path]:
    """Leave out what lies in a folder of masks, and what is named as the mask of the picture beside it."""
    pictures = {file.with_suffix("") for file in files}
    kept = []
    for file in files:
        above = {folder.lower() for folder in file.relative_to(root).parts[:-1]}
        stem = _masked_stem(file)
        beside = stem is not None and file.with_name(stem) in pictures
        if not beside and above.isdisjoint((*_MASK_FOLDERS, _AITEX_MASKS)):
            kept.append(file)
    return kept


def _refuse_shared_masks(parts: Sequence[Part]) -> None:
    owners: dict[Path, Path] = {}
    for part in parts:
        for mask in part.masks:
            if mask in owners:
                raise InputError(
                    f"{mask} could be the mask of {owners[mask]} and of {part.path}: sort masks into a folder for each "
                    f"kind of defect, such as {mask.parent / part.defect}"
                )
            owners[mask] = part.path


def _refuse_equal_names(parts: Sequence[Part]) -> None:
    names: dict[str, Path] = {}
    for part in parts:
        if part.name in names:
            raise InputError(f"{names[part.name]} and {part.path} have the same name {part.name}; rename one of them")
        names[part.name] = part.path


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).with_suffix("").as_posix()

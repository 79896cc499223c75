"""The folder layouts in which labelled video datasets are published, read into one form.

``docs/video.md`` shows each of them. A layout is recognised by its folders' names; labels and masks are
matched to the clips by name, or by the numbers in the names (``Test001`` and ``01`` are both clip 1).
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TypeVar

from lightning.pytorch.utilities import rank_zero_warn

from datamodules.clips.boxes import box_files
from datamodules.clips.labels import (
    FrameFlags,
    Spans,
    is_list_of_numbers,
    read_array,
    read_csv_spans,
    read_mat_spans,
    read_ucsd_spans,
)
from datamodules.errors import InputError
from datamodules.listing import (
    COMPANIONS,
    IMAGE_SUFFIXES,
    VIDEO_SUFFIXES,
    ask_which,
    children,
    folder_named,
    list_images,
    other_files,
    some_of,
    tell_left_out,
    walk,
)

T = TypeVar("T")

_FRAME_LABEL_FOLDERS = ("test_frame_mask", "frame_masks", "frame_labels", "labels")
_MASK_FOLDERS = ("test_pixel_mask", "pixel_masks", "gt_masks_png", "gt_masks", "masks")
_BOX_FOLDERS = ("tracks", "Test/tracks", "testing/tracks", "test/tracks", "testing_videos/tracks")
_SOUGHT = """\
  UCSD:          Train/Train001/*.tif  Test/Test001/*.tif  Test/Test001_gt/*.bmp or Test/*.m
  research:      training/frames/01/*.jpg  testing/frames/01/*.jpg  gt_masks_png/01/*.png or *.mat or *.npy
  ShanghaiTech:  training/videos/*.avi  testing/frames/01_0014/*.jpg  testing/test_frame_mask/01_0014.npy
  Avenue:        training_videos/*.avi  testing_videos/*.avi  testing_label_mask/1_label.mat
  plain:         train/ and test/ with video files or folders of frames, test/labels.csv or test/masks/
  flat:          video files alone, all of them normal"""


@dataclass(frozen=True, eq=False)
class Clip:
    """One clip of a dataset, not yet decoded.

    Attributes:
        name: unique within its split.
        path: video file or folder of images.
        labels: of its frames; None if unknown or implied by ``masks`` or ``boxes``.
        masks: folder or file with a mask per frame, as ``labels.read_masks`` takes it.
        boxes: file of boxes and their tracks, as ``boxes.read_boxes`` takes it.
    """

    name: str
    path: Path
    labels: Spans | FrameFlags | None = None
    masks: Path | None = None
    boxes: Path | None = None


@dataclass(frozen=True, eq=False)
class VideoSource:
    """The clips of a dataset: ``train`` is free of anomalies, ``test`` is not; either may be empty."""

    layout: str
    train: tuple[Clip, ...]
    test: tuple[Clip, ...]


def read_layout(root: Path) -> VideoSource:
    """Recognise the layout of ``root`` and list its clips.

    Raises:
        InputError: if the folder is missing or of no known layout, or its labels do not fit its clips.
    """
    if not root.is_dir():
        raise InputError(
            f"data.source: {root} is not a folder; name an existing dataset, or leave data.source out to use "
            "the embedded demo"
        )
    for layout in (_ucsd, _avenue, _research, _plain, _flat):
        source = layout(root)
        if source is not None:
            tell_left_out(root, other_files(root, (*VIDEO_SUFFIXES, *IMAGE_SUFFIXES, *COMPANIONS)), "video")
            return replace(source, test=_with_boxes(source.test, root))
    found = ", ".join(sorted(child.name for child in root.iterdir())[:12]) or "nothing"
    raise InputError(f"data.source: {root} has no known layout. Found: {found}. Looked for:\n{_SOUGHT}")


def _ucsd(root: Path) -> VideoSource | None:
    if not _visible(folder_named(root, "Train"), "Train[0-9]*"):
        return None
    train = _normal(_clips(folder_named(root, "Train"), "Train[0-9]*"))
    folders = _clips(folder_named(root, "Test"), "Test[0-9]*")
    test = [clip for clip in folders if not clip.name.lower().endswith("_gt")]
    masks = {clip.name: clip.path for clip in folders if clip.name.lower().endswith("_gt")}
    lists = _visible(folder_named(root, "Test"), "*.m")
    labels = _by_number(read_ucsd_spans(lists[0]), test, lists[0]) if lists else {}
    return VideoSource("UCSD", train, _attach(test, labels, masks, root))


def _avenue(root: Path) -> VideoSource | None:
    if not folder_named(root, "training_videos").is_dir():
        return None
    folder = _first_folder(root, ("testing_label_mask", "ground_truth_demo/testing_label_mask"))
    masks = {path.stem: path for path in _visible(folder, "*.mat")} if folder else {}
    test = _clips(folder_named(root, "testing_videos"))
    train = _normal(_clips(folder_named(root, "training_videos")))
    return VideoSource("Avenue", train, _attach(test, {}, masks, root))


def _research(root: Path) -> VideoSource | None:
    training, testing = folder_named(root, "training"), folder_named(root, "testing")
    if not training.is_dir() and not testing.is_dir():
        return None
    train_folder, test_folder = (_first_folder(part, ("frames", "videos")) or part for part in (training, testing))
    test = _clips(test_folder)
    labels: Mapping[str, Spans | FrameFlags] = {}
    masks: dict[str, Path] = {}
    layout = "research"
    for folder in (testing, root):
        if not labels and (found := _first_folder(folder, _FRAME_LABEL_FOLDERS)):
            labels = {path.stem: FrameFlags(path, read_array(path)) for path in _visible(found, "*.npy")}
            layout = "ShanghaiTech" if found.name == "test_frame_mask" else layout
        if not labels:
            labels = _labels_in_one_file(folder, test)
        if not masks and (found := _first_folder(folder, _MASK_FOLDERS)):
            masks = {path.stem: path for path in children(found)}
    return VideoSource(layout, _normal(_clips(train_folder)), _attach(test, labels, masks, root))


def _plain(root: Path) -> VideoSource | None:
    train_folder, test_folder = folder_named(root, "train"), folder_named(root, "test")
    if not train_folder.is_dir() and not test_folder.is_dir():
        return None
    test = _clips(test_folder)
    table = test_folder / "labels.csv"
    labels = _by_name(read_csv_spans(table), test, table) if table.is_file() else {}
    masks = {path.name: path for path in children(folder_named(test_folder, "masks"))}
    return VideoSource("plain", _normal(_clips(train_folder)), _attach(test, labels, masks, root))


def _flat(root: Path) -> VideoSource | None:
    """A folder of videos alone: what somebody has who has watched a camera, and labelled nothing."""
    videos = children(root, lambda path: path.suffix.lower() in VIDEO_SUFFIXES and path.is_file())
    if not videos:
        return None
    ask_which(
        root,
        videos,
        walk(root, IMAGE_SUFFIXES),
        "move the pictures elsewhere to train on the videos, or make each clip of frames a folder and put all clips, "
        "files and folders, into train/",
    )
    return VideoSource("flat", _normal(_named(videos)), ())


def _by_name(values: Mapping[str, T], clips: Sequence[Clip], table: Path) -> dict[str, T]:
    """Assign the rows of a table to the clips that they name, with or without the ending of a video file.

    Names that differ in how their accents are composed are the same, unless two clips differ in just that.
    """
    names = {clip.name: clip.name for clip in clips}
    for clip in clips:
        names.setdefault(unicodedata.normalize("NFC", clip.name), clip.name)
    found: dict[str, T] = {}
    for written, value in values.items():
        forms = [written, _stem(written), *(unicodedata.normalize("NFC", form) for form in (written, _stem(written)))]
        name = next((names[form] for form in forms if form in names), None)
        if name is None:
            raise InputError(f"{table}: names {written}, no such video in {table.parent}")
        if name in found:
            raise InputError(f"{table}: {written} and a row above it name the same video, {name}; give it one name")
        found[name] = value
    return found


def _labels_in_one_file(folder: Path, test: Sequence[Clip]) -> dict[str, Spans | FrameFlags]:
    """Labels of all clips in one file: a ``.mat`` with ``gt``, or a ``.npy`` of all frames in a row."""
    for path in _visible(folder, "*.mat"):
        spans = read_mat_spans(path)
        if spans is not None:
            return dict(_by_number(spans, test, path))
    arrays = _visible(folder, "*.npy")
    called_labels = [path for path in arrays if re.search(r"label|gt|ground.?truth", path.stem.lower())]
    if array := next(iter(called_labels or filter(is_list_of_numbers, arrays)), None):
        tell_left_out(folder, [other for other in arrays if other != array], "labels", f"; {array.name} is read")
        flags = read_array(array).reshape(-1)
        counts = [len(list_images(clip.path)) if clip.path.is_dir() else 0 for clip in test]
        if unfit := [clip for clip, count in zip(test, counts, strict=True) if not count]:
            raise InputError(
                f"{array}: holds the labels of all clips in a row, which needs folders of frames; {unfit[0].path} is "
                f"none: give one .npy per clip, see docs/video.md"
            )
        if sum(counts) != len(flags):
            raise InputError(
                f"{array}: holds {len(flags)} labels, the {len(test)} test clips have {sum(counts)} frames; "
                "one file for all clips needs one label for each of their frames"
            )
        ends = [sum(counts[: number + 1]) for number in range(len(counts))]
        return {
            clip.name: FrameFlags(array, flags[end - count : end])
            for clip, count, end in zip(test, counts, ends, strict=True)
        }
    tell_left_out(folder, arrays, "labels")
    return {}


def _attach(
    clips: Sequence[Clip],
    labels: Mapping[str, Spans | FrameFlags],
    masks: Mapping[str, Path],
    root: Path,
) -> tuple[Clip, ...]:
    """Give every test clip its labels and masks; a source with neither stays unlabelled."""
    found = [replace(clip, labels=_match(clip.name, labels), masks=_match(clip.name, masks)) for clip in clips]
    missing = [clip.name for clip in found if clip.labels is None and clip.masks is None]
    if missing and (labels or masks):
        there = some_of(sorted({*labels, *masks}))
        raise InputError(
            f"{root}: no labels or masks are there for {len(missing)} of {len(clips)} test clips ({some_of(missing)}); "
            f"there are some for {there}. Call them like the clips, add them, or remove the clips"
        )
    return tuple(found)


def _with_boxes(clips: tuple[Clip, ...], root: Path) -> tuple[Clip, ...]:
    """Give test clips their boxes; one that has none must say by labels or masks what is anomalous in it."""
    folder = _first_folder(root, _BOX_FOLDERS)
    if folder is None or not clips:
        return clips
    files = {path.stem: path for path in box_files(folder)}
    found = tuple(replace(clip, boxes=_match(clip.name, files)) for clip in clips)
    missing = [clip.name for clip in found if clip.boxes is None and clip.labels is None and clip.masks is None]
    if missing:
        raise InputError(
            f"{folder}: there is no file for {len(missing)} of {len(clips)} test clips ({some_of(missing)}); there are "
            f"some for {some_of(sorted(files))}. Call them like the clips; of one without anomalies an empty .txt"
        )
    return found


def _clips(folder: Path, pattern: str = "*") -> tuple[Clip, ...]:
    """Every sub-folder and video file of ``folder`` as a clip, in natural order."""
    labels = (*_FRAME_LABEL_FOLDERS, *_MASK_FOLDERS, "tracks")
    paths = [
        path
        for path in _visible(folder, pattern)
        if (path.is_dir() and path.name.lower() not in labels) or path.suffix.lower() in VIDEO_SUFFIXES
    ]
    beside = list_images(folder)
    if not paths and beside:
        raise InputError(f"{folder}: holds images directly; put the frames of each clip in a folder of its own")
    tell_left_out(folder, beside, "clips")
    return _named(paths)


def _named(paths: Sequence[Path]) -> tuple[Clip, ...]:
    """Return clips by the names of their files, without the ending, or of their folders."""
    names: dict[str, Path] = {}
    for path in paths:
        name = path.name if path.is_dir() else path.stem
        if name in names:
            raise InputError(f"{names[name]} and {path} have the same name {name}; rename one of them")
        names[name] = path
    return tuple(Clip(name, path) for name, path in names.items())


def _normal(clips: Sequence[Clip]) -> tuple[Clip, ...]:
    return tuple(replace(clip, labels=Spans(clip.path, ())) for clip in clips)


def _visible(folder: Path, pattern: str) -> list[Path]:
    return children(folder, lambda path: fnmatchcase(path.name.lower(), pattern.lower()))


def _first_folder(root: Path, names: Sequence[str]) -> Path | None:
    places = (folder_named(root, *name.split("/")) for name in names)
    return next((place for place in places if place.is_dir()), None)


def _stem(name: str) -> str:
    path = Path(name)
    return path.stem if path.suffix.lower() in VIDEO_SUFFIXES else name


def _numbers(name: str) -> tuple[int, ...]:
    return tuple(int(digits) for digits in re.findall(r"[0-9]+", name))


def _match(name: str, candidates: Mapping[str, T]) -> T | None:
    if name in candidates:
        return candidates[name]
    alike = [value for other, value in candidates.items() if _numbers(other) == _numbers(name) != ()]
    return alike[0] if len(alike) == 1 else None


def _by_number(values: Sequence[T], clips: Sequence[Clip], origin: Path) -> dict[str, T]:
    """Assign a list in the order of the full dataset's clips to the clips that are there."""
    numbers = [_numbers(clip.name)[-1:] for clip in clips]
    if len(set(numbers)) == len(clips) and all(n and 1 <= n[0] <= len(values) for n in numbers):
        if len(values) != len(clips):
            rank_zero_warn(
                f"{origin} labels {len(values)} clips, and {len(clips)} are there: each has those of its own number"
            )
        return {clip.name: values[number[0] - 1] for clip, number in zip(clips, numbers, strict=True)}
    if len(values) == len(clips):
        return {clip.name: value for clip, value in zip(clips, values, strict=True)}
    raise InputError(
        f"{origin}: labels {len(values)} clips, there are {len(clips)} and their names do not tell which; add the "
        "missing clips, or give each the number of its labels, as in Test001"
    )

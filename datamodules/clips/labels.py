"""Frame labels and pixel masks of test clips, in the forms in which datasets publish them."""

import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.errors import InputError
from datamodules.listing import list_images, refuse_devices
from datamodules.mask_file import PLAIN, Marking, MaskPixels, array_pixels, mask_pixels
from datamodules.mat_file import read_mat
from datamodules.picture_file import Frame
from datamodules.table_file import read_table

Labels = NDArray[np.int8]

_DAMAGE = (OSError, ValueError, TypeError, EOFError, OverflowError, MemoryError, SyntaxError, tokenize.TokenError)
"""What numpy raises on damaged files."""
_MOST_FRAMES = 2**31


@dataclass(frozen=True)
class Spans:
    """Anomalous spans of one clip, from 0, end exclusive; ``origin`` is the file they were read from."""

    origin: Path
    spans: tuple[tuple[int, int], ...]

    def read(self, frames: int, clip: object = "its clip") -> Labels:
        """Return int8 ``(frames,)``, 1 within a span and 0 elsewhere, for a clip of so many frames.

        Raises:
            InputError: if a span is empty, or starts or ends outside the clip.
        """
        labels = np.zeros(frames, np.int8)
        for start, end in self.spans:
            if not 0 <= start < end <= frames:
                raise InputError(
                    f"{self.origin}: the span from frame {start} up to {end} (counted from 0, the end left out) does "
                    f"not fit {clip}, which has {frames} frames"
                )
            labels[start:end] = 1
        return labels


@dataclass(frozen=True, eq=False)
class FrameFlags:
    """One value per frame of one clip, anomalous where it is not 0; ``origin`` is the file they are from."""

    origin: Path
    flags: NDArray[Any]

    def read(self, frames: int, clip: object = "its clip") -> Labels:
        """Return int8 ``(frames,)`` of 0 and 1, for a clip of so many frames.

        Raises:
            InputError: if the number of values is not the number of frames.
        """
        if self.flags.size != frames:
            raise InputError(f"{self.origin}: labels {self.flags.size} frames, {clip} has {frames}")
        return (self.flags.reshape(-1) != 0).astype(np.int8)


def read_array(path: Path) -> NDArray[Any]:
    """Read a ``.npy`` of numbers.

    Raises:
        InputError: if it is damaged, or a pickle (which could run code).
    """
    refuse_devices(path)
    try:
        array = np.load(path, allow_pickle=False)
    except _DAMAGE as error:
        remedy = (
            "opening a pickle can run code: save one .npy of plain numbers per clip instead"
            if "pickle" in str(error)
            else "it is cut short or no .npy: get or write it anew"
        )
        raise InputError(f"{path}: not a plain array of numbers ({error}); {remedy}") from error
    return np.asarray(array)


def is_list_of_numbers(path: Path) -> bool:
    """Return whether a ``.npy`` holds numbers in a row, as far as its head says; one of objects is not opened."""
    try:
        refuse_devices(path)
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except _DAMAGE:  # also InputError
        return False
    return isinstance(array, np.ndarray) and array.dtype.kind in "buif" and array.size == max(array.shape, default=0)


def read_mat_spans(path: Path) -> list[Spans] | None:
    """Read the variable ``gt`` of a ``.mat``: per clip a 2 x K array of first and last frames, from 1.

    Returns:
        One entry per clip in the file's order, or None if the file has no such variable.
    """
    values = read_mat(path, "gt")
    if values is None:
        return None
    # Clips with one span each may have been saved as one numeric array (clips, 2) instead of cells.
    cells = values.reshape(-1) if values.dtype == object else list(values)
    return [_spans_from_one(path, np.asarray(cell)) for cell in cells]


def read_ucsd_spans(path: Path) -> list[Spans]:
    """Read UCSD's list ``TestVideoFile{end+1}.gt_frame = [60:152, 160];``, frames from 1, end included.

    Raises:
        InputError: if no such line, or a line that cannot be read, is found.
    """
    clips = []
    refuse_devices(path)
    try:
        text = path.read_text(errors="replace")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); allow reading it, or move it away") from error
    for content in re.findall(r"gt_frame\s*=\s*\[([^\]]*)\]", _without_comments(text)):
        spans = []
        for part in filter(None, re.split(r"[,\s]+", re.sub(r"\s*:\s*", ":", content))):
            match = re.fullmatch(r"([0-9]{1,9})(?::([0-9]{1,9}))?", part)
            if match is None:
                raise InputError(f"{path}: cannot read the frames [{content[:200]}]; expected spans like 60:152")
            spans.append((int(match[1]) - 1, int(match[2] or match[1])))
        clips.append(Spans(path, tuple(spans)))
    if not clips:
        raise InputError(f"{path}: no line of the form TestVideoFile{{end+1}}.gt_frame = [60:152];")
    return clips


def _without_comments(text: str) -> str:
    """Return MATLAB's text without comments (``%``; ``%{`` to ``%}``, each alone on a line), joined at ``...``."""
    kept: list[str] = []
    depth = 0
    for line in text.splitlines():
        depth += line.strip() == "%{"
        if depth == 0:
            kept.append(line.partition("%")[0])
        depth -= depth > 0 and line.strip() == "%}"
    return re.sub(r"\.\.\.[^\n]*\n", " ", "\n".join(kept))


def read_csv_spans(path: Path) -> dict[str, Spans]:
    """Read a CSV with the header ``video,start,end``: frames from 0, end exclusive, one span per row.

    A row with empty ``start`` and ``end`` names a clip without anomalies. Spreadsheets' ways of writing it are read,
    see :func:`~datamodules.table_file.read_table`.

    Raises:
        InputError: if the header or a row cannot be read.
    """
    spans: dict[str, list[tuple[int, int]]] = {}
    for line, row in read_table(path, ("video", "start", "end")):
        found = spans.setdefault(row["video"], [])
        start, end = row["start"], row["end"]
        if start == end == "":
            continue
        if not all(re.fullmatch("[0-9]{1,9}", number) for number in (start, end)):
            raise InputError(
                f"{path}, line {line}: start {start[:20]!r} and end {end[:20]!r} must be whole numbers of "
                "frames, or both empty for a clip without anomalies"
            )
        found.append((int(start), int(end)))
    return {name: Spans(path, tuple(found)) for name, found in spans.items()}


def read_masks(path: Path, marking: Marking = PLAIN) -> Iterator[Frame]:
    """Yield the mask of every frame as uint8 ``(H, W)``, 1 on anomalous pixels.

    Args:
        path: as ``masks_of_frames`` takes it.
        marking: which values mark.

    Raises:
        InputError: if it cannot be read as one of these.
    """
    return map(marking.read, masks_of_frames(path))


def masks_of_frames(path: Path) -> Iterator[MaskPixels]:
    """Yield the values of the mask of every frame.

    Args:
        path: a folder of images in the order of the frames, a ``.npy`` ``(T, H, W)``, or a ``.mat`` with ``volLabel``.

    Raises:
        InputError: if it cannot be read as one of these.
    """
    if path.is_dir():
        yield from map(mask_pixels, list_images(path))
        return
    volume = read_mat(path, "volLabel") if path.suffix == ".mat" else read_array(path)
    if volume is None:
        raise InputError(f"{path}: has no variable volLabel")
    if volume.dtype == object:
        volume = volume.reshape(-1)
    elif volume.ndim != 3:
        raise InputError(f"{path}: masks must be an array of frames x height x width, is {volume.shape}")
    for mask in volume:
        yield array_pixels(path, np.asarray(mask))


def _spans_from_one(path: Path, cell: NDArray[Any]) -> Spans:
    while cell.dtype == object and cell.size == 1:
        cell = np.asarray(cell.item())
    if cell.size == 0:
        return Spans(path, ())
    if cell.dtype == object or cell.size % 2:
        raise InputError(f"{path}: expected 2 x K first and last frames per clip, found shape {cell.shape}")
    if not (np.abs(cell) < _MOST_FRAMES).all():  # also where NaN
        raise InputError(
            f"{path}: frames must be numbers below {_MOST_FRAMES:,}, found {cell.reshape(-1).tolist()[:8]}"
        )
    first, last = cell.reshape(2, -1).astype(int)
    return Spans(path, tuple((int(a) - 1, int(b)) for a, b in zip(first, last, strict=True)))

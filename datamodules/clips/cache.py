"""Every clip is decoded once, into memory-mapped arrays at the size in which models see it.

A cached clip is a folder: ``frames.npy`` uint8 ``(T, C, H, W)`` (C = 1 where red, green and blue are equal
throughout, else 3), ``clip.json``, and where masks exist ``mask.npy`` uint8 ``(T, H, W)`` and
``anomalous.npy``. Its name holds a fingerprint of the source and the settings, so that a changed file is
decoded anew. It is built under another name and renamed when complete: what is there is whole, whoever else
builds it.
"""

import hashlib
import json
import os
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, Literal, Self

import numpy as np
from numpy.typing import NDArray

from datamodules.batches import UNKNOWN_LABEL
from datamodules.clips.labels import Labels, read_masks
from datamodules.clips.video_layouts import Clip
from datamodules.draft_folder import draft_folder
from datamodules.errors import InputError
from datamodules.file_identity import file_edges
from datamodules.letterbox import Letterbox, Region
from datamodules.media import Frame, list_images, read_frames
from datamodules.progress import decoding_progress

FORMAT = 1
"""Raised whenever the same source and settings would be stored differently."""

_HEADER = 128  # bytes of a .npy header of up to 4 dimensions


@dataclass(frozen=True, eq=False)
class CachedClip:
    """A clip that can be read at any frame without decoding; pickles as its paths.

    Attributes:
        name: of the clip, unique within its split.
        folder: of the cache.
        length: number of frames.
        region: top, left, height, width of the picture within the letterbox.
        label: int8 ``(length,)``: 1 anomalous, 0 normal, -1 unknown.
        has_masks: whether ``masks`` can be read.
    """

    name: str
    folder: Path
    length: int
    region: Region
    label: Labels
    has_masks: bool

    def frames(self, numbers: slice | NDArray[np.int64]) -> Frame:
        """Return uint8 ``(T, C, H, W)`` with C = 1 for a grey clip, else 3."""
        return np.asarray(_map(self.folder / "frames.npy")[numbers])

    def masks(self, numbers: slice | NDArray[np.int64]) -> Frame:
        """Return uint8 ``(T, H, W)`` of 0 and 1."""
        if self.has_masks:
            return np.asarray(_map(self.folder / "mask.npy")[numbers])
        shown = _map(self.folder / "frames.npy")[numbers]
        return np.zeros((len(shown), *shown.shape[2:]), np.uint8)


def cache_clips(
    clips: Sequence[Clip],
    letterbox: Letterbox,
    folder: Path,
    min_length: int,
    on_bad_file: Literal["error", "skip"],
) -> list[CachedClip]:
    """Open clips from the cache; those that are not there are decoded, several at a time.

    Args:
        clips: what to open.
        letterbox: the size and the way of fitting.
        folder: of the cache.
        min_length: frames below which a clip is of no use.
        on_bad_file: whether a clip that cannot be used ends the run or is left out with a warning.

    Raises:
        InputError: naming the first unusable clip, unless those are skipped.
    """
    targets: dict[int, Path] = {}
    failures: dict[int, InputError] = {}
    for number, clip in enumerate(clips):
        try:
            targets[number] = folder / f"{clip.name}-{fingerprint(clip, letterbox)}"
        except InputError as error:
            failures[number] = error
    missing = [number for number, target in targets.items() if not target.is_dir()]
    if missing:
        with decoding_progress() as progress, ThreadPoolExecutor(min(len(missing), os.cpu_count() or 1)) as pool:
            task = progress.add_task("decoding into the cache", total=len(missing))

            def build(number: int) -> None:
                try:
                    with draft_folder(targets[number]) as draft:
                        _decode(clips[number], letterbox, draft)
                except InputError as error:
                    failures[number] = error
                progress.advance(task)

            for done in [pool.submit(build, number) for number in missing]:
                done.result()
    opened = []
    for number, clip in enumerate(clips):
        try:
            if number in failures:
                raise failures[number]
            opened.append(_open(clip, targets[number], min_length))
        except InputError as error:
            if on_bad_file == "error":
                raise InputError(f"{error}\n(data.on_bad_file: skip leaves such clips out)") from error
            warnings.warn(f"left out: {error}", stacklevel=2)
    return opened


def fingerprint(clip: Clip, letterbox: Letterbox) -> str:
    """Return 16 hexadecimal digits that change with the clip's files, its masks and the settings."""
    digest = hashlib.blake2b(repr((FORMAT, asdict(letterbox))).encode(), digest_size=8)
    for path in filter(None, (clip.path, clip.masks)):
        files = list_images(path) if path.is_dir() else [path]
        try:
            for file in files:
                status = file.stat()
                digest.update(repr((str(file.resolve()), status.st_size, status.st_mtime_ns)).encode())
            for file in (*files[:1], *files[-1:]):
                digest.update(file_edges(file))
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror}: {error.filename})") from error
    return digest.hexdigest()


def _open(clip: Clip, folder: Path, min_length: int) -> CachedClip:
    facts = json.loads((folder / "clip.json").read_text())
    length, has_masks = facts["frames"], (folder / "mask.npy").exists()
    if length < min_length:
        raise InputError(
            f"{clip.path}: has {length} frames, a window of data.num_frames x data.frame_step needs {min_length}"
        )
    if clip.labels is not None:
        label = clip.labels.read(length)
    elif has_masks:
        label = np.load(folder / "anomalous.npy")
    else:
        label = np.full(length, UNKNOWN_LABEL, np.int8)
    return CachedClip(clip.name, folder, length, tuple(facts["region"]), label, has_masks)


def _decode(clip: Clip, letterbox: Letterbox, folder: Path) -> None:
    size: tuple[int, ...] = ()
    with _GrowingArray(folder / "frames.npy") as frames:
        for frame in read_frames(clip.path):
            size = frame.shape[:2]
            frames.append(letterbox.picture(frame))
    if not size:
        raise InputError(f"{clip.path}: no frame could be decoded; the file is damaged or empty")
    if clip.masks is not None:
        _decode_masks(clip.masks, letterbox, folder, frames.length, size)
    facts = {"source": str(clip.path), "frames": frames.length, "region": letterbox.region(*size)}
    (folder / "clip.json").write_text(json.dumps(facts))


def _decode_masks(path: Path, letterbox: Letterbox, folder: Path, length: int, size: tuple[int, ...]) -> None:
    anomalous: list[bool] = []
    with _GrowingArray(folder / "mask.npy") as masks:
        for mask in read_masks(path):
            if mask.shape != size:
                raise InputError(
                    f"{path}: mask {len(anomalous)} measures {mask.shape[-1]}x{mask.shape[0]}, the frames of "
                    f"its clip {size[1]}x{size[0]}"
                )
            anomalous.append(bool(mask.any()))
            masks.append(letterbox.mask(mask))
    if len(anomalous) != length:
        raise InputError(f"{path}: holds {len(anomalous)} masks, its clip has {length} frames")
    np.save(folder / "anomalous.npy", np.asarray(anomalous, np.int8))


class _GrowingArray:
    """A ``.npy`` of uint8 written item by item, in memory for one item only.

    Items ``(3, H, W)`` are kept as ``(1, H, W)`` as long as their channels are equal; at the first one that
    has colour, what was written is spread to three channels.
    """

    def __init__(self, path: Path) -> None:
        self._path, self.length = path, 0
        self._shape: tuple[int, ...] = ()
        self._file: IO[bytes]

    def append(self, item: Frame) -> None:
        if item.ndim == 3 and self._shape[:1] != (3,):
            grey = item[:1]
            if (item == grey).all():
                item = grey
            elif self.length:
                self._spread()
        self._shape = item.shape
        self._file.write(item.tobytes())
        self.length += 1

    def _spread(self) -> None:
        """Write the grey items again with three channels."""
        self._file.flush()
        colour = self._path.with_suffix(".colour")
        with colour.open("wb") as file:
            file.write(bytes(_HEADER))
            stored = np.memmap(self._path, np.uint8, "r", _HEADER, (self.length, *self._shape))
            for item in stored:
                file.write(np.repeat(item, 3, axis=0).tobytes())
        self._file.close()
        colour.replace(self._path)
        self._file = self._path.open("r+b")
        self._file.seek(0, os.SEEK_END)

    def __enter__(self) -> Self:
        self._file = self._path.open("wb")
        self._file.write(bytes(_HEADER))
        return self

    def __exit__(self, *_: object) -> None:
        header = {"descr": "|u1", "fortran_order": False, "shape": (self.length, *self._shape)}
        self._file.seek(0)
        np.lib.format.write_array_header_1_0(self._file, header)
        assert self._file.tell() == _HEADER
        self._file.close()


@lru_cache(maxsize=256)  # each mapping holds a file descriptor, of which a process may have 1,024
def _map(path: Path) -> NDArray[np.uint8]:
    mapped: NDArray[np.uint8] = np.load(path, mmap_mode="r")
    return mapped

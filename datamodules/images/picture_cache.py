"""Every picture is decoded once, into one memory-mapped array at the size in which models see it.

A cached set is a folder: ``pictures.npy`` uint8 ``(N, C, H, W)`` and ``index.json``, which tells what each row
is and which files could not be read. Its name holds a fingerprint of the files and the settings.
"""

import hashlib
import json
import os
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.transforms.v2 import functional

from datamodules.draft_folder import draft_folder
from datamodules.errors import InputError
from datamodules.images.picture_layouts import Picture
from datamodules.letterbox import Letterbox
from datamodules.media import Frame
from datamodules.picture_file import Channels, read_picture
from datamodules.progress import decoding_progress

FORMAT = 2
"""Raised whenever the same files and settings would be stored differently."""

_HEADER = 128  # bytes of a .npy header of 4 dimensions
_AT_ONCE = 256  # pictures decoded before their rows are written
_NAMED = 5  # unreadable files named in a message


@dataclass(frozen=True)
class PictureForm:
    """The form into which every picture is brought.

    Attributes:
        height: in pixels.
        width: in pixels.
        channels: 1 grey, 3 RGB.
        fit: ``letterbox`` keeps the shape of things and fills the rest with ``background``; ``stretch`` fills
            the picture and changes the shape; ``crop`` cuts the middle out in the right shape.
        background: grey level behind what is transparent and beside what is letterboxed, 0 to 255.
        max_pixels: width x height above which a file is refused.
    """

    height: int
    width: int
    channels: Channels
    fit: Literal["letterbox", "stretch", "crop"]
    background: int
    max_pixels: int

    def read(self, path: Path) -> Frame:
        """Return the picture of a file as uint8 ``(C, height, width)``; raises ``InputError``."""
        picture = read_picture(path, self.channels, self.background, self.max_pixels)
        return self.bring(torch.from_numpy(picture).permute(2, 0, 1)).numpy()

    def bring(self, picture: Tensor) -> Tensor:
        """Map uint8 ``(C, h, w)`` to ``(C, height, width)``, bilinearly, averaging where it shrinks."""
        height, width = picture.shape[-2:]
        size = [self.height, self.width]
        if self.fit == "crop":
            cut = [min(height, width * self.height / self.width), min(width, height * self.width / self.height)]
            return functional.resize(functional.center_crop(picture, [max(1, round(side)) for side in cut]), size)
        if self.fit == "stretch":
            return functional.resize(picture, size)
        top, left, height, width = Letterbox(self.height, self.width).region(height, width)
        bars = [left, top, self.width - width - left, self.height - height - top]
        return functional.pad(functional.resize(picture, [height, width]), bars, fill=self.background)


@dataclass(frozen=True)
class CachedPictures:
    """Decoded pictures; pickles as the path of their array.

    Attributes:
        path: of the array.
        row: of every readable picture, by its name.
        digest: of every readable picture's content at the cached size, by its name.
        unreadable: why a picture cannot be read, by its name.
    """

    path: Path
    row: dict[str, int]
    digest: dict[str, str]
    unreadable: dict[str, str]


def cache_pictures(
    pictures: Sequence[Picture], form: PictureForm, folder: Path, on_bad_file: Literal["error", "skip"]
) -> CachedPictures:
    """Open pictures from the cache; if they are not there all of them are decoded, several at a time.

    Raises:
        InputError: naming what cannot be read, unless that is skipped; if nothing can be read.
    """
    target = folder / _fingerprint(pictures, form)
    if not target.is_dir():
        with draft_folder(target) as draft:
            _decode(pictures, form, draft)
    facts = json.loads((target / "index.json").read_text())
    cached = CachedPictures(target / "pictures.npy", **facts)
    if cached.unreadable:
        reasons = list(cached.unreadable.values())
        more = f"\n... and {len(reasons) - _NAMED} more" if len(reasons) > _NAMED else ""
        text = "\n".join(reasons[:_NAMED]) + more
        if on_bad_file == "error" or not cached.row:
            raise InputError(f"{text}\n(data.on_bad_file: skip leaves such pictures out)")
        warnings.warn(f"left out {len(reasons)} of {len(pictures)} pictures:\n{text}", stacklevel=2)
    return cached


@lru_cache(maxsize=16)
def mapped(path: Path) -> NDArray[np.uint8]:
    """Return the array of a file without reading it."""
    array: NDArray[np.uint8] = np.load(path, mmap_mode="r")
    return array


def _fingerprint(pictures: Sequence[Picture], form: PictureForm) -> str:
    """Return 16 hexadecimal digits that change with the files and the form."""
    digest = hashlib.blake2b(repr((FORMAT, asdict(form))).encode(), digest_size=8)
    for picture in pictures:
        try:
            status = picture.path.stat()
            facts = (os.path.realpath(picture.path), status.st_size, status.st_mtime_ns)
        except OSError as error:  # such as a link to nothing: unreadable, and named as such when it is read
            facts = (str(picture.path), error.errno or 0, 0)
        digest.update(repr((picture.name, *facts)).encode())
    return digest.hexdigest()


def _decode(pictures: Sequence[Picture], form: PictureForm, folder: Path) -> None:
    row: dict[str, int] = {}
    digest: dict[str, str] = {}
    unreadable: dict[str, str] = {}
    with (folder / "pictures.npy").open("wb") as file:
        file.write(bytes(_HEADER))
        for picture, result in zip(pictures, _read(pictures, form), strict=True):
            if isinstance(result, InputError):
                unreadable[picture.name] = str(result)
                continue
            data = result.tobytes()
            file.write(data)
            row[picture.name] = len(row)
            digest[picture.name] = hashlib.blake2b(data, digest_size=16).hexdigest()
        file.seek(0)
        shape = (len(row), form.channels, form.height, form.width)
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        assert file.tell() == _HEADER
    index = {"row": row, "digest": digest, "unreadable": unreadable}
    (folder / "index.json").write_text(json.dumps(index))


def _read(pictures: Sequence[Picture], form: PictureForm) -> Iterator[Frame | InputError]:
    """Yield each picture, or why it cannot be read."""

    def read(picture: Picture) -> Frame | InputError:
        try:
            return form.read(picture.path)
        except InputError as error:
            return error

    with decoding_progress() as progress, ThreadPoolExecutor(os.cpu_count()) as pool:
        task = progress.add_task("decoding into the cache", total=len(pictures))
        for start in range(0, len(pictures), _AT_ONCE):  # map() would read everything before it is asked
            for result in pool.map(read, pictures[start : start + _AT_ONCE]):
                yield result
                progress.advance(task)

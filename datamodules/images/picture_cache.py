"""Every picture is decoded once, into one memory-mapped array at the size in which models see it.

A cached set is a folder: ``pictures.npy`` uint8 ``(N, C, H, W)`` and ``index.json``, which tells what each row
is and which files could not be read; see :mod:`datamodules.decode_cache`.
"""

import hashlib
import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional

from datamodules.arrays import GrowingArray
from datamodules.decode_cache import IDENTITIES, fingerprint, made_once
from datamodules.deep_pictures import BitRange
from datamodules.errors import BadFile, InputError
from datamodules.file_identity import content_hash
from datamodules.images.picture_layouts import Picture
from datamodules.letterbox import Letterbox
from datamodules.parallel import in_parallel
from datamodules.picture_file import Channels, Frame, in_channels, read_picture

FORMAT = 3
"""Raised whenever the same files and settings would be stored differently."""

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
        bit_range: values of black and white in pictures of more than 8 bits.
    """

    height: int
    width: int
    channels: Channels
    fit: Literal["letterbox", "stretch", "crop"]
    background: int
    max_pixels: int
    bit_range: BitRange | None = None

    def read(self, path: Path) -> Frame:
        """Return the picture of a file as uint8 ``(C, height, width)``; raises ``InputError``."""
        return self.given(read_picture(path, self.channels, self.background, self.max_pixels, self.bit_range))

    def given(self, picture: Frame) -> Frame:
        """Return a picture uint8 ``(h, w, 1 or 3)`` as uint8 ``(C, height, width)``."""
        pixels = torch.from_numpy(in_channels(picture, self.channels))
        return self.bring(pixels.permute(2, 0, 1)).numpy()

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


def cache_pictures(pictures: Sequence[Picture], form: PictureForm, cache: Path, on_bad_file: BadFile) -> CachedPictures:
    """Open pictures from the cache; if they are not there all of them are decoded, several at a time.

    Raises:
        InputError: naming what cannot be read, unless that is skipped; if nothing can be read.
    """
    look = partial(in_parallel, description="looking for changed pictures")
    contents = content_hash([picture.path for picture in pictures], cache / IDENTITIES, look)
    name = fingerprint(FORMAT, form, [picture.name for picture in pictures], contents)
    folder = made_once(cache / "pictures" / name, lambda draft: _decode(pictures, form, draft))
    facts = json.loads((folder / "index.json").read_text())
    places = {picture.name: picture.path for picture in pictures}
    facts["unreadable"] = {name: f"{places[name]}: {reason}" for name, reason in facts["unreadable"].items()}
    cached = CachedPictures(folder / "pictures.npy", **facts)
    if cached.unreadable:
        reasons = list(cached.unreadable.values())
        more = f"\n... and {len(reasons) - _NAMED} more" if len(reasons) > _NAMED else ""
        text = "\n".join(reasons[:_NAMED]) + more
        if not cached.row:
            raise InputError(f"data.source: none of the {len(pictures)} pictures can be read; name others\n{text}")
        if on_bad_file == "error":
            raise InputError(f"{text}\n(data.on_bad_file: skip leaves such pictures out)")
        warnings.warn(f"left out {len(reasons)} of {len(pictures)} pictures:\n{text}", stacklevel=2)
    return cached


def _decode(pictures: Sequence[Picture], form: PictureForm, folder: Path) -> None:
    def read(picture: Picture) -> Frame | InputError:
        try:
            return form.read(picture.path)
        except InputError as error:
            return error

    row: dict[str, int] = {}
    digest: dict[str, str] = {}
    unreadable: dict[str, str] = {}
    with GrowingArray(folder / "pictures.npy", "u1", (form.channels, form.height, form.width)) as array:
        for picture, result in zip(pictures, in_parallel(read, pictures), strict=True):
            if isinstance(result, InputError):  # the place may be another one when it is told
                unreadable[picture.name] = str(result).removeprefix(f"{picture.path}: ")
                continue
            row[picture.name] = array.length
            array.append(result[None])
            digest[picture.name] = hashlib.blake2b(result.tobytes(), digest_size=16).hexdigest()
    index = {"row": row, "digest": digest, "unreadable": unreadable}
    (folder / "index.json").write_text(json.dumps(index))

"""Every clip is decoded once, into memory-mapped arrays at the size in which models see it.

A cached clip is a folder: ``frames.npy`` uint8 ``(T, C, H, W)`` (C = 1 where red, green and blue are equal
throughout, else 3), ``clip.json``, and where masks or boxes exist ``mask.npy`` uint8 ``(T, H, W)`` and
``anomalous.npy``; of boxes also ``boxes.npy``; see :mod:`datamodules.decode_cache`.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from lightning.pytorch.utilities import rank_zero_warn
from numpy.typing import NDArray

from datamodules.arrays import GrowingArray, GrowingPictures, mapped
from datamodules.batches import UNKNOWN_LABEL
from datamodules.clips.boxes import Boxes, boxed_pixels, read_boxes
from datamodules.clips.labels import Labels, masks_of_frames, read_masks
from datamodules.clips.video_layouts import Clip
from datamodules.decode_cache import open_all
from datamodules.deep_pictures import BitRange
from datamodules.errors import BadFile, InputError
from datamodules.letterbox import Letterbox, Region
from datamodules.mask_file import Marking
from datamodules.mask_marking import decide_marking
from datamodules.media import read_frames
from datamodules.picture_file import Frame


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
        return np.asarray(mapped(self.folder / "frames.npy")[numbers])

    def masks(self, numbers: slice | NDArray[np.int64]) -> Frame:
        """Return uint8 ``(T, H, W)`` of 0 and 1."""
        if self.has_masks:
            return np.asarray(mapped(self.folder / "mask.npy")[numbers])
        shown = mapped(self.folder / "frames.npy")[numbers]
        return np.zeros((len(shown), *shown.shape[2:]), np.uint8)

    def boxes(self) -> Boxes | None:
        """Return what is anomalous by boxes, see :data:`~datamodules.clips.boxes.Boxes`; None where nobody drew any."""
        path = self.folder / "boxes.npy"
        return np.load(path) if path.exists() else None


def cache_clips(
    clips: Sequence[Clip],
    letterbox: Letterbox,
    cache: Path,
    min_length: int,
    on_bad_file: BadFile,
    bit_range: BitRange | None = None,
) -> list[CachedClip]:
    """Open clips from the cache; those that are not there are decoded, several at a time.

    Args:
        clips: what to open.
        letterbox: the size and the way of fitting.
        cache: its folder.
        min_length: frames below which a clip is of no use.
        on_bad_file: whether a clip that cannot be used ends the run or is left out with a warning.
        bit_range: values of black and white in frames of more than 8 bits.

    Raises:
        InputError: naming the first unusable clip, unless those are skipped.
    """
    marking = decide_marking([clip.masks for clip in clips if clip.masks], cache, masks_of_frames)
    return open_all(clips, _ClipRoom(letterbox, min_length, marking, bit_range), cache, on_bad_file)


@dataclass(frozen=True)
class _ClipRoom:
    """How clips are decoded and opened."""

    letterbox: Letterbox
    min_length: int
    marking: Marking
    bit_range: BitRange | None
    name = "video"
    kind = "clips"
    format = 4

    def settings(self, item: Clip) -> tuple[Letterbox, Marking | None, BitRange | None]:
        return self.letterbox, self.marking if item.masks else None, self.bit_range

    def sources(self, item: Clip) -> list[Path]:
        return [path for path in (item.path, item.masks, item.boxes) if path]

    def decode(self, item: Clip, folder: Path) -> None:
        size: tuple[int, ...] = ()
        with GrowingPictures(folder / "frames.npy", self.letterbox.height, self.letterbox.width) as frames:
            for frame in read_frames(item.path, self.bit_range):
                size = frame.shape[:2]
                frames.append(self.letterbox.picture(frame)[None])
        if not size:
            raise InputError(f"{item.path}: no frame could be decoded; the file is damaged or empty")
        if item.boxes is not None:
            region = self.letterbox.region(*size)
            boxes = read_boxes(item.boxes, frames.length, size, region, item.path)
            np.save(folder / "boxes.npy", boxes)
            if item.masks is None:
                _fill_boxes(boxes, self, folder, frames.length)
        if item.masks is not None:
            _decode_masks(item.masks, self, folder, frames.length, size)
        facts = {"source": str(item.path), "frames": frames.length, "region": self.letterbox.region(*size)}
        (folder / "clip.json").write_text(json.dumps(facts))

    def open(self, item: Clip, folder: Path) -> CachedClip:
        facts = json.loads((folder / "clip.json").read_text())
        length, has_masks = facts["frames"], (folder / "mask.npy").exists()
        if length < self.min_length:
            raise InputError(
                f"{item.path}: has {length} frames, a window of data.num_frames x data.frame_step needs "
                f"{self.min_length}"
            )
        if item.labels is not None:
            label = item.labels.read(length, item.path)
            if has_masks and (differing := np.flatnonzero(label != np.load(folder / "anomalous.npy"))).size:
                kind = "masks" if item.masks else "boxes"
                rank_zero_warn(
                    f"{item.path}: labels and {kind} disagree in {differing.size} of {length} frames (first: "
                    f"{differing[0]}); frames are judged by the labels, pixels by the {kind}"
                )
        elif has_masks:
            label = np.load(folder / "anomalous.npy")
        else:
            label = np.full(length, UNKNOWN_LABEL, np.int8)
        return CachedClip(item.name, folder, length, tuple(facts["region"]), label, has_masks)


def _decode_masks(path: Path, room: _ClipRoom, folder: Path, length: int, size: tuple[int, ...]) -> None:
    anomalous: list[bool] = []
    with GrowingArray(folder / "mask.npy", np.uint8, (room.letterbox.height, room.letterbox.width)) as masks:
        for mask in read_masks(path, room.marking):
            if mask.shape != size:
                raise InputError(
                    f"{path}: mask {len(anomalous)} measures {mask.shape[-1]}x{mask.shape[0]}, the frames of "
                    f"its clip {size[1]}x{size[0]}"
                )
            anomalous.append(bool(mask.any()))
            masks.append(room.letterbox.mask(mask)[None])
    if len(anomalous) != length:
        raise InputError(f"{path}: holds {len(anomalous)} masks, its clip has {length} frames")
    np.save(folder / "anomalous.npy", np.asarray(anomalous, np.int8))


def _fill_boxes(boxes: Boxes, room: _ClipRoom, folder: Path, length: int) -> None:
    """Write masks of what lies in the boxes."""
    with GrowingArray(folder / "mask.npy", np.uint8, (room.letterbox.height, room.letterbox.width)) as masks:
        for frame in range(length):
            masks.append(boxed_pixels(boxes, frame, room.letterbox.height, room.letterbox.width)[None])
    np.save(folder / "anomalous.npy", np.isin(np.arange(length), boxes[:, 0]).astype(np.int8))

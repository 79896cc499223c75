"""Datasets of inspected parts: tiles to train on, whole pictures to judge, and copies with synthetic defects."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch.utils.data import Dataset

from datamodules.batches import PartBatch, TileBatch
from datamodules.parts.inspection_folder import Part
from datamodules.parts.part_pictures import PictureReader
from datamodules.parts.synthetic_defects import Kind, add_defects
from datamodules.picture_file import Frame
from datamodules.seeding import derive_seed

Flips = tuple[bool, bool]


@dataclass(frozen=True)
class PlacedPart:
    """A part, the first column of it that counts and its digest; with ``synthetic``, a copy with such defects."""

    part: Part
    start: int
    digest: str
    synthetic: Kind | None = None

    @property
    def name(self) -> str:
        """Name of the picture, that of a copy with the kind of its defects behind it."""
        return f"{self.part.name}-{self.synthetic}" if self.synthetic else self.part.name


@dataclass(slots=True)
class Tile:
    """One row of a ``TileBatch``, as an array ``(C, S, S)``."""

    image: Frame
    group: str
    index: int


def tile_origins(length: int, start: int, tile: int, stride: int) -> list[int]:
    """Return where tiles begin every ``stride`` pixels from ``start`` on, with a last one that ends at ``length``.

    >>> tile_origins(1000, 256, 256, 256)
    [256, 512, 744]
    """
    last = length - tile
    return [*range(start, last, stride), last]


class TrainingTiles(Dataset[Tile]):
    """Tiles of faultless pictures, mirrored at random; the pictures are read once and kept as bytes in memory.

    Whether a tile is mirrored is a function of (seed, epoch, index).

    Args:
        parts: what to cut.
        reader: of the pictures.
        stride: distance between tiles in pixels.
        flips: whether half of the tiles are mirrored left to right, and top to bottom.
        seed: of the run.
    """

    def __init__(
        self, parts: Sequence[PlacedPart], reader: PictureReader, stride: int, flips: Flips, seed: int
    ) -> None:
        self._pictures = [reader.picture(placed.part) for placed in parts]
        self._groups = [placed.part.group for placed in parts]
        self._size, self._flips, self._seed = reader.tile, flips, seed
        self._tiles = [
            (number, top, left)
            for number, (picture, placed) in enumerate(zip(self._pictures, parts, strict=True))
            for top in tile_origins(picture.shape[1], 0, reader.tile, stride)
            for left in tile_origins(picture.shape[2], placed.start, reader.tile, stride)
        ]

    def __len__(self) -> int:
        return len(self._tiles)

    def __getitem__(self, key: tuple[int, int]) -> Tile:
        epoch, index = key
        number, top, left = self._tiles[index]
        image = self._pictures[number][:, top : top + self._size, left : left + self._size]
        random = np.random.default_rng(derive_seed(self._seed, "augment", epoch, index))
        mirrored = random.random(2) < 0.5
        if self._flips[0] and mirrored[0]:
            image = image[:, :, ::-1]
        if self._flips[1] and mirrored[1]:
            image = image[:, ::-1]
        return Tile(image, self._groups[number], index)


class PartPictures(Dataset[PartBatch]):
    """Whole pictures in order, read when they are asked for.

    Args:
        parts: what to show.
        reader: of the pictures.
        seed: of the synthetic defects, which are a function of it, the picture's name and their kind.
        with_masks: whether masks are read.
    """

    def __init__(self, parts: Sequence[PlacedPart], reader: PictureReader, seed: int, with_masks: bool) -> None:
        self._parts, self._reader, self._seed, self._with_masks = parts, reader, seed, with_masks

    def __len__(self) -> int:
        return len(self._parts)

    def __getitem__(self, index: int) -> PartBatch:
        placed = self._parts[index]
        part, kind = placed.part, placed.synthetic
        image = self._reader.picture(part)
        mask = self._reader.mask(part, (image.shape[1], image.shape[2])) if self._with_masks else None
        if kind is not None:
            random = np.random.default_rng(derive_seed(self._seed, "synthetic defects", part.name, kind))
            image, mask = add_defects(image, kind, placed.start, self._reader.tile, random)
            part = replace(part, name=placed.name, defect=f"synthetic_{kind}", label=1)
        return PartBatch(
            image=torch.from_numpy(image),
            name=part.name,
            group=part.group,
            defect=part.defect,
            label=part.label,
            start=placed.start,
            index=index,
            mask=None if mask is None else torch.from_numpy(mask),
        )


def collate_tiles(tiles: Sequence[Tile]) -> TileBatch:
    """Stack tiles into a batch."""
    images = np.stack([tile.image for tile in tiles])
    return TileBatch(torch.from_numpy(images), [tile.group for tile in tiles], torch.tensor([t.index for t in tiles]))


def only(parts: Sequence[PartBatch]) -> PartBatch:
    """Return the picture of a batch of one."""
    (part,) = parts
    return part

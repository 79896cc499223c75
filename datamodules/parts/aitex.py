"""The data module of visual inspection: strips of fabric in the layout of AITEX, or pictures of any parts."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from lightning.pytorch.utilities import rank_zero_info
from torch.utils.data import DataLoader

from datamodules.batches import UNKNOWN_LABEL, PartBatch
from datamodules.errors import InputError
from datamodules.listing import some_of
from datamodules.mask_marking import decide_marking
from datamodules.parts.inspection_folder import UNKNOWN, Inspection, Part, list_parts, read_inspection
from datamodules.parts.metal import metal_folder
from datamodules.parts.part_pictures import Examined, PictureReader, examine
from datamodules.parts.part_splits import refuse_shared_pictures, split_normals
from datamodules.parts.parts import PartPictures, PlacedPart, Tile, TrainingTiles, collate_tiles, only
from datamodules.parts.starts import find_starts, refuse_other_starts, warn_of_mask, warn_of_unknown_groups, wide_enough
from datamodules.parts.synthetic_defects import KINDS
from datamodules.parts.weave import weave_folder
from datamodules.picture_file import Frame
from datamodules.ranges import check_range
from datamodules.seeding import global_seed
from datamodules.source import SourceDataModule, Stage
from datamodules.warn_once import tell_once


class AitexDataModule(SourceDataModule[PlacedPart]):
    """Tiles of faultless pictures for training, whole pictures for everything else.

    Training batches are ``TileBatch``; all others are ``PartBatch``, one picture each. ``docs/fabric.md`` shows the
    folder layouts, the splits and the search for the fabric's first column.

    Args:
        source: folder of a dataset in one of the known layouts; for ``predict`` a picture or a folder of pictures.
            None uses a generated surface with known defects.
        groups: fabrics (``["00", "03"]``) or categories to use; None uses all.
        tile_size: edge of the square tiles in pixels.
        train_stride: distance between training tiles in pixels; less than ``tile_size`` lets them overlap.
        batch_size: tiles per training batch.
        validation_fraction: share of each group's faultless pictures held out for validation, at least one picture.
        test_fraction: the same for the test, where the layout sets no faultless pictures apart for it.
        split_seed: which pictures are held out, and what the synthetic defects look like. Not ``seed_everything``,
            so that runs with other seeds are judged on the same pictures.
        starts: first column of the part by group, in pixels, for groups where the one found is not wanted.
        channels: 1 reads pictures as grey, 3 as RGB.
        clahe: limit of contrast-limited adaptive histogram equalisation, usually 2 to 4; 0 switches it off.
        flip_horizontal: whether half of the training tiles are mirrored left to right.
        flip_vertical: whether half of them are mirrored top to bottom.
        surface: which generated one stands in where there is no source: ``cloth``, a weave, or ``metal``, brushed.
        **common: arguments of ``SourceDataModule``.

    Raises:
        InputError: if an argument is out of its range.
    """

    demo = "a generated surface with known defects"
    item = "picture"
    splitting = ("data.split_seed", "data.validation_fraction", "data.test_fraction")
    decoded_ahead = ()  # nothing is cached: a picture is read when it is asked for

    def __init__(
        self,
        source: str | None = None,
        groups: list[str] | None = None,
        tile_size: int = 256,
        train_stride: int = 128,
        batch_size: int = 16,
        validation_fraction: float = 0.1,
        test_fraction: float = 0.25,
        split_seed: int = 0,
        starts: dict[str, int] | None = None,
        channels: Literal[1, 3] = 1,
        clahe: float = 0.0,
        flip_horizontal: bool = True,
        flip_vertical: bool = True,
        surface: Literal["cloth", "metal"] = "cloth",
        **common: Any,
    ) -> None:
        super().__init__(source, batch_size, **common)
        for key, value, low, high in (
            ("tile_size", tile_size, 16, 4096),
            ("train_stride", train_stride, 1, 4096),
            ("validation_fraction", validation_fraction, 0.001, 0.9),
            ("test_fraction", test_fraction, 0.001, 0.9),
            ("clahe", clahe, 0.0, 1000.0),
            *((f"starts.{group}", start, 0, 1_000_000) for group, start in (starts or {}).items()),
        ):
            check_range(f"data.{key}", value, low, high)
        if groups is not None and not groups:
            raise InputError("data.groups: is [], which leaves nothing; name some, or leave it out for all")
        self.tile_size, self.channels = tile_size, channels
        self.starts: dict[str, int] = {}
        """First column by group, in pixels; known after ``setup``."""
        self._groups = groups
        self._reader = PictureReader(channels, tile_size, clahe, bit_range=self._bit_range)
        self._train_stride = train_stride
        self._validation_fraction, self._test_fraction, self._split_seed = (
            validation_fraction,
            test_fraction,
            split_seed,
        )
        self._given_starts = starts or {}
        # what a checkpoint remembers: first columns and folder layout
        self._learned_starts: dict[str, int] = {}
        self._learned_layout: str | None = None
        self._flips = (flip_horizontal, flip_vertical)
        self._inspection: Inspection | None = None
        self._surface = surface

    def train_dataloader(self) -> DataLoader[Tile]:
        """Shuffled training tiles, as ``TileBatch``."""
        tiles = TrainingTiles(self._splits["train"], self._reader, self._train_stride, self._flips, global_seed())
        return self._training_loader(tiles, collate_tiles, "tiles", " or a smaller data.train_stride")

    def validation_loaders(self) -> list[DataLoader[Any]]:
        """Two loaders: all faultless pictures but those of the test, for calibration; held-out ones with copies.

        The second shows every held-out picture as it is and once with each kind of synthetic defect.
        """
        held_out = self._splits["validation"]
        copies = [replace(placed, synthetic=kind) for placed in held_out for kind in KINDS]
        calibration = self._pictures([*self._splits["train"], *held_out], with_masks=False)
        return [calibration, self._pictures([*held_out, *copies], with_masks=True)]

    def test_loader(self) -> DataLoader[Any]:
        """Faultless pictures that nothing was learned from, and all defective ones, with their masks.

        Raises:
            InputError: the checkpoint was trained on parts that begin elsewhere.
        """
        refuse_other_starts(self.starts, self._learned_starts)
        return self._pictures(self._splits["test"], with_masks=True)

    def predict_dataloader(self) -> DataLoader[Any]:
        """All pictures below the source. Their parts begin where those did that the checkpoint was learned from.

        Raises:
            InputError: no picture is there, or none could be used.
        """
        known = self._known_starts
        names_tell = self._learned_layout in (None, "AITEX")
        listed = list_parts(self._root, known, names_tell)
        parts = [part for part in listed if self._groups is None or part.group in self._groups]
        if not parts:
            raise InputError(f"data.groups: {self._root} holds no picture of {', '.join(self._groups or ())}")
        warn_of_unknown_groups(parts, known, names_tell)
        pictures = examine(parts, self._reader, self._on_bad_file)
        self.starts = find_starts(pictures, known, self.tile_size)
        usable = wide_enough(pictures, self.starts, self.tile_size, self._on_bad_file)
        self._splits["predict"] = self._placed(usable)
        if not self._splits["predict"]:
            raise InputError(f"data.source: all {len(parts)} pictures in {self._root} were left out, see the warnings")
        return self._pictures(self._splits["predict"], with_masks=False)

    def batches_of(self, pictures: Iterable[tuple[str, Frame]], group: str | None = None) -> Iterator[PartBatch]:
        """Yield pictures that a program hands over; no ``setup`` is needed.

        Args:
            pictures: name and picture, uint8 ``(H, W, 1 or 3)``; read as they are needed.
            group: what they show; may be left out where the checkpoint knows a single one, and ``unknown`` has them
                judged by the statistics of all groups together.

        Raises:
            InputError: if the group is not known, or a picture is too small.
        """
        known = self._known_starts
        if group is None:
            group = next(iter(known)) if len(known) == 1 else UNKNOWN if not known else None
        if group is None or (known and group not in (*known, UNKNOWN)):
            told = "not given" if group is None else f"is {group}"
            raise InputError(f"group: {told}; name one of {', '.join(sorted(known))}, or {UNKNOWN}")
        start = known.get(group, 0)
        for index, (name, picture) in enumerate(pictures):
            image = self._reader.given(picture, name)
            if start + self.tile_size > image.shape[2]:
                raise InputError(
                    f"{name}: is {image.shape[2]} columns wide, from column {start} on no tile fits; give a wider one"
                )
            yield PartBatch(
                image=torch.from_numpy(image),
                name=name,
                group=group,
                defect=UNKNOWN,
                label=UNKNOWN_LABEL,
                start=start,
                index=index,
            )

    @property
    def _known_starts(self) -> dict[str, int]:
        """First column by group, as far as the checkpoint or the configuration says."""
        return {**self._learned_starts, **self._given_starts}

    def split_manifest(self) -> dict[str, Any]:
        """Return which picture is in which split and where parts begin, ready for JSON; complete after ``setup``."""
        return super().split_manifest() | {
            "layout": self._inspection.layout if self._inspection else None,
            "starts": dict(self.starts),
        }

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps.

        Also first columns and layout, so that prediction crops and groups as training did.
        """
        return super().state_dict() | {
            "starts": dict(self.starts),
            "layout": self._inspection.layout if self._inspection else None,
            "clahe": self._reader.clahe,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take what a checkpoint kept.

        Raises:
            InputError: it learned from pictures that were equalised otherwise.
        """
        clahe = state_dict.get("clahe", self._reader.clahe)  # checkpoints from before it was kept do not say
        if clahe != self._reader.clahe:
            raise InputError(
                f"data.clahe is {self._reader.clahe}, but the checkpoint learned from pictures equalised with {clahe}: "
                f"give --data.clahe {clahe}"
            )
        super().load_state_dict(state_dict)
        self._learned_starts = dict(state_dict["starts"])
        self._learned_layout = state_dict["layout"]

    def counts(self, split: str) -> dict[str, int]:
        """Return the numbers of pictures and groups, of a test also of defective pictures and of those with masks."""
        parts = [placed.part for placed in self._splits.get(split, [])]
        found = super().counts(split) | {"groups": len({part.group for part in parts})}
        if split != "test":
            return found
        return found | {
            "defective": sum(part.label == 1 for part in parts),
            "with masks": sum(bool(part.masks) for part in parts),
        }

    def preparation(self) -> dict[str, Any]:
        """Return how a picture is read, and in which column the part begins, by group."""
        return {
            "channels": self.channels,
            "clahe": self._reader.clahe,
            "starts": dict(self.starts),
            "bit_range": list(self._bit_range) if self._bit_range else None,
        }

    def write_demo(self) -> Path:
        """Return the folder of the generated surface."""
        return weave_folder(self._cache) if self._surface == "cloth" else metal_folder(self._cache)

    def open_splits(self, stage: Stage) -> dict[str, list[PlacedPart]]:
        """Return all splits; the pictures are read once, to find where the parts begin."""
        splits = self._splits if self._inspection else self._divided()
        if stage == "test" and not splits["test"]:
            raise InputError(
                f"data.source: no test picture in {self._root}; put defective ones where they are looked for, see "
                "docs/fabric.md, or raise data.test_fraction"
            )
        return splits

    def open_prediction(self) -> None:
        """Do nothing: where parts begin is known only when the checkpoint is loaded."""

    @property
    def can_test(self) -> bool:
        """Whether there are pictures for the test."""
        return "test" not in self._splits or bool(self._splits["test"])

    def digest(self, split: str, item: PlacedPart) -> str:
        """Return what tells a picture's pixels from others."""
        return item.digest

    def place(self, item: PlacedPart) -> str:
        """Return the path of a picture."""
        return str(item.part.path)

    def _divided(self) -> dict[str, list[PlacedPart]]:
        """Read all pictures once, find where the parts begin and divide them."""
        source = read_inspection(self._root, self._on_bad_file)
        found = {part.group for part in source.normal}
        for key, named in (("groups", self._groups or ()), ("starts", self._given_starts)):
            if unknown := sorted(set(named) - found):
                raise InputError(
                    f"data.{key}: {', '.join(unknown)} not found in {self._root}; there are {', '.join(sorted(found))}"
                )
        masks = [mask for part in self._filtered(source.defective) for mask in part.masks]
        self._reader = replace(self._reader, marking=decide_marking(masks, self._cache))
        normal = examine(self._filtered(source.normal), self._reader, self._on_bad_file)
        defective = examine(self._filtered(source.defective), self._reader, self._on_bad_file)
        self.starts = find_starts([*normal, *defective], self._given_starts, self.tile_size)
        normal, defective = (
            wide_enough(some, self.starts, self.tile_size, self._on_bad_file) for some in (normal, defective)
        )
        if not normal:
            raise InputError(f"data.source: all faultless pictures in {self._root} were left out, see the warnings")
        splits = split_normals(normal, self._validation_fraction, self._test_fraction, self._split_seed)
        splits["test"] += defective
        refuse_shared_pictures(splits)
        rank_zero_info("parts begin at column %s", ", ".join(f"{at} ({group})" for group, at in self.starts.items()))
        for picture in defective:
            warn_of_mask(picture, self.starts[picture.part.group])
        self._inspection = source
        if source.layout == "flat":
            held_out = {split: some_of([one.part.name for one in splits[split]]) for split in ("validation", "test")}
            tell_once(
                f"{self._root} has no good/: all of its {len(normal)} pictures are taken as faultless. Held out from "
                f"training, for validation: {held_out['validation']}; for the test: {held_out['test']}"
            )
        return {split: self._placed(pictures) for split, pictures in splits.items()}

    def _filtered(self, parts: Sequence[Part]) -> list[Part]:
        return [part for part in parts if self._groups is None or part.group in self._groups]

    def _placed(self, pictures: Sequence[Examined]) -> list[PlacedPart]:
        return [PlacedPart(picture.part, self.starts[picture.part.group], picture.digest) for picture in pictures]

    def _pictures(self, parts: Sequence[PlacedPart], with_masks: bool) -> DataLoader[Any]:
        return self._loader(PartPictures(parts, self._reader, self._split_seed, with_masks), only, 1)

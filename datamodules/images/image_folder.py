"""The data module of the image models: pictures of one size from any folder."""

import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch.utils.data import DataLoader

from datamodules.batches import ImageBatch
from datamodules.errors import InputError
from datamodules.images.picture_cache import CachedPictures, PictureForm, cache_pictures
from datamodules.images.picture_layouts import (
    SPLITS,
    Picture,
    PictureSource,
    Split,
    find_pictures,
    part_copies,
    read_pictures,
)
from datamodules.images.pictures import Pictures, TrainingPictures, as_it_is
from datamodules.images.shapes import shapes_folder
from datamodules.picture_file import LARGEST, Channels, Frame
from datamodules.ranges import check_range, height_and_width
from datamodules.seeding import global_seed
from datamodules.source import SourceDataModule, Stage

Loader = DataLoader[ImageBatch]


class ImageFolderDataModule(SourceDataModule[Picture]):
    """Pictures of ``image_size`` pixels for training, validation, test and prediction.

    Every picture is decoded once into a cache. Which of them validate and test follows from their names alone;
    ``docs/images.md`` shows the folder layouts and formats.

    Args:
        source: folder of pictures, of one folder per class, or of ``train``, ``validation`` and ``test``; for
            ``predict`` a picture or a folder with pictures at any depth. None uses the embedded default, drawn cars.
        image_size: height and width in pixels that pictures are brought to, or one number for both.
        channels: 1 for grey, 3 for RGB.
        batch_size: pictures per training batch.
        eval_batch_size: pictures per batch elsewhere.
        validation_fraction: share of the pictures to validate on, where no folder says which.
        test_fraction: share of the pictures to test on, where no folder says which; 0 for none.
        fit: ``letterbox`` keeps the shape of things and adds bars; ``stretch`` fills the picture and changes
            the shape; ``crop`` cuts the middle out.
        background: grey level, 0 black to 255 white, behind transparent pixels and of a letterbox's bars.
        flip: whether half of the training pictures are mirrored left to right.
        zoom: largest share of its edges that a training picture loses to a random crop, which is enlarged to its size;
            holds a model off learning a few hundred pictures by heart, and shows in what it invents.
        max_pixels: width x height above which a picture counts as gigantic.
        **common: arguments of ``SourceDataModule``.

    Raises:
        InputError: if an argument is out of its range.
    """

    demo = "drawn cars"
    item = "picture"
    splitting = ("data.validation_fraction", "data.test_fraction")
    decoded_ahead = ("fit", "validate", "test", "predict")

    def __init__(
        self,
        source: str | None = None,
        image_size: int | tuple[int, int] = (128, 128),
        channels: Channels = 3,
        batch_size: int = 32,
        eval_batch_size: int = 64,
        validation_fraction: float = 0.1,
        test_fraction: float = 0.1,
        fit: Literal["letterbox", "stretch", "crop"] = "letterbox",
        background: int = 255,
        flip: bool = False,
        zoom: float = 0.0,
        max_pixels: int = LARGEST // 2,
        **common: Any,
    ) -> None:
        super().__init__(source, batch_size, **common)
        height, width = height_and_width("data.image_size", image_size, 8, 4096)
        for key, value, low, high in (
            ("eval_batch_size", eval_batch_size, 1, 65_536),
            ("validation_fraction", validation_fraction, 0.001, 0.5),
            ("test_fraction", test_fraction, 0.0, 0.49),
            ("background", background, 0, 255),
            ("zoom", zoom, 0.0, 0.5),
            ("max_pixels", max_pixels, 1, LARGEST),
        ):
            check_range(f"data.{key}", value, low, high)
        self.image_size = height, width
        self.channels = channels
        self._form = PictureForm(height, width, channels, fit, background, max_pixels, self._bit_range)
        self._eval_batch_size = eval_batch_size
        self._fractions = validation_fraction, test_fraction
        self._flip, self._zoom = flip, zoom
        self._layout: PictureSource | None = None
        self._cached: CachedPictures | None = None
        self._predicted: Pictures | None = None
        self._notes: list[str] = []

    @property
    def classes(self) -> list[str]:
        """Names of the classes by label, one empty name where there are none; known after ``setup``."""
        return self._layout.classes if self._layout else []

    def train_dataloader(self) -> Loader:
        """Shuffled training pictures."""
        pictures = TrainingPictures(self._pictures("train"), self._flip, self._zoom, global_seed())
        return self._training_loader(pictures, as_it_is, "training pictures")

    def validation_loaders(self) -> Loader:
        """The pictures to validate on, in order."""
        return self._evaluation(self._pictures("validation"))

    def test_loader(self) -> Loader:
        """The pictures to test on, in order."""
        return self._evaluation(self._pictures("test"))

    def training_pictures(self) -> Iterator[ImageBatch]:
        """Yield the pictures that were learned from, in order and unchanged; with ``flip`` mirrored as well.

        Of a checkpoint those that it names; none where this source has none of them.
        """
        learned = [item for item in self._splits.get("train", ()) if self._was_learned(self.digest("train", item))]
        if not learned:
            return
        assert self._cached is not None  # since setup
        for batch in self._evaluation(Pictures(learned, self._cached)):
            yield batch
            if self._flip:
                yield replace(batch, images=batch.images.flip(-1))

    def predict_dataloader(self) -> Loader:
        """The picture, or the pictures at any depth of the folder, in order; without a source those to test on."""
        assert self._predicted is not None  # since setup
        return self._evaluation(self._predicted)

    def batches_of(self, pictures: Iterable[tuple[str, Path | Frame]]) -> Iterator[ImageBatch]:
        """Yield batches of pictures that a program hands over; no ``setup`` is needed, and nothing is cached.

        Args:
            pictures: name and picture, uint8 ``(h, w, 1 or 3)`` or the path of a file; read as they are needed.

        Raises:
            InputError: if a file cannot be read.
        """
        rest = iter(pictures)
        first = 0
        while some := [*islice(rest, self._eval_batch_size)]:
            form = self._form
            brought = [form.read(one) if isinstance(one, Path) else form.given(one) for _, one in some]
            yield ImageBatch(
                images=torch.from_numpy(np.stack(brought)),
                name=[name for name, _ in some],
                label=torch.zeros(len(some), dtype=torch.int64),
                index=torch.arange(first, first + len(some)),
            )
            first += len(some)

    def split_manifest(self) -> dict[str, Any]:
        """Return which picture is in which split and what was left out, ready for JSON; complete after ``setup``."""
        return super().split_manifest() | {
            "layout": self._layout.layout if self._layout else None,
            "classes": self.classes,
            "left_out": self._notes,
        }

    def counts(self, split: str) -> dict[str, int]:
        """Return the number of pictures, and that of classes where there are any."""
        classes = {picture.label for picture in self._splits.get(split, [])}
        return super().counts(split) | ({"classes": len(classes)} if len(self.classes) > 1 else {})

    def preparation(self) -> dict[str, Any]:
        """Return how a picture is brought to the size of the networks."""
        return {
            "image_size": list(self.image_size),
            "channels": self.channels,
            "fit": self._form.fit,
            "background": self._form.background,
            "bit_range": list(self._bit_range) if self._bit_range else None,
        }

    def write_demo(self) -> Path:
        """Return the folder of the drawn cars."""
        return shapes_folder(self._cache)

    def open_splits(self, stage: Stage) -> dict[str, list[Picture]]:
        """Return the pictures of all splits; none of what the stage needs may be empty."""
        self._layout = read_pictures(self._root, *self._fractions)
        self._cached = self._decoded(self._layout.pictures)
        readable = [picture for picture in self._layout.pictures if picture.name in self._cached.row]
        by_split: dict[Split, list[Picture]] = {
            split: [picture for picture in readable if picture.split == split] for split in SPLITS
        }
        digests = self._cached.digest
        splits, copies = part_copies(by_split, lambda picture: digests[picture.name])
        self._notes = [*copies, *self._cached.unreadable.values()]
        if copies:
            count = "1 copy" if len(copies) == 1 else f"{len(copies)} copies"
            warnings.warn(f"left out {count} of other pictures:\n" + "\n".join(copies[:5]), stacklevel=2)
        needed: tuple[Split, ...] = ("test",) if stage == "test" else ("train", "validation")
        listed = Counter(picture.split for picture in self._layout.pictures)
        for split in needed:
            if listed[split] and not splits[split]:
                raise InputError(
                    f"data.source: all {listed[split]} pictures for {split} in {self._root} were left out as copies or "
                    "unreadable, see the warnings; give others"
                )
            if not splits[split]:
                others = "a smaller data.validation_fraction and data.test_fraction"
                share = others if split == "train" else f"a larger data.{split}_fraction"
                raise InputError(
                    f"data.source: none of the {len(readable)} pictures in {self._root} is for {split}; a picture's "
                    f"name decides: give more pictures, {share}, or folders train, "
                    "validation and test"
                )
        return dict(splits.items())

    def open_prediction(self) -> None:
        """Open the pictures of the source, or those to test on of the drawn cars."""
        if self.source:
            listed = find_pictures(self._root)
        else:
            self._layout = read_pictures(self._root, *self._fractions)
            listed = [picture for picture in self._layout.pictures if picture.split == "test"]
        cached = self._decoded(listed)
        self._predicted = Pictures([picture for picture in listed if picture.name in cached.row], cached)

    @property
    def can_test(self) -> bool:
        """Whether any picture is for the test; also where all of those are left out, which a test refuses."""
        return self._layout is None or any(picture.split == "test" for picture in self._layout.pictures)

    def digest(self, split: str, item: Picture) -> str:
        """Return what tells the pixels of a picture, as they are cached, from others."""
        assert self._cached is not None  # since setup
        return self._cached.digest[item.name]

    @property
    def form(self) -> str:
        """The size in which pictures are compared, and how they were brought to it."""
        form = self._form
        return f"{form.width}x{form.height}x{form.channels}, {form.fit}, background {form.background}"

    def _decoded(self, listed: Sequence[Picture]) -> CachedPictures:
        return cache_pictures(listed, self._form, self._cache, self._on_bad_file)

    def _evaluation(self, pictures: Pictures) -> Loader:
        return self._loader(pictures, as_it_is, self._eval_batch_size)

    def _pictures(self, split: Split) -> Pictures:
        assert self._cached is not None  # since setup
        return Pictures(self._splits[split], self._cached)

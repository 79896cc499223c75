"""The data module of the image models: pictures of one size from any folder."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from lightning.pytorch.trainer.states import TrainerFn
from torch.utils.data import DataLoader, Dataset

from datamodules.batches import ImageBatch
from datamodules.cache_folder import default_cache
from datamodules.epoch_sampler import EpochSampler
from datamodules.errors import InputError
from datamodules.images.augmentation import mirror, zoom_in
from datamodules.images.picture_cache import CachedPictures, PictureForm, cache_pictures, mapped
from datamodules.images.picture_layouts import (
    SPLITS,
    Picture,
    PictureSource,
    Split,
    find_pictures,
    part_copies,
    read_pictures,
)
from datamodules.images.shapes import shapes_folder
from datamodules.picture_file import LARGEST, Channels
from datamodules.seeding import derive_seed, global_seed

Loader = DataLoader[ImageBatch]
_PATIENCE = 300  # seconds after which a worker process that sends nothing ends the run


class Pictures(Dataset[ImageBatch]):
    """Cached pictures in a fixed order; whole batches are read at once."""

    def __init__(self, pictures: Sequence[Picture], cached: CachedPictures) -> None:
        self._path = cached.path
        self._names = [picture.name for picture in pictures]
        self._rows = np.array([cached.row[name] for name in self._names])
        self._labels = torch.tensor([picture.label for picture in pictures])

    def __len__(self) -> int:
        return len(self._names)

    def __getitems__(self, indices: Sequence[int]) -> ImageBatch:
        """Read a batch, for the ``DataLoader``."""
        chosen = np.asarray(indices)  # no tensor: as an index, numpy takes one of a single element for a number
        return ImageBatch(
            images=torch.from_numpy(np.asarray(mapped(self._path)[self._rows[chosen]])),
            name=[self._names[index] for index in indices],
            label=self._labels[chosen],
            index=torch.from_numpy(chosen),
        )


class TrainingPictures(Dataset[ImageBatch]):
    """Pictures as they are changed at random in an epoch."""

    def __init__(self, pictures: Pictures, flip: bool, zoom: float) -> None:
        self._pictures = pictures
        self._flip, self._zoom = flip, zoom

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitems__(self, keys: Sequence[tuple[int, int]]) -> ImageBatch:
        """Read a batch by ``(epoch, index)``, as ``EpochSampler`` hands them out."""
        batch = self._pictures.__getitems__([index for _, index in keys])
        if self._flip:
            batch.images = mirror(batch.images, keys)
        if self._zoom:
            batch.images = zoom_in(batch.images, keys, self._zoom)
        return batch


class ImageFolderDataModule(LightningDataModule):
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
        num_workers: processes that assemble batches; 0 is fastest with the cache in most cases.
        validation_fraction: share of the pictures to validate on, where no folder says which.
        test_fraction: share of the pictures to test on, where no folder says which; 0 for none.
        fit: ``letterbox`` keeps the shape of things and adds bars; ``stretch`` fills the picture and changes
            the shape; ``crop`` cuts the middle out.
        background: grey level, 0 black to 255 white, behind transparent pixels and of a letterbox's bars.
        flip: whether half of the training pictures are mirrored left to right.
        zoom: largest share of its edges that a training picture loses to a random crop, which is enlarged to its size;
            holds a model off learning a few hundred pictures by heart, and shows in what it invents.
        on_bad_file: whether an unreadable, damaged or gigantic picture ends the run (``error``) or is left out
            with a warning (``skip``); either way it is found before training begins.
        max_pixels: width x height above which a picture counts as gigantic.
        cache_dir: where decoded pictures and the embedded default are kept; None means ``$FULGURITE_CACHE``,
            or ``~/.cache/fulgurite``. May be deleted at any time.

    Raises:
        InputError: if an argument is out of its range.
    """

    def __init__(
        self,
        source: str | None = None,
        image_size: int | tuple[int, int] = (128, 128),
        channels: Channels = 3,
        batch_size: int = 32,
        eval_batch_size: int = 64,
        num_workers: int = 0,
        validation_fraction: float = 0.1,
        test_fraction: float = 0.1,
        fit: Literal["letterbox", "stretch", "crop"] = "letterbox",
        background: int = 255,
        flip: bool = False,
        zoom: float = 0.0,
        on_bad_file: Literal["error", "skip"] = "error",
        max_pixels: int = LARGEST // 2,
        cache_dir: str | None = None,
    ) -> None:
        super().__init__()
        height, width = (image_size, image_size) if isinstance(image_size, int) else image_size
        for key, value, low, high in (
            ("image_size", height, 8, 4096),
            ("image_size", width, 8, 4096),
            ("batch_size", batch_size, 1, 65_536),
            ("eval_batch_size", eval_batch_size, 1, 65_536),
            ("num_workers", num_workers, 0, 1024),
            ("validation_fraction", validation_fraction, 0.001, 0.5),
            ("test_fraction", test_fraction, 0.0, 0.49),
            ("background", background, 0, 255),
            ("zoom", zoom, 0.0, 0.5),
            ("max_pixels", max_pixels, 1, LARGEST),
        ):
            if not low <= value <= high:
                raise InputError(f"data.{key}: is {value}, must be from {low} to {high}")
        self.source = source
        self.image_size = height, width
        self.channels = channels
        self._form = PictureForm(height, width, channels, fit, background, max_pixels)
        self._batch_size, self._eval_batch_size = batch_size, eval_batch_size
        self._num_workers = num_workers
        self._fractions = validation_fraction, test_fraction
        self._flip, self._zoom = flip, zoom
        self._on_bad_file = on_bad_file
        self._cache = Path(cache_dir).expanduser() if cache_dir else default_cache()
        self._layout: PictureSource | None = None
        self._cached: CachedPictures | None = None
        self._splits: dict[Split, list[Picture]] = {}
        self._predicted: list[Picture] = []
        self._notes: list[str] = []

    @property
    def classes(self) -> list[str]:
        """Names of the classes by label, one empty name where there are none; known after ``setup``."""
        return self._layout.classes if self._layout else []

    def prepare_data(self) -> None:
        """Decode into the cache whatever the coming stage needs; Lightning calls this in one process only."""
        stage = (self.trainer.state.fn if self.trainer else None) or TrainerFn.FITTING
        cache_pictures(self._listed(stage), self._form, self._cache / "pictures", self._on_bad_file)

    def setup(self, stage: str) -> None:
        """Open the pictures of a stage: ``fit``, ``validate``, ``test`` or ``predict``.

        Raises:
            InputError: if the source cannot be used.
        """
        listed = self._listed(stage)
        self._cached = cache_pictures(listed, self._form, self._cache / "pictures", self._on_bad_file)
        readable = [picture for picture in listed if picture.name in self._cached.row]
        if stage == "predict":
            self._predicted = readable
            return
        by_split: dict[Split, list[Picture]] = {
            split: [picture for picture in readable if picture.split == split] for split in SPLITS
        }
        digests = self._cached.digest
        self._splits, copies = part_copies(by_split, lambda picture: digests[picture.name])
        self._notes = [*copies, *self._cached.unreadable.values()]
        if copies:
            warnings.warn(f"left out {len(copies)} copies of other pictures:\n" + "\n".join(copies[:5]), stacklevel=2)
        needed: tuple[Split, ...] = ("test",) if stage == "test" else ("train", "validation")
        for split in needed:
            if not self._splits[split]:
                raise InputError(
                    f"data.source: none of the {len(readable)} pictures in {self._root} is for {split}; a picture's "
                    f"name decides: give more pictures, a larger share (data.{split}_fraction), or folders train, "
                    "validation and test"
                )

    def train_dataloader(self) -> Loader:
        """Shuffled training pictures."""
        pictures = TrainingPictures(self._pictures(self._splits["train"]), self._flip, self._zoom)
        replicas = (self.trainer.world_size, self.trainer.global_rank) if self.trainer else (1, 0)
        sampler = EpochSampler(len(pictures), *replicas)
        if len(sampler) < self._batch_size:
            raise InputError(
                f"data.batch_size: is {self._batch_size}, each process gets only {len(sampler)} training pictures; "
                "choose a smaller batch"
            )
        return self._loader(pictures, self._batch_size, sampler)

    def val_dataloader(self) -> Loader:
        """The pictures to validate on, in order."""
        return self._loader(self._pictures(self._splits["validation"]), self._eval_batch_size)

    def test_dataloader(self) -> Loader:
        """The pictures to test on, in order."""
        return self._loader(self._pictures(self._splits["test"]), self._eval_batch_size)

    def predict_dataloader(self) -> Loader:
        """The picture, or the pictures at any depth of the folder, in order; without a source those to test on."""
        return self._loader(self._pictures(self._predicted), self._eval_batch_size)

    def split_manifest(self) -> dict[str, Any]:
        """Return which picture is in which split and what was left out, ready for JSON; complete after ``setup``."""
        return {
            "source": str(self._root),
            "layout": self._layout.layout if self._layout else None,
            "classes": self.classes,
            "splits": {split: [picture.name for picture in chosen] for split, chosen in self._splits.items()},
            "left_out": self._notes,
        }

    @property
    def _root(self) -> Path:
        return Path(self.source).expanduser() if self.source else shapes_folder(self._cache)

    def _listed(self, stage: str) -> list[Picture]:
        """Return all pictures that a stage decodes."""
        if stage == "predict" and self.source:
            return find_pictures(self._root)
        self._layout = read_pictures(self._root, *self._fractions)
        if stage == "predict":
            return [picture for picture in self._layout.pictures if picture.split == "test"]
        return self._layout.pictures

    def _pictures(self, pictures: Sequence[Picture]) -> Pictures:
        assert self._cached is not None  # since setup
        return Pictures(pictures, self._cached)

    def _loader(self, pictures: Dataset[ImageBatch], batch_size: int, sampler: EpochSampler | None = None) -> Loader:
        workers = self._num_workers
        return DataLoader(
            pictures,
            batch_size=batch_size,  # by name: Lightning builds loaders for prediction anew, with one of its own
            sampler=sampler,
            drop_last=sampler is not None,
            num_workers=workers,
            collate_fn=_as_it_is,
            pin_memory=torch.cuda.is_available(),
            timeout=_PATIENCE if workers else 0,
            persistent_workers=workers > 0,
            # its own, or every iteration would draw from the global random numbers
            generator=torch.Generator().manual_seed(derive_seed(global_seed(), "workers")),
        )


def _as_it_is(batch: Any) -> Any:
    """Collate what is a batch already."""
    return batch

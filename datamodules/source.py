"""What all data modules with a source share: the source or a demo, splits, loaders, and what may not be judged on."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from copy import copy
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal, Self

import torch
from lightning.pytorch import LightningDataModule
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities import rank_zero_info, rank_zero_warn
from torch.utils.data import DataLoader, Dataset

from datamodules.cache_folder import default_cache
from datamodules.deep_pictures import checked_bit_range
from datamodules.epoch_sampler import EpochSampler, FixedOrder, position
from datamodules.errors import BadFile, InputError, refuse_several
from datamodules.learned import Learned, Split
from datamodules.named import NamedT
from datamodules.ranges import check_range
from datamodules.seeding import derive_seed, global_seed
from datamodules.streamed_loader import StreamedLoader

Stage = Literal["fit", "validate", "test"]
_PATIENCE = 300  # seconds after which a worker process that sends nothing ends the run


class SourceDataModule(LightningDataModule, ABC, Generic[NamedT]):
    """Clips, pictures or the like from a folder, or from a demo where no folder is named.

    A subclass says what an item is, how a folder is read and divided, and what its batches look like.

    Args:
        source: folder of the data; None uses the demo.
        batch_size: items per training batch.
        num_workers: processes that assemble batches; 0 is fastest with the cache in most cases.
        on_bad_file: whether a file that cannot be used ends the run (``error``) or is left out with a warning
            (``skip``); either way it is found before training begins.
        cache_dir: where decoded data and the demo are kept; None means ``$FULGURITE_CACHE``, or
            ``~/.cache/fulgurite``. May be deleted at any time.
        bit_range: values that become black and white in pictures of more than 8 bits, e.g. ``[29000, 30600]``; what
            lies beyond is black or white too. None: all that the depth allows, with a warning where few levels remain.

    Attributes:
        demo: what the demo shows.
        item: what is divided, in the singular.
        splitting: keys that decide what is held out.
        decoded_ahead: stages whose data one process decodes into the cache before all of them open it.
        reads_pictures: whether files of pictures are among the sources.

    Raises:
        InputError: if an argument is out of its range.
    """

    demo: ClassVar[str]
    item: ClassVar[str]
    splitting: ClassVar[tuple[str, ...]]
    decoded_ahead: ClassVar[tuple[str, ...]] = ("fit", "validate", "test")
    reads_pictures: ClassVar[bool] = True

    def __init__(
        self,
        source: str | None,
        batch_size: int,
        num_workers: int = 0,
        on_bad_file: BadFile = "error",
        cache_dir: str | None = None,
        bit_range: tuple[int, int] | None = None,
    ) -> None:
        super().__init__()
        self._bit_range = checked_bit_range(bit_range)
        if self._bit_range and not self.reads_pictures:
            raise InputError(
                "data.bit_range: changes nothing here, where pictures are those of video files; leave it out"
            )
        _refuse_empty("source", source, f"leave data.source out for the demo, {self.demo}")
        _refuse_empty("cache_dir", cache_dir, "leave data.cache_dir out for the usual one")
        _refuse_address(source)
        check_range("data.batch_size", batch_size, 1, 65_536)
        check_range("data.num_workers", num_workers, 0, 1024)
        self.source = source
        self._batch_size, self._num_workers = batch_size, num_workers
        self._on_bad_file: BadFile = on_bad_file
        self._cache = Path(cache_dir).expanduser() if cache_dir else default_cache()
        self._splits: dict[str, list[NamedT]] = {}
        self._learned: Learned | None = None  # from the checkpoint
        self._left_at = 0, 0  # epoch and batch, from the checkpoint too
        self._demo_is_told = False

    # --- what a room supplies ----------------------------------------------------------------------------------------

    @abstractmethod
    def write_demo(self) -> Path:
        """Return the demo's folder in the cache; it is written on the first call."""

    @abstractmethod
    def open_splits(self, stage: Stage) -> dict[str, list[NamedT]]:
        """Return what a stage needs by its split: ``train``, ``validation``, ``test``.

        Raises:
            InputError: if the source cannot be used.
        """

    @abstractmethod
    def open_prediction(self) -> None:
        """Find what ``predict`` runs on.

        Raises:
            InputError: if the source cannot be used.
        """

    @abstractmethod
    def digest(self, split: str, item: NamedT) -> str:
        """Return what tells the content of an item from others, whatever its name and folder."""

    @abstractmethod
    def validation_loaders(self) -> DataLoader[Any] | list[DataLoader[Any]]:
        """Return one or several loaders of the split ``validation``."""

    @abstractmethod
    def test_loader(self) -> DataLoader[Any]:
        """Return the loader of the split ``test``."""

    def place(self, item: NamedT) -> str:
        """Return what a message calls an item."""
        return item.name

    @property
    def can_test(self) -> bool:
        """Whether the source has anything to be tested on, as far as is known once it was read."""
        return True

    @property
    def form(self) -> str:
        """What digests depend on beside the files."""
        return ""

    def for_source(self, source: str) -> Self:
        """Return a copy that reads another source, and knows all that a checkpoint has told this one.

        Args:
            source: a folder or a file.

        Raises:
            InputError: if it is an address, or empty.
        """
        _refuse_empty("source", source, "a file")
        _refuse_address(source)
        other = self._apart()
        other.source = source
        return other

    # --- what Lightning calls ----------------------------------------------------------------------------------------

    def prepare_data(self) -> None:
        """Write the demo and decode what the coming stage needs; Lightning calls this in one process only."""
        _ = self._root
        stage = (self.trainer.state.fn if self.trainer else None) or TrainerFn.FITTING
        if stage.value in self.decoded_ahead:
            self._open(stage.value)

    def setup(self, stage: str) -> None:
        """Open the data of a stage: ``fit``, ``validate``, ``test`` or ``predict``.

        Raises:
            InputError: if the source cannot be used.
        """
        self._splits.update(self._open(stage))

    def val_dataloader(self) -> DataLoader[Any] | list[DataLoader[Any]]:
        """The held-out data, in order.

        Raises:
            InputError: if the checkpoint was trained on some of them.
        """
        self._refuse_learned("validation")
        return self.validation_loaders()

    def test_dataloader(self) -> DataLoader[Any]:
        """The test data, in order.

        Raises:
            InputError: if the checkpoint was trained, calibrated or validated on some of them.
        """
        self._refuse_learned("test")
        return self.test_loader()

    def split_manifest(self) -> dict[str, Any]:
        """Return what is in which split, ready for JSON; complete after ``setup``."""
        return {
            "source": str(self._root),
            "splits": {split: [item.name for item in items] for split, items in self._splits.items()},
        }

    def counts(self, split: str) -> dict[str, int]:
        """Return how much is in a split that is open, by what is counted."""
        return {f"{self.item}s": len(self._splits.get(split, ()))}

    def fingerprints(self) -> dict[str, str]:
        """Return 16 digits by split that is open: a digest of its items' digests and of what these depend on.

        It is the same for the same content, whatever names, folders and order; labels and masks are no part of it.
        """
        return {
            split: sha256("\n".join([self.form, *sorted(self._digests(split))]).encode()).hexdigest()[:16]
            for split in self._splits
        }

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps: all that was learned from, in a resumed run also before."""
        trained, validated = (self._digests(split) for split in ("train", "validation"))
        learned = (self._learned or Learned()).after(trained, validated, self.form).state()
        bit_range = list(self._bit_range) if self._bit_range else None
        return learned | {"bit_range": bit_range, "position": list(position(self.trainer)) if self.trainer else None}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take what a checkpoint kept.

        Raises:
            InputError: if it learned from pictures that were scaled to 8 bits otherwise.
        """
        kept = state_dict.get("bit_range")
        if "bit_range" in state_dict and (tuple(kept) if kept else None) != self._bit_range:
            here, there = (list(one) if one else "null" for one in (self._bit_range, kept))
            option = f"'{there}'" if kept else there
            raise InputError(
                f"data.bit_range is {here}, but the checkpoint learned from pictures that were scaled with {there}: "
                f"give --data.bit_range {option}"
            )
        self._learned = Learned.from_state(state_dict)
        self._left_at = tuple(state_dict.get("position") or (0, 0))

    # --- what the rooms use ------------------------------------------------------------------------------------------

    def _apart(self) -> Self:
        """Return a copy that opens data of its own."""
        other = copy(self)
        other._splits = {}
        return other

    @property
    def _root(self) -> Path:
        """The source, or the demo, and that is then said once."""
        if self.source is not None:
            return Path(self.source).expanduser()
        folder = self.write_demo()
        if not self._demo_is_told:
            rank_zero_info("data.source is not set: using the demo, %s (%s)", self.demo, folder)
            self._demo_is_told = True
        return folder

    def _training_loader(
        self, items: Dataset[Any], collate: Callable[[Any], Any], counted: str, or_else: str = ""
    ) -> DataLoader[Any]:
        """Return shuffled batches, the same for every number of processes; a resumed run goes on where it was left.

        Args:
            items: what is handed out by ``(epoch, index)``.
            collate: makes a batch of it.
            counted: what the items are called, in the plural.
            or_else: what may be changed beside the size of a batch where there are too few.

        Raises:
            InputError: if there are not enough for a batch.
        """
        trainer = self.trainer
        kind = FixedOrder if trainer and trainer.overfit_batches else EpochSampler  # type: ignore[attr-defined]  # set without a type
        replicas = (trainer.world_size, trainer.global_rank) if trainer else (1, 0)
        # who counts the batches for a schedule has the loader made, and workers begin, before Lightning's own counters
        # are restored
        epoch, batches = max(self._left_at, position(trainer)) if trainer else (0, 0)
        begin = epoch, batches * self._batch_size
        sampler = kind(len(items), global_seed(), *replicas, begin)  # type: ignore[arg-type]  # all have a length
        if not len(sampler):
            raise InputError(
                f"data.source: {len(items)} {counted} to learn from are fewer than the {replicas[0]} processes; give "  # type: ignore[arg-type]
                "more data, or a lower trainer.devices"
            )
        if len(sampler) < self._batch_size:
            raise InputError(
                f"data.batch_size: is {self._batch_size}, each process gets only {len(sampler)} {counted}; choose a "
                f"smaller batch{or_else}"
            )
        return self._loader(items, collate, self._batch_size, sampler)

    def _loader(
        self,
        items: Dataset[Any],
        collate: Callable[[Any], Any],
        batch_size: int,
        sampler: EpochSampler | None = None,
    ) -> DataLoader[Any]:
        workers = self._num_workers
        return DataLoader(
            items,
            batch_size=batch_size,  # by name: for prediction Lightning makes the loader anew with a batch sampler
            sampler=sampler,
            drop_last=sampler is not None,
            num_workers=workers,
            collate_fn=collate,
            pin_memory=torch.cuda.is_available(),
            timeout=_PATIENCE if workers else 0,
            persistent_workers=workers > 0,
            # its own, or every iteration would draw from the global random numbers
            generator=torch.Generator().manual_seed(derive_seed(global_seed(), "workers")),
        )

    def _streamed(
        self, stream: Any, collate: Callable[[Sequence[Any]], Any], batch_size: int, recording: str
    ) -> StreamedLoader[Any]:
        """Return batches of a stream of recordings, decoded as they are read.

        Raises:
            InputError: if several processes share the work.
        """
        if self.trainer is not None:
            what = f"trainer.devices: prediction reads a {recording} as one stream,"
            refuse_several(self.trainer.world_size, what)
        return StreamedLoader(stream, batch_size, collate)

    def _open(self, stage: str) -> dict[str, list[NamedT]]:
        if stage == "predict":
            self.open_prediction()
            return {}
        return self.open_splits(stage)  # type: ignore[arg-type]  # Lightning knows these stages only

    def _digests(self, split: str) -> dict[str, str]:
        return {self.digest(split, item): item.name for item in self._splits.get(split, ())}

    def _was_learned(self, digest: str) -> bool:
        """Tell whether the checkpoint was trained on an item; without one, whoever trains here learns all of them."""
        learned = self._learned
        if learned is None:
            return True
        return self.form == learned.form and (digest in learned.trained or digest in learned.either)

    def _refuse_learned(self, split: Split) -> None:
        """Refuse to judge by what the checkpoint has learned from; warn where that cannot be known."""
        unknown = None
        if self._learned is not None:
            items = {self.digest(split, item): self.place(item) for item in self._splits[split]}
            unknown = self._learned.refuse(split, items, self.form, self.item, self.splitting)
        elif self.trainer and self.trainer.ckpt_path:
            unknown = "it does not say what it has learned from"
        if unknown:
            rank_zero_warn(
                f"whether the checkpoint was trained on the {self.item}s for {split} cannot be checked: {unknown}. Its "
                f"figures are fair if data and split settings ({', '.join(self.splitting)}) are those of its training"
            )


def _refuse_empty(key: str, folder: str | None, otherwise: str) -> None:
    if folder is not None and not folder.strip():
        raise InputError(
            f"data.{key}: is {folder!r}, as of a shell variable that is not set; name a folder, or {otherwise}"
        )


def _refuse_address(source: str | None) -> None:
    if source is not None and "://" in source:
        raise InputError(
            f"data.source: {source} is an address, and data are read from files and folders only: download or "
            "record it first, and name the file"
        )

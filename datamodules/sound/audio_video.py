"""The data module of pictures that follow sound: pieces of clips with both, or sound alone to draw to."""

import warnings
from pathlib import Path
from typing import Any, Literal

import torch
from lightning.pytorch import LightningDataModule
from lightning.pytorch.trainer.states import TrainerFn
from torch.utils.data import DataLoader, Dataset

from datamodules.cache_folder import default_cache
from datamodules.epoch_sampler import EpochSampler
from datamodules.errors import InputError
from datamodules.file_identity import content_digest, refuse_shared_videos
from datamodules.letterbox import Letterbox
from datamodules.seeding import derive_seed, global_seed
from datamodules.sound.audio_video_cache import CachedPair, Settings, cache_pairs
from datamodules.sound.audio_video_sources import Pair, divide, find_pairs
from datamodules.sound.music import music_folder
from datamodules.sound.pieces import EvaluationPieces, Piece, PieceShape, TrainingPieces, collate
from datamodules.sound.sound_stream import SoundSource, StreamedPieces, find_sound_sources

Loader = DataLoader[Piece]  # which yields ``AudioVideoBatch``
_PATIENCE = 300  # seconds after which a worker process that sends nothing ends the run


class AudioVideoDataModule(LightningDataModule):
    """Pieces of ``duration`` seconds of sound and the pictures that belong to them.

    Clips are divided into training, validation and test by a hash of their names. Each is decoded once into a
    cache. ``docs/audio_video.md`` shows the sources and what becomes of them.

    Args:
        source: folder of video files with sound, or with the folders ``audio`` and ``video`` matched by name;
            for ``predict`` a sound file, a video with sound, or a folder of either. None uses the embedded
            music.
        sample_rate: samples per second of the sound.
        duration: of a piece, in seconds.
        fps: pictures per second.
        image_size: height and width of the pictures in pixels.
        stride: distance between the starts of pieces, in seconds; in training a piece begins anywhere within
            it. At most ``duration``; in prediction neighbours share ``duration - stride``.
        batch_size: pieces per training batch.
        eval_batch_size: pieces per batch elsewhere.
        num_workers: processes that assemble batches; 0 is fastest with the cache in most cases.
        validation_fraction: share of the clips held out for validation, at least two clips.
        test_fraction: share of the clips held out for test, at least two clips.
        fit: ``letterbox`` keeps the shape of things and adds black bars; ``stretch`` fills the picture.
        on_bad_file: whether a clip without usable sound or pictures ends the run (``error``) or is left out
            with a warning (``skip``).
        cache_dir: where decoded clips and the embedded music are kept; None means ``$FULGURITE_CACHE``, or
            ``~/.cache/fulgurite``. May be deleted at any time.

    Raises:
        InputError: if an argument is out of its range.
    """

    def __init__(
        self,
        source: str | None = None,
        sample_rate: int = 16_000,
        duration: float = 3.0,
        fps: float = 30.0,
        image_size: int = 128,
        stride: float = 2.0,
        batch_size: int = 8,
        eval_batch_size: int = 4,
        num_workers: int = 0,
        validation_fraction: float = 0.15,
        test_fraction: float = 0.15,
        fit: Literal["letterbox", "stretch"] = "letterbox",
        on_bad_file: Literal["error", "skip"] = "error",
        cache_dir: str | None = None,
    ) -> None:
        super().__init__()
        for key, value, low, high in (
            ("sample_rate", sample_rate, 1000, 192_000),
            ("fps", fps, 1.0, 240.0),
            ("duration", duration, 2 / fps if fps > 0 else 0.0, 60.0),
            ("image_size", image_size, 16, 1024),
            ("stride", stride, 1 / fps if fps > 0 else 0.0, duration),
            ("batch_size", batch_size, 1, 65_536),
            ("eval_batch_size", eval_batch_size, 1, 65_536),
            ("num_workers", num_workers, 0, 1024),
            ("validation_fraction", validation_fraction, 0.0, 0.9),
            ("test_fraction", test_fraction, 0.0, 0.9),
        ):
            if not low <= value <= high:
                raise InputError(f"data.{key}: is {value}, must be from {low:.4g} to {high:.4g}")
        self.source = source
        self.sample_rate, self.fps, self.duration = sample_rate, fps, duration
        self.image_size = image_size
        self.predict_sources: list[SoundSource] = []
        self._shape = PieceShape(round(duration * fps), round(duration * sample_rate), max(1, round(stride * fps)))
        self._settings = Settings(sample_rate, fps, Letterbox(image_size, image_size, fit))
        self._batch_size, self._eval_batch_size = batch_size, eval_batch_size
        self._num_workers = num_workers
        self._fractions = validation_fraction, test_fraction
        self._on_bad_file = on_bad_file
        self._cache = Path(cache_dir).expanduser() if cache_dir else default_cache()
        self._splits: dict[str, list[CachedPair]] = {}
        self._digests: dict[str, str] = {}  # of the videos, by name
        self._learned: dict[str, str] = {}  # what a checkpoint learned from: names by digest

    @property
    def num_frames(self) -> int:
        """Pictures per piece."""
        return self._shape.frames

    @property
    def num_samples(self) -> int:
        """Samples per piece."""
        return self._shape.samples

    def prepare_data(self) -> None:
        """Decode into the cache; Lightning calls this in one process only."""
        if self.trainer is None or self.trainer.state.fn != TrainerFn.PREDICTING:
            self._open()

    def setup(self, stage: str) -> None:
        """Open the clips of a stage: ``fit``, ``validate``, ``test`` or ``predict``.

        Raises:
            InputError: if the source cannot be used.
        """
        if stage == "predict":
            paths = [Path(self.source).expanduser()] if self.source else self._music_to_predict()
            self.predict_sources = find_sound_sources(paths, self.sample_rate, self.fps, self._on_bad_file)
        else:
            self._splits = self._open()

    def train_dataloader(self) -> Loader:
        """Shuffled pieces that begin anywhere, each beside the sound of a different clip."""
        pieces = TrainingPieces(self._splits["train"], self._shape)
        replicas = (self.trainer.world_size, self.trainer.global_rank) if self.trainer else (1, 0)
        sampler = EpochSampler(len(pieces), *replicas)
        if len(sampler) < self._batch_size:
            raise InputError(
                f"data.batch_size: is {self._batch_size}, each process gets only {len(sampler)} pieces; choose a "
                "smaller batch or a smaller data.stride"
            )
        return self._loader(pieces, self._batch_size, sampler)

    def val_dataloader(self) -> Loader:
        """Every piece of the validation clips, in order."""
        return self._loader(EvaluationPieces(self._splits["validation"], self._shape), self._eval_batch_size)

    def test_dataloader(self) -> Loader:
        """Every piece of the test clips, in order.

        Raises:
            InputError: if the checkpoint was trained or validated on one of them.
        """
        if learned := [clip.name for clip in self._splits["test"] if self._digests[clip.name] in self._learned]:
            raise InputError(
                f"data.source: {learned[0]} and {len(learned) - 1} more test clips were learned from already. Test "
                "with the clips and fractions of the training (data.validation_fraction, data.test_fraction), as both "
                "decide which clips are held out, or with other clips"
            )
        return self._loader(EvaluationPieces(self._splits["test"], self._shape), self._eval_batch_size)

    def predict_dataloader(self) -> Loader:
        """Overlapping pieces of ``predict_sources`` in order, decoded as they are read, in constant memory."""
        if self.trainer is not None and self.trainer.world_size > 1:
            raise InputError(
                "trainer.devices: prediction reads a sound as one stream, in one process; "
                f"{self.trainer.world_size} were asked for, use 1"
            )
        # Lightning warns of several workers even where there is none.
        warnings.filterwarnings("ignore", message="Your `IterableDataset` has `__len__` defined")
        pieces = StreamedPieces(self.predict_sources, self._settings, self._shape)
        return DataLoader(pieces, self._eval_batch_size, collate_fn=collate)

    def mean_picture(self) -> torch.Tensor:
        """Return the mean of all pictures of the training clips, float32 ``(3, H, W)`` in [0, 1]; after ``setup``."""
        clips = self._splits["train"]
        total = torch.zeros(3, self.image_size, self.image_size, dtype=torch.float64)
        for clip in clips:
            for start in range(0, clip.length, self.num_frames):  # a film of hours is not held at once
                total += torch.from_numpy(clip.frames(start, self.num_frames)).sum(0, dtype=torch.float64)
        return (total / (255 * sum(clip.length for clip in clips))).float()

    def split_manifest(self) -> dict[str, Any]:
        """Return which clip is in which split, ready for JSON; complete after ``setup``."""
        return {
            "source": str(self._root),
            "splits": {name: [clip.name for clip in clips] for name, clips in self._splits.items()},
        }

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps: the clips learned from, in a resumed run also those before."""
        learned = [*self._splits.get("train", ()), *self._splits.get("validation", ())]
        return {"learned": self._learned | {self._digests[clip.name]: clip.name for clip in learned}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take what a checkpoint kept."""
        self._learned = dict(state_dict["learned"])

    @property
    def _root(self) -> Path:
        return Path(self.source).expanduser() if self.source else music_folder(self._cache)

    def _open(self) -> dict[str, list[CachedPair]]:
        pairs = {pair.name: pair for pair in find_pairs(self._root)}
        least = -(-self._shape.frames // 2)
        usable = cache_pairs([*pairs.values()], self._settings, self._cache / "audio_video", least, self._on_bad_file)
        splits = divide(usable, *self._fractions)
        self._digests = {clip.name: content_digest(pairs[clip.name].video) for clip in usable}
        refuse_shared_videos({split: [pairs[one.name].video for one in clips] for split, clips in splits.items()})
        return splits

    def _music_to_predict(self) -> list[Path]:
        pairs: dict[str, Pair] = {pair.name: pair for pair in find_pairs(self._root)}
        return [pairs[clip.name].video for clip in self._open()["test"]]

    def _loader(self, pieces: Dataset[Piece], batch_size: int, sampler: EpochSampler | None = None) -> Loader:
        workers = self._num_workers
        return DataLoader(
            pieces,
            batch_size,
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

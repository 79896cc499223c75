"""The data module of video anomaly detection: windows of T frames from labelled video, or from any video."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from lightning.pytorch import LightningDataModule
from lightning.pytorch.trainer.states import TrainerFn
from torch.utils.data import DataLoader, Dataset

from datamodules.cache_folder import default_cache
from datamodules.clips.augmentation import Jitter
from datamodules.clips.cache import CachedClip, cache_clips
from datamodules.clips.demo import demo_folder
from datamodules.clips.pseudo_anomalies import PseudoAnomalousClip
from datamodules.clips.splits import hold_out
from datamodules.clips.video_layouts import Clip, VideoSource, read_layout
from datamodules.clips.video_stream import PredictSource, StreamedWindows, find_predict_sources
from datamodules.clips.windows import (
    EvaluationWindows,
    Frames,
    TrainingWindows,
    Window,
    collate,
    evaluation_starts,
    training_starts,
)
from datamodules.epoch_sampler import EpochSampler
from datamodules.errors import InputError
from datamodules.file_identity import refuse_shared_videos
from datamodules.letterbox import Letterbox
from datamodules.seeding import derive_seed, global_seed

Loader = DataLoader[Window]  # which yields ``VideoBatch``
_PATIENCE = 300  # seconds after which a worker process that sends nothing ends the run


class VideoSnippetDataModule(LightningDataModule):
    """Windows of ``num_frames`` frames for training, calibration, validation, test and prediction.

    Normal clips train; some of them are held out for validation, as they are and once more with
    pseudo-anomalies. Every clip is decoded once into a cache. ``docs/video.md`` shows the folder layouts.

    Args:
        source: folder of a dataset in one of the known layouts; for ``predict`` a video file, a folder of
            videos, or a folder of frames. None uses the embedded demo.
        image_size: height and width in pixels that frames are brought to, or one number for both.
        num_frames: T, frames per window.
        frame_step: distance between a window's frames, in frames of the video.
        train_stride: distance between the starts of training windows, in frames.
        eval_stride: the same for test and prediction, counted in window steps; at most ``num_frames``, so
            that every frame is seen. Smaller averages more windows per frame and takes longer.
        validation_stride: the same for validation.
        batch_size: windows per training batch.
        eval_batch_size: windows per batch elsewhere.
        num_workers: processes that assemble batches; 0 is fastest with the cache in most cases.
        validation_fraction: share of the normal clips held out for validation, at least one clip.
        fit: ``letterbox`` keeps the shape of things and adds black bars; ``stretch`` fills the picture.
        on_bad_file: whether an unreadable, truncated or too short clip ends the run (``error``) or is left
            out with a warning (``skip``).
        cache_dir: where decoded clips and the demo are kept; None means ``$FULGURITE_CACHE``, or
            ``~/.cache/fulgurite``. May be deleted at any time.
        brightness: training windows vary by up to this share of the full range of grey levels.
        contrast: training windows vary by up to this share of their contrast.
        flip: whether half of the training windows are mirrored; leave it off where direction matters.

    Raises:
        InputError: if an argument is out of its range.
    """

    def __init__(
        self,
        source: str | None = None,
        image_size: int | tuple[int, int] = (64, 64),
        num_frames: int = 8,
        frame_step: int = 1,
        train_stride: int = 2,
        eval_stride: int = 1,
        validation_stride: int = 4,
        batch_size: int = 4,
        eval_batch_size: int = 16,
        num_workers: int = 0,
        validation_fraction: float = 0.2,
        fit: Literal["letterbox", "stretch"] = "letterbox",
        on_bad_file: Literal["error", "skip"] = "error",
        cache_dir: str | None = None,
        brightness: float = 0.08,
        contrast: float = 0.05,
        flip: bool = False,
    ) -> None:
        super().__init__()
        height, width = (image_size, image_size) if isinstance(image_size, int) else image_size
        for key, value, low, high in (
            ("image_size", height, 8, 4096),
            ("image_size", width, 8, 4096),
            ("num_frames", num_frames, 2, 1024),
            ("frame_step", frame_step, 1, 1000),
            ("train_stride", train_stride, 1, 100_000),
            ("eval_stride", eval_stride, 1, num_frames),
            ("validation_stride", validation_stride, 1, num_frames),
            ("batch_size", batch_size, 1, 65_536),
            ("eval_batch_size", eval_batch_size, 1, 65_536),
            ("num_workers", num_workers, 0, 1024),
            ("validation_fraction", validation_fraction, 0.0, 0.9),
            ("brightness", brightness, 0.0, 0.5),
            ("contrast", contrast, 0.0, 0.9),
        ):
            if not low <= value <= high:
                raise InputError(f"data.{key}: is {value}, must be from {low} to {high}")
        self.source = source
        self.num_frames = num_frames
        self.frame_step = frame_step
        self.predict_sources: list[PredictSource] = []
        self._letterbox = Letterbox(height, width, fit)
        self._train_stride, self._eval_stride = train_stride, eval_stride
        self._validation_stride = validation_stride
        self._batch_size, self._eval_batch_size = batch_size, eval_batch_size
        self._num_workers = num_workers
        self._validation_fraction = validation_fraction
        self._on_bad_file = on_bad_file
        self._cache = Path(cache_dir).expanduser() if cache_dir else default_cache()
        self._jitter = Jitter(brightness, contrast, flip)
        self._splits: dict[str, list[CachedClip]] = {}
        self._layout: VideoSource | None = None

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of all frames, in pixels."""
        return self._letterbox.height, self._letterbox.width

    def prepare_data(self) -> None:
        """Decode into the cache whatever the coming stage needs; Lightning calls this in one process only."""
        stage = self.trainer.state.fn if self.trainer is not None else TrainerFn.FITTING
        if stage != TrainerFn.PREDICTING:
            self._open(stage == TrainerFn.TESTING)

    def setup(self, stage: str) -> None:
        """Open the clips of a stage: ``fit``, ``validate``, ``test`` or ``predict``.

        Raises:
            InputError: if the source cannot be used.
        """
        if stage == "predict":
            root = self._root if self.source else self._root / "test"
            self.predict_sources = find_predict_sources(root, self._span, self._on_bad_file)
        else:
            self._splits.update(self._open(stage == "test"))

    def train_dataloader(self) -> Loader:
        """Shuffled training windows with pseudo-anomalous copies."""
        clips = self._splits["train"]
        starts = [training_starts(clip.length, *self._shape, self._train_stride) for clip in clips]
        windows = TrainingWindows(EvaluationWindows(clips, starts, *self._shape), self._jitter)
        replicas = (self.trainer.world_size, self.trainer.global_rank) if self.trainer else (1, 0)
        sampler = EpochSampler(len(windows), *replicas)
        if len(sampler) < self._batch_size:
            raise InputError(
                f"data.batch_size: is {self._batch_size}, each process gets only {len(sampler)} "
                "windows; "
                "choose a smaller batch or a smaller data.train_stride"
            )
        return self._loader(windows, self._batch_size, sampler)

    def val_dataloader(self) -> list[Loader]:
        """Two loaders: all normal clips unchanged, for calibration; held-out ones with their pseudo-anomalies.

        The held-out clips belong to the calibration, because a model is surer of the clips that it was trained on.
        """
        held_out = self._splits["validation"]
        pseudo = [PseudoAnomalousClip(clip, number, self._span) for number, clip in enumerate(held_out)]
        if not any(clip.label.any() for clip in pseudo):
            raise InputError(
                "data.source: nothing moves in the clips held out for validation "
                f"({', '.join(clip.name for clip in held_out)}), so that no pseudo-anomaly made from them could "
                "be seen; use clips with movement, or another seed_everything to hold out others"
            )
        calibration = self._evaluation([*self._splits["train"], *held_out], self.num_frames, with_masks=False)
        return [calibration, self._evaluation([*held_out, *pseudo], self._validation_stride, with_masks=True)]

    def test_dataloader(self) -> Loader:
        """Every window of the test clips, in order; with masks where all of the anomalous clips have them."""
        clips = self._splits["test"]
        with_masks = any(clip.has_masks for clip in clips) and all(
            clip.has_masks or not clip.label.any() for clip in clips
        )
        return self._evaluation(clips, self._eval_stride, with_masks)

    def predict_dataloader(self) -> Loader:
        """Windows of ``predict_sources`` in order, decoded as they are read, in constant memory."""
        if self.trainer is not None and self.trainer.world_size > 1:
            raise InputError(
                "trainer.devices: prediction reads a video as one stream, in one process; "
                f"{self.trainer.world_size} were asked for, use 1"
            )
        # Lightning warns of several workers even where there is none.
        warnings.filterwarnings("ignore", message="Your `IterableDataset` has `__len__` defined")
        windows = StreamedWindows(self.predict_sources, self._letterbox, *self._shape, self._eval_stride)
        return DataLoader(windows, self._eval_batch_size, collate_fn=collate)

    def split_manifest(self) -> dict[str, Any]:
        """Return which video is in which split, ready for JSON; complete after ``setup``."""
        return {
            "source": str(self._root),
            "layout": self._layout.layout if self._layout else None,
            "splits": {name: [clip.name for clip in clips] for name, clips in self._splits.items()},
        }

    @property
    def _shape(self) -> tuple[int, int]:
        return self.num_frames, self.frame_step

    @property
    def _span(self) -> int:
        """Frames a clip needs for windows to cover all of them."""
        return self.num_frames * self.frame_step

    @property
    def _root(self) -> Path:
        return Path(self.source).expanduser() if self.source else demo_folder(self._cache)

    def _open(self, for_test: bool) -> dict[str, list[CachedClip]]:
        """Return the cached clips of the splits that a stage needs, by the split's name."""
        source = self._layout = read_layout(self._root)
        if for_test:
            test = self._cached(source.test)
            if not test:
                raise InputError(f"data.source: no test clip in {self._root} (read as {source.layout})")
            return {"test": test}
        normal = self._cached(source.train)
        train, validation = hold_out(normal, self._validation_fraction)
        held_out = {clip.name for clip in validation}
        refuse_shared_videos(
            {
                "train": [clip.path for clip in source.train if clip.name not in held_out],
                "validation": [clip.path for clip in source.train if clip.name in held_out],
                "test": [clip.path for clip in source.test],
            }
        )
        return {"train": train, "validation": validation}

    def _cached(self, clips: Sequence[Clip]) -> list[CachedClip]:
        folder = self._cache / "video"
        return cache_clips(clips, self._letterbox, folder, self._span, self._on_bad_file)

    def _evaluation(self, clips: Sequence[Frames], stride: int, with_masks: bool) -> Loader:
        starts = [evaluation_starts(clip.length, *self._shape, stride) for clip in clips]
        windows = EvaluationWindows(clips, starts, *self._shape, with_masks)
        return self._loader(windows, self._eval_batch_size)

    def _loader(self, windows: Dataset[Window], batch_size: int, sampler: EpochSampler | None = None) -> Loader:
        workers = self._num_workers
        return DataLoader(
            windows,
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

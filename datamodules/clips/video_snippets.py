"""The data module of video anomaly detection: windows of T frames from labelled video, or from any video."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from datamodules.clips.augmentation import Jitter
from datamodules.clips.boxes import Boxes
from datamodules.clips.cache import CachedClip, cache_clips
from datamodules.clips.demo import demo_folder
from datamodules.clips.judged_clips import boxes_of, check_judged, counts_of, have_masks
from datamodules.clips.live_stream import Stream
from datamodules.clips.live_windows import LiveWindows, Watcher, frames_until_final
from datamodules.clips.moving_crop import MovingCrop, crop_size
from datamodules.clips.pseudo_anomalies import PseudoAnomalousClip
from datamodules.clips.scenes import SceneName
from datamodules.clips.splits import hold_out
from datamodules.clips.video_layouts import Clip, VideoSource, read_layout
from datamodules.clips.video_stream import (
    GivenFrames,
    PredictSource,
    StreamedWindows,
    WindowCutter,
    find_predict_sources,
)
from datamodules.clips.windows import (
    EvaluationWindows,
    Frames,
    TrainingWindows,
    Window,
    check_stride,
    collate,
    evaluation_starts,
    training_starts,
)
from datamodules.decode_cache import IDENTITIES
from datamodules.errors import InputError
from datamodules.file_identity import VIDEOS_BY_CONTENT, content_hash, refuse_shared_videos
from datamodules.letterbox import Letterbox, Region
from datamodules.listing import some_of
from datamodules.picture_file import Frame
from datamodules.ranges import check_range, height_and_width
from datamodules.seeding import global_seed
from datamodules.source import SourceDataModule, Stage
from datamodules.streamed_loader import StreamedLoader
from datamodules.warn_once import tell_once

Loader = DataLoader[Window]  # which yields ``VideoBatch``


class VideoSnippetDataModule(SourceDataModule[CachedClip]):
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
        train_crop: height and width in pixels of what is cut out of each training window, at the resolution of
            ``image_size``, in half of them around something that moves, another place in every epoch; or one number
            for both. Everything else is of whole frames. None trains on them, too.
        eval_stride: the same for test and prediction, counted in window steps; at most ``num_frames``, so
            that every frame is seen. Smaller averages more windows per frame and takes longer.
        validation_stride: the same for validation, at most ``num_frames``, too.
        batch_size: windows per training batch.
        eval_batch_size: windows per batch elsewhere.
        validation_fraction: share of the normal clips held out for validation, at least one clip.
        fit: ``letterbox`` keeps the shape of things and adds black bars; ``stretch`` fills the picture.
        brightness: training windows vary by up to this share of the full range of grey levels.
        contrast: training windows vary by up to this share of their contrast.
        flip: whether half of the training windows are mirrored; leave it off where direction matters.
        scene: which generated scene stands in where there is no source: ``street``, ``alley`` (steep perspective,
            shade), ``plaza`` (a crowd from above, at noon), ``night`` (lamps and noise), ``haze`` (low contrast).
        **common: arguments of ``SourceDataModule``.

    Raises:
        InputError: if an argument is out of its range.
    """

    demo = "a generated street scene"
    item = "clip"
    splitting = ("seed_everything", "data.validation_fraction")

    def __init__(
        self,
        source: str | None = None,
        image_size: int | tuple[int, int] = (64, 64),
        num_frames: int = 8,
        frame_step: int = 1,
        train_stride: int = 2,
        train_crop: int | tuple[int, int] | None = None,
        eval_stride: int = 1,
        validation_stride: int = 4,
        batch_size: int = 4,
        eval_batch_size: int = 16,
        validation_fraction: float = 0.2,
        fit: Literal["letterbox", "stretch"] = "letterbox",
        brightness: float = 0.08,
        contrast: float = 0.05,
        flip: bool = False,
        scene: SceneName = "street",
        **common: Any,
    ) -> None:
        super().__init__(source, batch_size, **common)
        height, width = height_and_width("data.image_size", image_size, 8, 4096)
        for key, value, low, high in (
            ("num_frames", num_frames, 2, 1024),
            ("frame_step", frame_step, 1, 1000),
            ("train_stride", train_stride, 1, 100_000),
            ("eval_batch_size", eval_batch_size, 1, 65_536),
            ("validation_fraction", validation_fraction, 0.0, 0.9),
            ("brightness", brightness, 0.0, 0.5),
            ("contrast", contrast, 0.0, 0.9),
        ):
            check_range(f"data.{key}", value, low, high)
        check_stride("data.eval_stride", eval_stride, num_frames)
        check_stride("data.validation_stride", validation_stride, num_frames)
        self.num_frames = num_frames
        self.frame_step = frame_step
        self.training_size = (height, width) if train_crop is None else crop_size(train_crop, height, width)
        self.predict_sources: list[PredictSource] = []
        self._letterbox = Letterbox(height, width, fit)
        self._train_stride, self._eval_stride = train_stride, eval_stride
        self._validation_stride = validation_stride
        self._eval_batch_size = eval_batch_size
        self._validation_fraction = validation_fraction
        self._jitter = Jitter(brightness, contrast, flip)
        self._scene: SceneName = scene
        self._kinds: dict[str, NDArray[np.str_]] = {}
        self._digested: dict[tuple[str, str], str] = {}  # by split and name
        self._layout: VideoSource | None = None
        self._live: LiveWindows | None = None
        self._normal: list[PredictSource] | None = None

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of all frames, in pixels."""
        return self._letterbox.height, self._letterbox.width

    def train_dataloader(self) -> Loader:
        """Shuffled training windows with pseudo-anomalous copies."""
        clips = self._splits["train"]
        starts = [training_starts(clip.length, *self._shape, self._train_stride) for clip in clips]
        whole = EvaluationWindows(clips, starts, *self._shape)
        crop = None if self.training_size == self.image_size else MovingCrop(clips, *self.training_size)
        windows = TrainingWindows(whole, self._jitter, global_seed(), crop)
        return self._training_loader(windows, collate, "windows", " or a smaller data.train_stride")

    def validation_loaders(self) -> list[Loader]:
        """Two loaders: all normal clips unchanged, for calibration; held-out ones with their pseudo-anomalies.

        The held-out clips belong to the calibration, because a model is surer of the clips that it was trained on.
        """
        held_out = self._splits["validation"]
        pseudo = [PseudoAnomalousClip(clip, number, self._span) for number, clip in enumerate(held_out)]
        self._kinds = {clip.name: clip.kinds for clip in pseudo}
        if not any(clip.label.any() for clip in pseudo):
            raise InputError(
                "data.source: no pseudo-anomaly made from the clips held out for validation "
                f"({', '.join(clip.name for clip in held_out)}) could be seen: nothing moves in them, or they are too "
                "dark or even. Use clips with movement and contrast, data.bit_range for frames of more than 8 bits, or "
                "another seed_everything to hold out others"
            )
        calibration = self._evaluation([*self._splits["train"], *held_out], self.num_frames, with_masks=False)
        return [calibration, self._evaluation([*held_out, *pseudo], self._validation_stride, with_masks=True)]

    def test_loader(self) -> Loader:
        """Every window of the test clips, in order; with masks where all of the anomalous clips have them."""
        clips = self._splits["test"]
        return self._evaluation(clips, self._eval_stride, have_masks(clips))

    def predict_dataloader(self) -> StreamedLoader[Window] | LiveWindows:
        """Windows of ``predict_sources`` in order, or of what is watched, decoded as they come, in constant memory."""
        if self._live is not None:
            return self._live
        if self._normal is not None and "validation" in self._splits:
            self._refuse_learned("validation")  # what is called held out must not have been learned from
        windows = StreamedWindows(self.predict_sources, self._letterbox, *self._shape, self._eval_stride)
        return self._streamed(windows, collate, self._eval_batch_size, "video")

    def watch(self, stream: Stream, watcher: Watcher) -> None:
        """Let the next prediction be of a stream.

        Args:
            stream: frames that were prepared by ``letterbox``.
            watcher: is told of its frames.
        """

        def cut(name: str, region: Region) -> WindowCutter:
            return WindowCutter(name, region, *self._shape, self._eval_stride)

        self._live = LiveWindows(stream, cut, self._eval_batch_size, collate, watcher)

    @property
    def frames_until_final(self) -> int:
        """How many further frames have come, at most, when the score of a frame is final."""
        return frames_until_final(*self._shape, self._eval_stride, self._eval_batch_size)

    def predict_normal(self, paths: Sequence[Path]) -> list[PredictSource]:
        """Let the next prediction be of normal videos, and return what they are.

        Args:
            paths: the videos, or folders of videos; none: those that were held out of the training.

        Raises:
            InputError: if one cannot be used.
        """
        if not paths:
            self.setup("validate")
            assert self._layout is not None
            held_out = {clip.name for clip in self._splits["validation"]}
            paths = [clip.path for clip in self._layout.train if clip.name in held_out]
        found = [one for path in paths for one in self._sources_below(path)]
        self._normal = [replace(one, name=f"{number}/{one.name}") for number, one in enumerate(found)]
        return self._normal

    @property
    def letterbox(self) -> Letterbox:
        """What brings frames to the model's size."""
        return self._letterbox

    def prepare_data(self) -> None:
        """Write the demo and decode what the coming stage needs; what is watched needs neither."""
        if self._live is None:
            super().prepare_data()

    def split_manifest(self) -> dict[str, Any]:
        """Return which video is in which split, ready for JSON; complete after ``setup``."""
        return super().split_manifest() | {"layout": self._layout.layout if self._layout else None}

    def counts(self, split: str) -> dict[str, int]:
        """Return the numbers of clips and frames, of a test also of labels that say so, masks, boxes and tracks."""
        clips = self._splits.get(split, [])
        found = super().counts(split) | {"frames": sum(clip.length for clip in clips)}
        return found | (counts_of(clips) if split == "test" else {})

    def test_boxes(self) -> dict[str, Boxes]:
        """Return the :data:`~datamodules.clips.boxes.Boxes` of every test clip, or none where no clip has any."""
        return boxes_of(self._splits["test"])

    def validation_kinds(self) -> dict[str, NDArray[np.str_]]:
        """Return by the name of each copy with pseudo-anomalies what kind each frame shows, empty where none."""
        return self._kinds

    def preparation(self) -> dict[str, Any]:
        """Return how a video is cut into windows for prediction."""
        return {
            "image_size": list(self.image_size),
            "fit": self._letterbox.fit,
            "num_frames": self.num_frames,
            "frame_step": self.frame_step,
            "stride": self._eval_stride,
            "bit_range": list(self._bit_range) if self._bit_range else None,
        }

    def write_demo(self) -> Path:
        """Return the folder of the demo."""
        return demo_folder(self._cache, self._scene)

    def open_splits(self, stage: Stage) -> dict[str, list[CachedClip]]:
        """Return the cached clips of the splits that a stage needs, by the split's name."""
        source = self._layout = read_layout(self._root)
        if stage == "test":
            test = self._cached(source.test)
            check_judged(self._root, source, test)
            return self._known({"test": test}, source.test)
        train, validation = hold_out(self._cached(source.train), self._validation_fraction)
        held_out = {clip.name for clip in validation}
        if source.layout == "flat":
            named = some_of([clip.name for clip in validation])
            tell_once(
                f"{self._root} has no train/ and test/: all of its {len(source.train)} videos are taken as normal. "
                f"Held out from training, to choose the best weights and the threshold: {named}"
            )
        refuse_shared_videos(
            {
                "train": [clip.path for clip in source.train if clip.name not in held_out],
                "validation": [clip.path for clip in source.train if clip.name in held_out],
                "test": [clip.path for clip in source.test],
            },
            self._cache / IDENTITIES,
        )
        return self._known({"train": train, "validation": validation}, source.train)

    def open_prediction(self) -> None:
        """Find ``predict_sources``: those below the source, or the demo's test clips."""
        if self._live is not None:
            return
        if self._normal is not None:
            self.predict_sources = self._normal
            return
        self.predict_sources = self._sources_below(self._root if self.source else self._root / "test")

    def for_frames(self, frames: Iterable[Frame], fps: float, name: str) -> Self:
        """Return a copy that predicts on frames which a program hands over; no ``setup`` is needed.

        Args:
            frames: uint8 RGB ``(height, width, 3)``, all of one size; read once, as they are needed.
            fps: frames per second.
            name: what they are called.

        Raises:
            InputError: if there is no frame.
        """
        rest = iter(frames)
        first = next(rest, None)
        if first is None:
            raise InputError(f"{name}: holds no frame, a window needs {self._span}; give more")
        other = self._apart()
        height, width = first.shape[:2]
        other.predict_sources = [GivenFrames(name, Path(name), fps, height, width, None, given=chain([first], rest))]
        return other

    @property
    def can_test(self) -> bool:
        """Whether there are test clips."""
        return self._layout is None or bool(self._layout.test)

    @property
    def form(self) -> str:
        """How videos are told apart."""
        return VIDEOS_BY_CONTENT

    def digest(self, split: str, item: CachedClip) -> str:
        """Return what tells a clip's file, or its frames, from others."""
        return self._digested[split, item.name]

    @property
    def _shape(self) -> tuple[int, int]:
        return self.num_frames, self.frame_step

    @property
    def _span(self) -> int:
        """Frames a clip needs for windows to cover all of them."""
        return self.num_frames * self.frame_step

    def _sources_below(self, root: Path) -> list[PredictSource]:
        return find_predict_sources(root, self._span, self._on_bad_file, self._bit_range)

    def _known(self, splits: dict[str, list[CachedClip]], clips: Sequence[Clip]) -> dict[str, list[CachedClip]]:
        """Note the digests of the clips in ``splits``, and return these."""
        paths = {clip.name: clip.path for clip in clips}
        for split, chosen in splits.items():
            self._digested |= {
                (split, clip.name): content_hash([paths[clip.name]], self._cache / IDENTITIES) for clip in chosen
            }
        return splits

    def _cached(self, clips: Sequence[Clip]) -> list[CachedClip]:
        return cache_clips(clips, self._letterbox, self._cache, self._span, self._on_bad_file, self._bit_range)

    def _evaluation(self, clips: Sequence[Frames], stride: int, with_masks: bool) -> Loader:
        starts = [evaluation_starts(clip.length, *self._shape, stride) for clip in clips]
        windows = EvaluationWindows(clips, starts, *self._shape, with_masks)
        return self._loader(windows, collate, self._eval_batch_size)

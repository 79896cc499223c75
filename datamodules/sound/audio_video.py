"""The data module of pictures that follow sound: pieces of clips with both, or sound alone to draw to."""

from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch
from torch.utils.data import DataLoader

from datamodules.decode_cache import IDENTITIES
from datamodules.errors import InputError
from datamodules.file_identity import VIDEOS_BY_CONTENT, content_hash, refuse_shared_videos
from datamodules.letterbox import Letterbox
from datamodules.picture_file import Frame
from datamodules.ranges import check_range
from datamodules.seeding import global_seed
from datamodules.sound.audio_video_cache import CachedPair, Settings, cache_pairs
from datamodules.sound.audio_video_sources import Pair, divide, find_pairs
from datamodules.sound.movements import changes, find_weighed_movements
from datamodules.sound.music import music_folder
from datamodules.sound.pieces import EvaluationPieces, Piece, PieceShape, TrainingPieces, collate
from datamodules.sound.ridge_rule import RidgeRule
from datamodules.sound.sound import Sound, resampled
from datamodules.sound.sound_stream import GivenSound, SoundSource, StreamedPieces, find_sound_sources
from datamodules.sound.still import read_still
from datamodules.source import SourceDataModule, Stage
from datamodules.streamed_loader import StreamedLoader

Loader = DataLoader[Piece]  # which yields ``AudioVideoBatch``


class AudioVideoDataModule(SourceDataModule[CachedPair]):
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
        validation_fraction: share of the clips held out for validation, at least two clips.
        test_fraction: share of the clips held out for test, at least two clips.
        fit: ``letterbox`` keeps the shape of things and adds black bars; ``stretch`` fills the picture.
        still: the picture that ``predict`` draws on, where the model takes one: a picture file, or a video whose mean
            picture is taken. None: the mean picture of the training clips, which the checkpoint has.
        **common: arguments of ``SourceDataModule``.

    Raises:
        InputError: if an argument is out of its range.
    """

    reads_pictures = False
    demo = "generated music and what is seen of it"
    item = "clip"
    splitting = ("data.validation_fraction", "data.test_fraction")

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
        validation_fraction: float = 0.15,
        test_fraction: float = 0.15,
        fit: Literal["letterbox", "stretch"] = "letterbox",
        still: str | None = None,
        **common: Any,
    ) -> None:
        super().__init__(source, batch_size, **common)
        check_range("data.fps", fps, 1.0, 240.0)
        check_range("data.duration", duration, 2 / fps, 60.0)
        for key, value, low, high in (
            ("sample_rate", sample_rate, 1000, 192_000),
            ("image_size", image_size, 16, 1024),
            ("stride", stride, 0.0, 60.0),
            ("eval_batch_size", eval_batch_size, 1, 65_536),
            ("validation_fraction", validation_fraction, 0.0, 0.9),
            ("test_fraction", test_fraction, 0.0, 0.9),
        ):
            check_range(f"data.{key}", value, low, high)
        if not 1 / fps <= stride <= duration:
            raise InputError(
                f"data.stride: is {stride:g}, must be at least the time of one picture (1 / data.fps, {1 / fps:.4g}) "
                f"and at most data.duration, {duration:g}"
            )
        self.sample_rate, self.fps, self.duration = sample_rate, fps, duration
        self.image_size = image_size
        self.still: str | Frame | None = still  # a program may put a picture in its place, uint8 RGB (h, w, 3)
        self.predict_sources: list[SoundSource] = []
        self._shape = PieceShape(round(duration * fps), round(duration * sample_rate), max(1, round(stride * fps)))
        self._settings = Settings(sample_rate, fps, Letterbox(image_size, image_size, fit))
        self._eval_batch_size = eval_batch_size
        self._fractions = validation_fraction, test_fraction
        self._digested: dict[str, str] = {}  # of the videos, by name

    @property
    def num_frames(self) -> int:
        """Pictures per piece."""
        return self._shape.frames

    @property
    def num_samples(self) -> int:
        """Samples per piece."""
        return self._shape.samples

    def train_dataloader(self) -> Loader:
        """Shuffled pieces that begin anywhere, each beside the sound of a different clip."""
        pieces = TrainingPieces(self._splits["train"], self._shape, global_seed())
        return self._training_loader(pieces, collate, "pieces", " or a smaller data.stride")

    def validation_loaders(self) -> Loader:
        """Every piece of the validation clips, in order."""
        return self._evaluation("validation")

    def test_loader(self) -> Loader:
        """Every piece of the test clips, in order."""
        return self._evaluation("test")

    def predict_dataloader(self) -> StreamedLoader[Piece]:
        """Overlapping pieces of ``predict_sources`` in order, decoded as they are read, in constant memory."""
        given = Path(self.still).expanduser() if isinstance(self.still, str) else self.still
        still = None if given is None else read_still(given, self._settings.letterbox)
        pieces = StreamedPieces(self.predict_sources, self._settings, self._shape, still)
        return self._streamed(pieces, collate, self._eval_batch_size, "sound")

    def mean_picture(self) -> torch.Tensor:
        """Return the mean of all pictures of the training clips, float32 ``(3, H, W)`` in [0, 1]; after ``setup``."""
        clips = self._splits["train"]
        total = torch.zeros(3, self.image_size, self.image_size, dtype=torch.float64)
        for clip in clips:
            for start in range(0, clip.length, self.num_frames):  # a video of hours is not held at once
                total += torch.from_numpy(clip.frames(start, self.num_frames)).sum(0, dtype=torch.float64)
        return (total / (255 * sum(clip.length for clip in clips))).float()

    def deviation(self) -> torch.Tensor:
        """Return how much each pixel of the training clips differs from its piece's mean; after ``setup``.

        Returns:
            float32 ``(H, W)``: the root of the mean square over pictures and colours, in [0, 1].
        """
        pieces = self._apart_in_time()
        total, count = np.zeros(3 * self.image_size**2), 0
        for index in range(len(pieces)):
            moved = changes(pieces[index])
            total, count = total + np.square(moved).sum(axis=0, dtype=np.float64), count + len(moved)
        return torch.from_numpy(total / count).view(3, self.image_size, self.image_size).mean(0).sqrt().float()

    def components(self, most: int) -> torch.Tensor:
        """Return in which ways the training clips move; after ``setup``.

        Returns:
            float32 ``(K, 3, H, W)``: principal components, each of the length 1, of the change from a piece's mean, at
            most ``most`` of them, found in pixels that count by their ``deviation``. Of many pictures an even sample
            is looked at.
        """
        pieces, weights = self._apart_in_time(), self.deviation().flatten().repeat(3).numpy()
        found = find_weighed_movements(pieces, range(len(pieces)), most, weights)
        return torch.from_numpy(found).view(-1, 3, self.image_size, self.image_size)

    def sound_rule(self) -> RidgeRule:
        """Return ridge regression from the sound to what moves, learned from the training clips; after ``setup``."""
        return RidgeRule(self._apart_in_time(), self.sample_rate)

    def _apart_in_time(self) -> EvaluationPieces:
        """Return the pieces of the training clips, none of which begins within another one."""
        return EvaluationPieces(self._splits["train"], PieceShape(self.num_frames, self.num_samples, self.num_frames))

    def counts(self, split: str) -> dict[str, int]:
        """Return the number of clips and how long they are together, in seconds."""
        clips = self._splits.get(split, [])
        return super().counts(split) | {"seconds": round(sum(clip.length for clip in clips) / self.fps)}

    def preparation(self) -> dict[str, Any]:
        """Return how a sound is cut into pieces for prediction, in samples and pictures."""
        return {
            "sample_rate": self.sample_rate,
            "fps": self.fps,
            "num_samples": self.num_samples,
            "num_frames": self.num_frames,
            "stride": self._shape.stride,
        }

    def write_demo(self) -> Path:
        """Return the folder of the music."""
        return music_folder(self._cache)

    def open_splits(self, stage: Stage) -> dict[str, list[CachedPair]]:
        """Return the cached clips of all splits."""
        pairs = {pair.name: pair for pair in find_pairs(self._root)}
        least = -(-self._shape.frames // 2)
        usable = cache_pairs([*pairs.values()], self._settings, self._cache, least, self._on_bad_file)
        splits = divide(usable, *self._fractions)
        memory = self._cache / IDENTITIES
        self._digested = {clip.name: content_hash([pairs[clip.name].video], memory) for clip in usable}
        videos = {split: [pairs[one.name].video for one in clips] for split, clips in splits.items()}
        refuse_shared_videos(videos, memory)
        return splits

    def open_prediction(self) -> None:
        """Find ``predict_sources``: the sounds of the source, or the test clips of the music."""
        if self.source is not None:
            paths = [self._root]
        else:
            pairs: dict[str, Pair] = {pair.name: pair for pair in find_pairs(self._root)}
            paths = [pairs[clip.name].video for clip in self.open_splits("test")["test"]]
        self.predict_sources = find_sound_sources(paths, self.sample_rate, self.fps, self._on_bad_file)

    def for_sound(self, samples: Sound, rate: int, name: str) -> Self:
        """Return a copy that draws to a sound which a program hands over; no ``setup`` is needed.

        Args:
            samples: float32 ``(channels, n)`` in [-1, 1].
            rate: samples per second.
            name: what it is called.

        Raises:
            InputError: if it is empty, or its rate cannot be converted.
        """
        count = sum(piece.shape[1] for piece in resampled(name, samples, rate, self.sample_rate))
        frames = max(1, round(count / self.sample_rate * self.fps))
        other = self._apart()
        other.predict_sources = [GivenSound(name, Path(name), self.fps, frames, samples, rate)]
        return other

    @property
    def form(self) -> str:
        """How videos are told apart."""
        return VIDEOS_BY_CONTENT

    def digest(self, split: str, item: CachedPair) -> str:
        """Return what tells a clip's file with the pictures from others."""
        return self._digested[item.name]

    def _evaluation(self, split: str) -> Loader:
        return self._loader(EvaluationPieces(self._splits[split], self._shape), collate, self._eval_batch_size)

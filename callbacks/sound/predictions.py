"""Video generated from the user's own sound, written as an MP4 with that sound while it is generated."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor

from callbacks.enlarged import checked_scale, enlarge, enlarged_name
from callbacks.figures import duration, several
from callbacks.streamed_writer import StreamedWriter
from datamodules.batches import AudioVideoBatch, GeneratedClips
from datamodules.picture_file import Frame
from datamodules.protocols import SoundSource
from datamodules.sound.sound import Sound, SoundVideoWriter, read_sound, track_rate


class SoundPredictions(StreamedWriter["_Track"]):
    """Writes ``predictions/<sound>/video.mp4`` at predict: the pictures, and the sound as it is in its source.

    Where pieces overlap, their pictures fade into each other in equal steps. The video lasts as long as the
    sound, to half a picture. What is held in memory does not grow with the length.

    Args:
        scale: where it is above 1, a second video is so many times as high and wide: ``video_x4_lanczos.mp4``.

    Raises:
        InputError: if it is out of its range.
    """

    recording, part = "sound", "piece"

    def __init__(self, scale: int = 1) -> None:
        super().__init__()
        self.scale = checked_scale(scale)

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Write the pictures that no later piece can change.

        Raises:
            RuntimeError: if the pieces of a sound do not come in one piece.
        """
        assert isinstance(outputs, GeneratedClips)
        assert isinstance(batch, AudioVideoBatch)
        pictures = outputs.frames.detach().float().cpu()
        starts, counts = batch.start.tolist(), batch.valid.sum(1).tolist()

        def write() -> None:
            for row, name in enumerate(batch.name):
                track = self.files_of(
                    name, lambda source, folder: _Track(source, folder, pictures.shape[-2:], self.scale)
                )
                track.add(starts[row], pictures[row], counts[row])

        self.later(write)


class CrossFade:
    """Joins overlapping pieces of pictures; a picture's weight grows with its distance from its piece's ends.

    Two neighbours thus fade into each other in equal steps. Holds the pictures that a later piece can change.
    """

    def __init__(self) -> None:
        self._sums = torch.zeros(0)
        self._weights = torch.zeros(0)
        self._first = 0

    def add(self, start: int, frames: Tensor, count: int) -> Iterator[Tensor]:
        """Take in pictures from number ``start`` on, and yield those before it, ``(C, H, W)``.

        Args:
            start: number of the first picture.
            frames: ``(T, C, H, W)``.
            count: how many of them are no padding.

        Raises:
            RuntimeError: if a piece begins before its predecessor, or a picture is left out.
        """
        if not self._first <= start <= self._first + len(self._sums):
            raise RuntimeError(f"a piece begins at picture {start}, after {self._first} and its pictures")
        yield from self._close(start - self._first)
        steps = torch.arange(1.0, len(frames) + 1)
        weight = torch.minimum(steps, steps.flip(0))[:count]
        new = max(0, count - len(self._sums))
        self._sums = torch.cat([self._sums.reshape(-1, *frames.shape[1:]), torch.zeros(new, *frames.shape[1:])])
        self._weights = torch.cat([self._weights, torch.zeros(new)])
        self._sums[:count] += weight[:, None, None, None] * frames[:count]
        self._weights[:count] += weight

    def rest(self) -> Iterator[Tensor]:
        """Yield what is left; no piece follows."""
        yield from self._close(len(self._sums))

    def _close(self, count: int) -> Iterator[Tensor]:
        for total, weight in zip(self._sums[:count], self._weights[:count], strict=True):
            yield total / weight
        self._sums, self._weights = self._sums[count:].clone(), self._weights[count:].clone()
        self._first += count


class _Track:
    """The video of one sound, open until all of its pictures are written."""

    def __init__(self, source: SoundSource, folder: Path, size: Sequence[int], scale: int) -> None:
        self.source = source
        self._scale = scale
        self._fade = CrossFade()
        self._frames = 0
        self._rate = track_rate(source.path)
        self._sound = read_sound(source.path, self._rate, stereo=True)
        self._kept: Sound = np.zeros((2, 0), np.float32)
        self._heard = 0
        self._files = ExitStack()  # closing it puts the video in its place, an error leaves it beside
        self._video = self._open(folder / "video.mp4", size, 1)
        self._larger = self._open(folder / enlarged_name("video.mp4", scale), size, scale) if scale > 1 else None

    def _open(self, path: Path, size: Sequence[int], scale: int) -> SoundVideoWriter:
        shape = size[0] * scale, size[1] * scale
        writer = SoundVideoWriter(path, self.source.fps, shape, self._rate, channels=2, crf=16)
        return self._files.enter_context(writer)

    def add(self, start: float, frames: Tensor, count: int) -> None:
        """Take in a piece that begins at ``start`` seconds; its first ``count`` pictures are no padding."""
        for picture in self._fade.add(round(start * self.source.fps), frames, count):
            self._write(picture)

    def finish(self, whole: bool) -> None:
        """Write the last pictures and the rest of the sound; ``whole`` if the sound was not cut short."""
        with self._files:
            for picture in self._fade.rest():
                self._write(picture)
            if whole:
                if self._frames != self.source.frames:
                    raise RuntimeError(f"{self.source.path}: {self._frames} of {self.source.frames} pictures came")
                self._write_sound(self._kept)
                for piece in self._sound:
                    self._write_sound(piece)

    shown = "video.mp4"

    def found(self) -> str:
        """Return how much was drawn."""
        return f"{several(self._frames, 'picture')} drawn, {duration(self._frames / self.source.fps)}"

    def abandon(self, error: BaseException) -> None:
        """Close the video where it is."""
        self._files.__exit__(type(error), error, error.__traceback__)

    def _write(self, picture: Tensor) -> None:
        """Write a picture, and the sound that is heard while it is shown."""
        pixels = to_pixels(picture)
        self._video.write(pixels)
        if self._larger is not None:
            self._larger.write(enlarge(pixels, self._scale))
        self._frames += 1
        due = round(self._frames * self._rate / self.source.fps) - self._heard
        while self._kept.shape[1] < due and (piece := next(self._sound, None)) is not None:
            self._kept = np.concatenate([self._kept, piece], axis=1)
        self._write_sound(self._kept[:, :due])
        self._heard += due
        self._kept = self._kept[:, due:]

    def _write_sound(self, samples: Sound) -> None:
        self._video.write_sound(samples)
        if self._larger is not None:
            self._larger.write_sound(samples)


def to_pixels(picture: Tensor) -> Frame:
    """Bring a picture ``(C, H, W)`` in [0, 1] on the CPU to uint8 ``(H, W, C)``."""
    return np.asarray((picture.clamp(0, 1) * 255).round().byte().movedim(0, -1).numpy())

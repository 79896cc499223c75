"""Pieces of sound with the pictures that belong to them, cut out of batches, and the video that shows them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer
from torch import Tensor

from callbacks.panels import to_pictures, video_frames
from datamodules.batches import AudioVideoBatch, GeneratedClips
from datamodules.protocols import HasRates
from datamodules.sound.sound import Resampler, Sound, SoundVideoWriter, mp4_rate


@dataclass(frozen=True)
class ShownPiece:
    """One piece: its batch of one row, its sound ``(1, n)``, and named pictures ``(1, T, 3, H, W)`` in [0, 1]."""

    batch: AudioVideoBatch
    sound: Sound
    clips: Mapping[str, Tensor]

    @property
    def title(self) -> str:
        """Which clip, and where in it."""
        return f"{self.batch.name[0]}, from {float(self.batch.start[0]):.2f} s"


def rates_of(trainer: Trainer) -> HasRates:
    """Return the data module, which knows the rates of sound and pictures.

    Raises:
        TypeError: if it does not.
    """
    data: Any = trainer.datamodule  # type: ignore[attr-defined]  # set without a type
    if not isinstance(data, HasRates):
        raise TypeError(f"{type(data).__name__} has no sample_rate and fps, which what shows pieces needs")
    return data


def pick_piece(outputs: GeneratedClips, batch: AudioVideoBatch, row: int, rates: HasRates) -> ShownPiece:
    """Cut one piece out of a batch, without its padding; a copy, so that the batch can be freed."""
    count = int(batch.valid[row].sum())
    tensors = {
        slot.name: value[row : row + 1].clone()
        for slot in fields(batch)
        if isinstance(value := getattr(batch, slot.name), Tensor)
    }
    drawn = {"generated": outputs.frames, "from other sound": outputs.shuffled}
    clips = {"real": batch.frames[row : row + 1, :count].float().cpu() / 255}
    clips |= {name: made[row : row + 1, :count].float().cpu() for name, made in drawn.items() if made is not None}
    sound = batch.audio[row, :, : round(count * rates.sample_rate / rates.fps)].cpu().numpy()
    return ShownPiece(replace(batch, name=[batch.name[row]], **tensors), sound, clips)


def write_pieces(path: Path, pieces: Sequence[tuple[Sound, Mapping[str, Tensor]]], rates: HasRates) -> None:
    """Write pieces one after another as an MP4 with their sound, what is named side by side.

    Args:
        path: where to write; ends in ``.mp4``.
        pieces: of each its sound ``(1, n)`` and named pictures ``(1, T, 3, H, W)`` in [0, 1].
        rates: of sound and pictures.
    """
    videos = [video_frames(to_pictures(clips)) for _, clips in pieces]
    first = next(videos[0])
    rate = mp4_rate(rates.sample_rate)
    with SoundVideoWriter(path, rates.fps, first.shape[:2], rate) as writer:
        writer.write(first)
        for (sound, _), frames in zip(pieces, videos, strict=True):
            for frame in frames:
                writer.write(frame)
            resampler = Resampler(path, rates.sample_rate, rate, channels=1)
            writer.write_sound(resampler.push(sound))
            writer.write_sound(resampler.rest())

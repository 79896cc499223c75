"""What the model sees and makes, as a picture and a film, at every validation."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor

from callbacks.batches_seen import batches_seen
from callbacks.cadence import Cadence
from callbacks.panels import film, panel, to_pictures
from callbacks.picture_file import keep_newest, write_png
from callbacks.wandb_run import show
from datamodules.batches import FrameScores, VideoBatch
from datamodules.errors import InputError
from datamodules.media import VideoWriter
from datamodules.protocols import HasVisuals


class MediaLogger(Cadence):
    """Writes ``media/batch-<batches>.png`` and ``.mp4`` after a validation, and sends both to Weights & Biases.

    They show always the same windows: the first of the judged validation windows, half of them (rounded up)
    with an anomaly, each of another video. The model's ``visuals`` is called in evaluation mode, on rank 0
    only.

    Args:
        windows: number of windows.
        every_n_validations: 1 shows every validation.
        keep: number of validations whose files stay in the folder; the oldest are removed.
        fps: frames per second of the film.
    """

    def __init__(self, windows: int = 4, every_n_validations: int = 1, keep: int = 20, fps: float = 8.0) -> None:
        for name, value in {"windows": windows, "every_n_validations": every_n_validations, "keep": keep}.items():
            if value < 1:
                raise InputError(f"MediaLogger: {name} is {value}; give at least 1, or leave the callback out.")
        self.windows, self.every_n_validations, self.keep, self.fps = windows, every_n_validations, keep, fps
        self._picked: dict[tuple[bool, str], VideoBatch] = {}

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget the windows of the last time."""
        self._picked = {}

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Pick windows from batches whose scores are judged."""
        if isinstance(outputs, FrameScores) and isinstance(batch, VideoBatch) and trainer.is_global_zero:
            anomalous = (batch.label == 1).any(dim=1).tolist()
            for row, kind in enumerate(anomalous):
                wanted = self.windows - self.windows // 2 if kind else self.windows // 2
                taken = sum(picked == kind for picked, _ in self._picked)
                if taken < wanted and (kind, batch.video[row]) not in self._picked:
                    self._picked[kind, batch.video[row]] = _row(batch, row)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw them."""
        if trainer.sanity_checking or not self._picked:
            return
        if not self.is_due(trainer):
            return
        if not isinstance(pl_module, HasVisuals):
            raise TypeError(f"{type(pl_module).__name__} has no visuals(batch) to show; leave MediaLogger out")
        with torch.no_grad():
            batch = _join([self._picked[key] for key in sorted(self._picked, reverse=True)])
            clips = to_pictures(pl_module.visuals(batch))
        captions = [_caption(batch, row) for row in range(len(batch))]
        self._picked = {}
        folder = Path(trainer.default_root_dir) / "media"
        stem = f"batch-{batches_seen(trainer):07d}"
        picture, video = folder / f"{stem}.png", folder / f"{stem}.mp4"
        write_png(picture, panel(clips, captions))
        frames = list(film(clips))
        with VideoWriter(video, self.fps, frames[0].shape[:2]) as writer:
            for frame in frames:
                writer.write(frame)
        show(trainer, "val/panel", picture)
        show(trainer, "val/film", video)
        for suffix in (".png", ".mp4"):
            keep_newest(folder, f"batch-*{suffix}", self.keep)


def _row(batch: VideoBatch, row: int) -> VideoBatch:
    """Cut one window out of a batch; a copy, so that the batch can be freed."""
    cut = {slot.name: getattr(batch, slot.name) for slot in fields(batch)}
    tensors = {name: value[row : row + 1].clone() for name, value in cut.items() if isinstance(value, Tensor)}
    return replace(batch, video=[batch.video[row]], **tensors)


def _caption(batch: VideoBatch, row: int) -> str:
    anomalous = ", anomalous" if bool((batch.label[row] == 1).any()) else ""
    return f"{batch.video[row]}, frames {int(batch.frame[row, 0])}-{int(batch.frame[row, -1])}{anomalous}"


def _join(rows: list[VideoBatch]) -> VideoBatch:
    first = rows[0]
    names = [slot.name for slot in fields(first) if isinstance(getattr(first, slot.name), Tensor)]
    tensors = {name: torch.cat([getattr(row, name) for row in rows]) for name in names}
    return replace(first, video=[row.video[0] for row in rows], **tensors)

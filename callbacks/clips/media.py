"""Windows as the model sees them, with its visuals, as a picture and a video, at every validation."""

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor

from callbacks.attention_plot import draw_attention
from callbacks.colour_bar import with_bars
from callbacks.media import MediaCallback
from callbacks.panels import panel, to_pictures, video_frames
from callbacks.thresholds import threshold_of
from callbacks.visuals import visuals_of
from datamodules.batches import FrameScores, VideoBatch
from datamodules.media import VideoWriter
from datamodules.png_file import write_png
from datamodules.protocols import HasAttention


class ClipMedia(MediaCallback):
    """Writes ``media/batch-<batches>.png`` and ``.mp4`` after a validation, and sends both to Weights & Biases.

    They show always the same windows: the first of the judged validation windows, half of them (rounded up)
    with an anomaly, each of another video. The model's ``visuals`` is called in evaluation mode, on rank 0
    only; of a model without, the input and the heat of its scores are shown. Where the model offers ``attention``,
    ``media/attention-<batches>.png`` shows it for the first window.

    Args:
        windows: number of windows.
        every_n_validations: 1 shows every validation.
        keep: number of validations whose files stay in the folder; the oldest are removed.
        fps: frames per second of the video.
    """

    def __init__(self, windows: int = 4, every_n_validations: int = 1, keep: int = 20, fps: float = 8.0) -> None:
        super().__init__(every_n_validations, keep, windows=windows)
        self.windows, self.fps = windows, fps
        self._picked: dict[tuple[bool, str], tuple[VideoBatch, Tensor]] = {}

    def media_names(self, model: Any) -> list[str]:
        """Return the names of what is shown."""
        return ["val/panel", "val/video", *(["val/attention"] if isinstance(model, HasAttention) else [])]

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
                    heat = outputs.heat[row : row + 1].detach().clone()
                    self._picked[kind, batch.video[row]] = _row(batch, row), heat

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw them."""
        if trainer.sanity_checking or not self._picked:
            return
        if not self.is_due(trainer):
            return
        windows, heats = zip(*(self._picked[key] for key in sorted(self._picked, reverse=True)), strict=True)
        self._picked = {}
        batch = _join(windows)
        with torch.no_grad():
            visuals, scales = visuals_of(pl_module, batch, batch.frames, torch.cat(heats), threshold_of(pl_module))
        clips = to_pictures(visuals)
        captions = [_caption(batch, row) for row in range(len(batch))]
        picture, video = (self.file(trainer, "batch", ending) for ending in (".png", ".mp4"))
        write_png(picture, with_bars(panel(clips, captions), scales))
        frames = [with_bars(frame, scales) for frame in video_frames(clips)]
        with VideoWriter(video, self.fps, frames[0].shape[:2]) as writer:
            for frame in frames:
                writer.write(frame)
        self.publish(trainer, "val/panel", picture)
        self.publish(trainer, "val/video", video)
        if isinstance(pl_module, HasAttention):
            with torch.no_grad():
                weights = pl_module.attention(batch)
            if weights.shape[1]:
                file = self.file(trainer, "attention", ".png")
                draw_attention(file, weights[0].float().cpu(), 1, "frame attended to", "frame")
                self.publish(trainer, "val/attention", file)


def _row(batch: VideoBatch, row: int) -> VideoBatch:
    """Cut one window out of a batch; a copy, so that the batch can be freed."""
    cut = {slot.name: getattr(batch, slot.name) for slot in fields(batch)}
    tensors = {name: value[row : row + 1].clone() for name, value in cut.items() if isinstance(value, Tensor)}
    return replace(batch, video=[batch.video[row]], **tensors)


def _caption(batch: VideoBatch, row: int) -> str:
    anomalous = ", anomalous" if bool((batch.label[row] == 1).any()) else ""
    return f"{batch.video[row]}, frames {int(batch.frame[row, 0])}-{int(batch.frame[row, -1])}{anomalous}"


def _join(rows: Sequence[VideoBatch]) -> VideoBatch:
    first = rows[0]
    names = [slot.name for slot in fields(first) if isinstance(getattr(first, slot.name), Tensor)]
    tensors = {name: torch.cat([getattr(row, name) for row in rows]) for name in names}
    return replace(first, video=[row.video[0] for row in rows], **tensors)

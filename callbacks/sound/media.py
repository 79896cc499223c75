"""Real and generated video side by side with its sound, at every validation."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule, Trainer
from numpy.typing import NDArray

from callbacks.attention_plot import draw_attention
from callbacks.media import MediaCallback
from callbacks.panels import to_pictures
from callbacks.plots import name_title, picture
from callbacks.sound.shown_pieces import ShownPiece, pick_piece, rates_of, write_pieces
from datamodules.batches import AudioVideoBatch, GeneratedClips
from datamodules.protocols import HasAttention, HasRates
from datamodules.sound.sound import Sound

_COLUMNS = 15  # pictures in a strip


class SoundMedia(MediaCallback):
    """Writes ``media/batch-<batches>.mp4`` and ``.png`` after a validation, and sends both to Weights & Biases.

    The video shows pieces one after another with their sound: the real frames, the generated ones, and those generated
    from the sound of another clip. The picture has the spectrogram of each piece above strips of the same. Where the
    module offers ``attention``, ``media/attention-<batches>.png`` shows it for the first piece. They are always
    the same: the first pieces of the first validation clips. Only rank 0 writes.

    Args:
        clips: number of pieces, each of another clip.
        every_n_validations: 1 shows every validation.
        keep: number of validations whose files stay in the folder; the oldest are removed.
    """

    def __init__(self, clips: int = 3, every_n_validations: int = 1, keep: int = 20) -> None:
        super().__init__(every_n_validations, keep, clips=clips)
        self.clips = clips
        self._picked: dict[str, ShownPiece] = {}

    def media_names(self, model: Any) -> list[str]:
        """Return the names of what is shown."""
        return ["val/video", "val/panel", *(["val/attention"] if isinstance(model, HasAttention) else [])]

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget the pieces of the last time."""
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
        """Pick pieces."""
        if not (isinstance(outputs, GeneratedClips) and isinstance(batch, AudioVideoBatch) and trainer.is_global_zero):
            return
        rates = rates_of(trainer)
        for row, name in enumerate(batch.name):
            if len(self._picked) < self.clips and name not in self._picked:
                self._picked[name] = pick_piece(outputs, batch, row, rates)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Show them."""
        if trainer.sanity_checking or not self._picked:
            return
        if not self.is_due(trainer):
            return
        shown, rates = [*self._picked.values()], rates_of(trainer)
        self._picked = {}
        video, panel = (self.file(trainer, "batch", ending) for ending in (".mp4", ".png"))
        write_pieces(video, [(one.sound, one.clips) for one in shown], rates)
        _draw_strips(panel, shown, rates)
        self.publish(trainer, "val/video", video)
        self.publish(trainer, "val/panel", panel)
        if isinstance(pl_module, HasAttention):
            with torch.no_grad():
                weights = pl_module.attention(shown[0].batch)
            if weights.shape[1]:
                file = self.file(trainer, "attention", ".png")
                moments = weights[0].float().cpu()
                draw_attention(file, moments, 1 / rates.fps, "sound heard (s)", "picture generated (s)")
                self.publish(trainer, "val/attention", file)


def _draw_strips(path: Path, shown: list[ShownPiece], rates: HasRates) -> None:
    """Draw the spectrogram of every piece, and its pictures below at the same scale of time."""
    strips = len(shown[0].clips)
    ratios = [1.6, *[1.0] * strips] * len(shown)
    with picture(path, 14, 0.9 * sum(ratios) + 0.4) as figure:
        axes: Any = figure.subplots(len(ratios), 1, sharex=True, height_ratios=ratios)
        for number, one in enumerate(shown):
            spectrogram, *below = axes[number * (strips + 1) : (number + 1) * (strips + 1)]
            extent = (0.0, one.sound.shape[1] / rates.sample_rate, 0.0, rates.sample_rate / 2000)
            spectrogram.imshow(_decibels(one.sound[0]), extent=extent, aspect="auto", origin="lower", cmap="magma")
            spectrogram.set_ylabel("kHz", fontsize=8)
            name_title(spectrogram, one.title)
            for axis, (name, clip) in zip(below, to_pictures(one.clips).items(), strict=True):
                count = clip.shape[1]
                columns = np.unique(((np.arange(_COLUMNS) + 0.5) * count / _COLUMNS).astype(int))
                extent = (0.0, count / rates.fps, 0.0, 1.0)
                axis.imshow(np.hstack([*clip[0, columns]]), extent=extent, aspect="auto")
                axis.set_yticks([])
                axis.set_ylabel(name, fontsize=8)
        axes[-1].set_xlabel("seconds")


def _decibels(sound: Sound) -> NDArray[np.float64]:
    """Return the levels of sound ``(n,)`` in dB, ``(257, time)``, -80 at least, so that silence has one too."""
    pieces = np.lib.stride_tricks.sliding_window_view(np.pad(sound, 256), 512)[::128] * np.hanning(512)
    levels: NDArray[np.float64] = 20 * np.log10(1e-4 + np.abs(np.fft.rfft(pieces)) / 128)
    return levels.T

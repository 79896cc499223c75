"""How good the pictures drawn to sound are, and whether they follow it, at validation and at test."""

import time
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from rich.console import Console
from rich.table import Table

from callbacks.figures import log_figures
from callbacks.results import about_run, write_record, write_rows
from callbacks.sound.audio_video_table import PieceTable
from datamodules.batches import AudioVideoBatch, DrawnClips
from datamodules.protocols import HasRates

HEADLINE = "l1"


class AudioVideoMetrics(Callback):
    """Judges the ``DrawnClips`` that a module's validation and test steps return.

    Each is computed once per run over the pieces of all processes and logged as ``val/<name>`` or
    ``test/<name>``; padding does not count. ``docs/audio_video.md`` explains each of them.

    - Likeness: ``l1`` and ``psnr`` (of the mean squared error of all frames), ``ssim``, ``temporal_difference``
      (mean absolute error of the change from frame to frame). Beside them what a still picture would reach:
      ``psnr_own_mean_picture`` (each piece's own mean picture, which nobody who only hears can know) and
      ``temporal_difference_still``.
    - Following: ``av_align`` (peaks of movement that are peaks of sound) and ``change_loudness_correlation``,
      each with ``_target`` for the real pictures; ``av_align_other_sound`` is what chance gives.
    - ``shuffle_l1_increase``: how much larger the error is to the sound of another clip, mean over clips with a
      95 % interval (``_low``, ``_high``), and ``..._relative`` to the clip's error. Above 0 the pictures follow
      the sound. ``silence_l1_increase`` is the same to silence; ``silence_frame_change`` what still moves then.

    A test also writes ``results.json`` and ``scores.csv`` (a row per clip) into the run folder and prints a table.

    Attributes:
        undefined: reason by logged name of what had no value in the last validation or test.
    """

    def __init__(self) -> None:
        self.undefined: dict[str, str] = {}
        self._table = PieceTable()
        self._began = 0.0
        self._said: set[str] = set()

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start an empty table."""
        self._table = PieceTable()

    def on_test_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start an empty table; our own table of results takes the place of Lightning's."""
        self._table, self._began = PieceTable(), time.monotonic()
        trainer.test_loop.verbose = False

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Measure what was drawn to a batch."""
        if isinstance(outputs, DrawnClips) and isinstance(batch, AudioVideoBatch) and not trainer.sanity_checking:
            data: Any = trainer.datamodule  # type: ignore[attr-defined]  # set without a type
            if not isinstance(data, HasRates):
                raise TypeError(f"{type(data).__name__} has no sample_rate and fps, which AudioVideoMetrics needs")
            self._table.add(outputs, batch, data.sample_rate, data.fps)

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Measure what was drawn to a batch."""
        self.on_validation_batch_end(trainer, pl_module, outputs, batch, batch_idx, dataloader_idx)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log ``val/<metric>`` on every process."""
        if not trainer.sanity_checking:
            self._judge(pl_module, "val", self._table.gather())

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log ``test/<metric>``, write the files and print the table."""
        table = self._table.gather()
        metrics = self._judge(pl_module, "test", table)
        if not trainer.is_global_zero:
            return
        clips, folder = table.clips(), Path(trainer.default_root_dir)
        reasons = {name.removeprefix("test/"): reason for name, reason in self.undefined.items()}
        counts = {"clips": len(clips), "pieces": len(table.rows)}
        about = about_run(trainer, pl_module) | {"test_seconds": round(time.monotonic() - self._began, 3)}
        write_record(folder / "results.json", {**metrics, "undefined": reasons, "counts": counts, **about})
        names = list(next(iter(clips.values())))
        write_rows(folder / "scores.csv", ["clip", *names], ([clip, *row.values()] for clip, row in clips.items()))
        _print(metrics, reasons, counts)

    def _judge(self, pl_module: LightningModule, stage: str, table: PieceTable) -> dict[str, float]:
        if not table.rows:
            raise RuntimeError(f"{type(pl_module).__name__} returned no DrawnClips at {stage}: nothing to judge")
        metrics, undefined = table.evaluation()
        self.undefined = log_figures(pl_module, stage, metrics, undefined, headline=HEADLINE, said=self._said)
        return metrics


def _print(metrics: dict[str, float], undefined: dict[str, str], counts: dict[str, int]) -> None:
    title = ", ".join(f"{count} {name}" for name, count in counts.items())
    table = Table("metric", "value", title=title, title_justify="left")
    for name, value in metrics.items():
        table.add_row(name, f"{value:.4f}")
    for name, reason in undefined.items():
        table.add_row(name, f"undefined ({reason})", style="dim")
    Console().print(table)

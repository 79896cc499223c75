"""Frame and pixel metrics of anomaly scores, at validation and at test."""

import time
from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch import Callback, LightningModule, Trainer

from callbacks import auc
from callbacks.clips.anomaly_plots import write_plots
from callbacks.clips.anomaly_results import print_results, write_results, write_scores
from callbacks.clips.evaluation import Evaluation, evaluate
from callbacks.clips.frame_table import FrameTable, VideoSeries
from callbacks.clips.threshold import threshold_of
from callbacks.figures import log_figures
from callbacks.results import about_run
from callbacks.wandb_run import show
from datamodules.batches import UNKNOWN_LABEL, FrameScores

HEADLINE = "frame_auroc_micro"


class AnomalyMetrics(Callback):
    """Judges the ``FrameScores`` that a module's validation and test steps return.

    Each metric is computed once per run over everything from all processes, never per batch, so it depends
    neither on the batch size nor on the number of processes. It is logged as ``val/<name>`` or
    ``test/<name>``; what is undefined (one class only) is not logged, and ``undefined`` says why. The
    sanity check is not judged. A test also writes ``results.json``, ``scores.csv`` and ``plots/`` into the
    run folder.

    Args:
        plots: draw ROC and precision-recall curves and the score of every video over time, at test.

    Attributes:
        undefined: reason by logged name (``val/frame_auroc_micro``) of what had no value in the last
            validation.
    """

    def __init__(self, plots: bool = True) -> None:
        self.plots = plots
        self.undefined: dict[str, str] = {}
        self._table = FrameTable()
        self._began = 0.0
        self._said: set[str] = set()

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start an empty table."""
        self._table = FrameTable()

    def on_test_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start an empty table; our own table of results takes the place of Lightning's."""
        self._table, self._began = FrameTable(), time.monotonic()
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
        """Take in the scores of a batch; a step that returns None (calibration) is not judged."""
        if isinstance(outputs, FrameScores):
            self._table.add(outputs)

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Take in the scores of a batch."""
        self.on_validation_batch_end(trainer, pl_module, outputs, batch, batch_idx, dataloader_idx)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log ``val/<metric>`` on every process."""
        if not trainer.sanity_checking:
            self._judge(pl_module, "val", self._collect())

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log ``test/<metric>``, write the files and print the table."""
        series = self._collect()
        if not series:
            raise RuntimeError(f"{type(pl_module).__name__}.test_step returned no FrameScores: nothing to judge")
        evaluation = self._judge(pl_module, "test", series)
        if not trainer.is_global_zero:
            return
        folder, threshold = Path(trainer.default_root_dir), threshold_of(pl_module)
        about = about_run(trainer, pl_module) | {"test_seconds": round(time.monotonic() - self._began, 3)}
        if threshold is not None:
            about |= {"threshold": threshold, "f1_at_threshold": _f1(series, threshold)}
        write_scores(folder / "scores.csv", series)
        write_results(folder / "results.json", evaluation, about)
        if self.plots:
            for plot in write_plots(folder / "plots", series, threshold):
                show(trainer, f"test/{plot.stem}", plot)
        print_results(evaluation)

    def _collect(self) -> list[VideoSeries]:
        series = self._table.gather().series()
        self._table = FrameTable()  # release the memory
        return series

    def _judge(self, pl_module: LightningModule, stage: str, series: list[VideoSeries]) -> Evaluation:
        evaluation = evaluate(series)
        self.undefined = log_figures(
            pl_module, stage, evaluation.metrics, evaluation.undefined, headline=HEADLINE, said=self._said
        )
        return evaluation


def _f1(series: list[VideoSeries], threshold: float) -> float:
    score = np.concatenate([one.score for one in series])
    label = np.concatenate([one.label for one in series])
    return auc.f1_score(score[label != UNKNOWN_LABEL], label[label != UNKNOWN_LABEL], threshold)

"""Frame and pixel metrics of anomaly scores, at validation and at test."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch import LightningModule, Trainer

from callbacks.auc import RankCurve
from callbacks.clips.cases import ClipCases
from callbacks.clips.evaluation import AT_ONCE, evaluate
from callbacks.clips.meanings import CLIP_MEANINGS
from callbacks.clips.places import MOST_BYTES
from callbacks.clips.plots import frame_curve, write_plots
from callbacks.clips.table import FrameTable, VideoSeries
from callbacks.evaluation import Evaluation, EvaluationCallback
from callbacks.thresholds import threshold_of
from callbacks.wandb_charts import CURVES, OVER_TIME, PLOTS
from datamodules.batches import FrameScores
from datamodules.protocols import DeclaresAlternatives, HasTestBoxes, HasValidationKinds


class ClipMetrics(EvaluationCallback[FrameTable, list[VideoSeries]]):
    """Judges the ``FrameScores`` that a module's validation and test steps return.

    See :func:`~callbacks.clips.evaluation.evaluate` for the metrics. Each is computed once per run over everything from
    all processes, never per batch, and logged as ``val/<name>`` or ``test/<name>``; what is undefined (one class only)
    is not logged, and ``undefined`` says why. The sanity check is not judged. A test also writes ``results.json``,
    ``scores.csv`` (a row per frame), ``plots/`` and the worst and best frames, ``cases/``, into ``results/<source>/``.

    Args:
        plots: draw ROC and precision-recall curves and the score of every video over time, at test.
        cases: draw the frames that were judged worst and best, at test.

    Attributes:
        undefined: reason by logged name (``val/frame_auroc_micro``) of what had no value in the last validation.
    """

    judged, headline = FrameScores, "frame_auroc_micro"
    meanings = CLIP_MEANINGS
    matter = ("frame_auroc_micro", "frame_auroc_macro", "frame_ap", "pixel_auroc", "rbdc", "tbdc", "f1")

    def __init__(self, plots: bool = True, cases: bool = True) -> None:
        super().__init__()
        self.plots, self.cases = plots, cases

    def logged(self, model: Any) -> list[str]:
        """Return the names of what is logged at a validation: those of a video without frames."""
        names = model.alternative_scores if isinstance(model, DeclaresAlternatives) else ()
        none = np.empty(0, np.int64)
        empty = VideoSeries("", none, none, none, dict.fromkeys(names, none))
        return [f"val/{name}" for name in evaluate([empty]).names]

    def media_names(self, model: Any) -> list[str]:
        """Return the names of the pictures and tables of a test."""
        return [*super().media_names(model), *CURVES, OVER_TIME, *(PLOTS if self.plots else ())]

    def new_table(self, trainer: Trainer) -> FrameTable:
        """Return an empty table of frames."""
        return FrameTable()

    def collect(self, table: FrameTable, outputs: Any, batch: Any, trainer: Trainer) -> None:
        """Take in the scores of a batch."""
        table.add(outputs)

    def gather(self, table: FrameTable) -> list[VideoSeries]:
        """Return the series of every video."""
        return table.gather().series()

    def evaluate(self, rows: list[VideoSeries], stage: str, trainer: Trainer, pl_module: LightningModule) -> Evaluation:
        """Compute the metrics: those of a threshold at test, since a validation settles it; those of kinds at this."""
        tests = stage == "test"
        data: Any = trainer.datamodule  # type: ignore[attr-defined]  # set without a type
        boxes = data.test_boxes() if tests and isinstance(data, HasTestBoxes) else {}
        kinds = data.validation_kinds() if not tests and isinstance(data, HasValidationKinds) else {}
        evaluation = evaluate(rows, threshold_of(pl_module) if tests else None, tested=tests, boxes=boxes, kinds=kinds)
        for name, part in evaluation.details.get("sampled", {}).items():
            self.warn_once(
                f"{stage}/{name} is of {part['used']:,} of {part['of']:,} frames with a mask, evenly drawn: the heat "
                f"maps of all of them would take more than {MOST_BYTES / 2**20:,.0f} MiB of memory"
            )
        return evaluation

    def scores(self, rows: list[VideoSeries]) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        """Return one row per frame: video, frame, score, label (-1 where unknown), then every alternative."""
        names = list(rows[0].alternatives)
        cells = (
            [one.video, *frame]
            for one in rows
            for first in range(0, len(one.frame), AT_ONCE)
            for frame in zip(
                *(column[first : first + AT_ONCE].tolist() for column in (one.frame, one.score, one.label)),
                *(one.alternatives[name][first : first + AT_ONCE].tolist() for name in names),
                strict=True,
            )
        )
        return ["name", "frame", "score", "label", *names], cells

    def curve(self, rows: list[VideoSeries]) -> RankCurve:
        """Return the curve of the frames with a label."""
        return frame_curve(rows)

    def draw(self, folder: Path, rows: list[VideoSeries], evaluation: Evaluation) -> list[Path]:
        """Draw the curves and the scores over time."""
        return write_plots(folder, rows, evaluation.details.get("threshold")) if self.plots else []

    def new_cases(self, trainer: Trainer) -> ClipCases | None:
        """Return what keeps the worst and best frames."""
        return ClipCases() if self.cases else None

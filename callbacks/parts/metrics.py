"""Tile, image and pixel metrics of inspected parts, at validation and at test."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch import LightningModule, Trainer

from callbacks.auc import RankCurve
from callbacks.evaluation import Evaluation, EvaluationCallback
from callbacks.parts.cases import PartCases
from callbacks.parts.evaluation import Tiles, evaluate_parts, judge_thresholds
from callbacks.parts.meanings import PART_MEANINGS
from callbacks.parts.plots import tile_curve, write_part_plots
from callbacks.parts.results import part_scores
from callbacks.parts.table import PartRow, PartTable
from callbacks.thresholds import pixel_threshold_of, threshold_of
from callbacks.wandb_charts import CURVES, PLOTS
from datamodules.batches import PartScores
from datamodules.protocols import DeclaresAlternatives


class PartMetrics(EvaluationCallback[PartTable, list[PartRow]]):
    """Judges the ``PartScores`` that a module's validation and test steps return.

    Areas under the ROC curve are exact and on raw scores. A tile is defective where the mask marks a pixel of
    it. No single figure can be trusted: defective parts may have been recorded differently, and pooling mixes
    groups. So there are several, each compared with the next:

    - ``tile_auroc``: defective tiles against all tiles of faultless pictures, groups pooled;
    - ``tile_auroc_macro``: the same within each group, averaged over the groups that have both;
    - ``tile_auroc_within``: defective tiles against clean tiles of the same pictures, pooled over the pictures
      that have both, which no difference between recordings can win;
    - ``tile_auroc_gap``: the clean tiles of those pictures against tiles of faultless pictures: what the
      recording alone gives away; 0.5 is nothing;
    - these four for every alternative score, as ``tile_auroc_<name>`` and so on;
    - ``tile_ap``, average precision, of the tiles of ``tile_auroc``, and at test (a validation is what settles the
      threshold) their ``f1`` at the module's ``threshold``;
    - ``image_auroc``: whole pictures;
    - ``pixel_auroc`` and ``aupro`` (up to a false-positive rate of 0.3): all pixels of faultless pictures and of
      those with a mask, from the start of the part on. Pixel scores are rounded to a relative 2.4e-4; how much
      that can matter stands in ``results.json`` under ``rounding``.

    Each is computed once per run over the pictures of all processes and logged as ``val/<name>`` or
    ``test/<name>``. What is undefined (one class only) is not logged, and ``undefined`` says why. The sanity
    check is not judged. A test also writes ``results.json`` (with tables per group and kind of defect),
    ``scores.csv`` (a row per tile), ``plots/`` and the worst and best tiles, ``cases/``, into ``results/<source>/``.

    Args:
        plots: draw ROC and precision-recall curves and the scores of every group, at test.
        cases: draw the tiles that were judged worst and best, at test.

    Attributes:
        undefined: reason by logged name (``val/tile_auroc``) of what had no value in the last validation.
    """

    judged, headline = PartScores, "tile_auroc"
    meanings = PART_MEANINGS
    matter = ("tile_auroc", "tile_auroc_within", "image_auroc", "aupro", "f1")

    def __init__(self, plots: bool = True, cases: bool = True) -> None:
        super().__init__()
        self.plots, self.cases = plots, cases

    def logged(self, model: Any) -> list[str]:
        """Return the names of what is logged at a validation: those of a picture without tiles."""
        names = model.alternative_scores if isinstance(model, DeclaresAlternatives) else ()
        none, scores = np.empty(0, np.int64), np.empty(0)
        empty = PartRow("", "", "", 0, 0, 0.0, none.reshape(0, 4), scores, none, dict.fromkeys(names, scores))
        return [f"val/{name}" for name in evaluate_parts([empty]).names]

    def media_names(self, model: Any) -> list[str]:
        """Return the names of the pictures and tables of a test."""
        return [*super().media_names(model), *CURVES, *(PLOTS if self.plots else ())]

    def new_table(self, trainer: Trainer) -> PartTable:
        """Return an empty table of pictures."""
        return PartTable(trainer.world_size)

    def collect(self, table: PartTable, outputs: Any, batch: Any, trainer: Trainer) -> None:
        """Take in the scores of a picture."""
        table.add(outputs)

    def gather(self, table: PartTable) -> list[PartRow]:
        """Return a row per picture."""
        return table.gather()

    def evaluate(self, rows: list[PartRow], stage: str, trainer: Trainer, pl_module: LightningModule) -> Evaluation:
        """Compute the metrics; those of a threshold at test only, since a validation is what settles it."""
        evaluation = evaluate_parts(rows)
        if stage == "test":
            judge_thresholds(evaluation, rows, threshold_of(pl_module), pixel_threshold_of(pl_module))
        return evaluation

    def scores(self, rows: list[PartRow]) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        """Return one row per tile."""
        return part_scores(rows)

    def curve(self, rows: list[PartRow]) -> RankCurve:
        """Return the curve of ``tile_auroc``."""
        return tile_curve(Tiles(rows))

    def draw(self, folder: Path, rows: list[PartRow], evaluation: Evaluation) -> list[Path]:
        """Draw the curves and the scores of every group."""
        return write_part_plots(folder, rows, evaluation.details.get("threshold")) if self.plots else []

    def new_cases(self, trainer: Trainer) -> PartCases | None:
        """Return what keeps the worst and best tiles."""
        return PartCases() if self.cases else None

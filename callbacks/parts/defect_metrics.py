"""Tile, strip and pixel metrics of inspected parts, at validation and at test."""

import time
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from callbacks.figures import log_figures
from callbacks.parts.part_evaluation import PartEvaluation, by_defect, by_group, evaluate_parts, f1_score
from callbacks.parts.part_plots import write_part_plots
from callbacks.parts.part_results import print_part_results, write_part_results, write_part_scores
from callbacks.parts.part_table import PartRow, PartTable
from callbacks.parts.part_thresholds import part_thresholds_of
from callbacks.results import about_run
from callbacks.wandb_run import show
from datamodules.batches import PartScores

HEADLINE = "tile_auroc"


class DefectMetrics(Callback):
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
    - ``strip_auroc``: whole pictures;
    - ``pixel_auroc`` and ``aupro`` (up to a false-positive rate of 0.3): all pixels of faultless pictures and of
      those with a mask, from the start of the part on. Pixel scores are rounded to a relative 2.4e-4; how much
      that can matter stands in ``results.json`` under ``rounding``.

    Each is computed once per run over the pictures of all processes and logged as ``val/<name>`` or
    ``test/<name>``. What is undefined (one class only) is not logged, and null in ``results.json``. The sanity
    check is not judged. A test also writes ``results.json`` (with tables per group and kind of defect),
    ``scores.csv`` and ``plots/`` into the run folder.

    Args:
        plots: draw ROC and precision-recall curves and the scores of every group, at test.

    Attributes:
        undefined: reason by logged name (``val/tile_auroc``) of what had no value in the last validation.
    """

    def __init__(self, plots: bool = True) -> None:
        self.plots = plots
        self.undefined: dict[str, str] = {}
        self._table = PartTable()
        self._began = 0.0
        self._said: set[str] = set()

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start an empty table."""
        self._table = PartTable()

    def on_test_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start an empty table; our own table of results takes the place of Lightning's."""
        self._table, self._began = PartTable(), time.monotonic()
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
        """Take in the scores of a picture; a step that returns None (calibration) is not judged."""
        if isinstance(outputs, PartScores):
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
        """Take in the scores of a picture."""
        self.on_validation_batch_end(trainer, pl_module, outputs, batch, batch_idx, dataloader_idx)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log ``val/<metric>`` on every process."""
        if not trainer.sanity_checking:
            self._log(pl_module, "val", evaluate_parts(self._collect()))

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log ``test/<metric>``, write the files and print the tables."""
        rows = self._collect()
        if not rows:
            raise RuntimeError(f"{type(pl_module).__name__}.test_step returned no PartScores: nothing to judge")
        thresholds = part_thresholds_of(pl_module)
        threshold = thresholds.tile if thresholds else None
        evaluation = evaluate_parts(rows)
        evaluation.metrics["f1"] = None if threshold is None else f1_score(rows, threshold)
        if evaluation.metrics["f1"] is None:
            missing = evaluation.undefined.get("tile_ap")  # the same tiles
            evaluation.undefined["f1"] = missing or "the module has no calibrated threshold"
        self._log(pl_module, "test", evaluation)
        if not trainer.is_global_zero:
            return
        folder = Path(trainer.default_root_dir)
        groups, defects = by_group(rows, threshold), by_defect(rows, threshold)
        about = about_run(trainer, pl_module) | {"test_seconds": round(time.monotonic() - self._began, 3)}
        if thresholds:
            about |= {"tile_threshold": thresholds.tile, "pixel_threshold": thresholds.pixel}
        write_part_scores(folder / "scores.csv", rows)
        write_part_results(folder / "results.json", evaluation, groups, defects, about)
        if self.plots:
            for plot in write_part_plots(folder / "plots", rows, threshold):
                show(trainer, f"test/{plot.stem}", plot)
        print_part_results(evaluation, groups, list(rows[0].alternatives))

    def _collect(self) -> list[PartRow]:
        rows = self._table.gather()
        self._table = PartTable()  # release the memory
        return rows

    def _log(self, pl_module: LightningModule, stage: str, evaluation: PartEvaluation) -> None:
        self.undefined = log_figures(
            pl_module, stage, evaluation.metrics, evaluation.undefined, headline=HEADLINE, said=self._said
        )

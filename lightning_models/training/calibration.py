"""Anomaly scores whose scale and threshold are fitted at validation, on normal data.

    class Detector(CalibratedModule[Batch, Tensor, Scores]):
        def evidence(self, batch):                      # what is computed of a batch, once
            return self(batch).error
        def calibration_rows(self, batch, evidence):    # loader 0: what the scale is fitted to
            return dict(zip(batch.index.tolist(), evidence))
        def fit_scale(self, rows):
            self.scale.copy_(torch.stack(rows).mean())
        def score(self, batch, evidence):               # loader 1, test and prediction
            return Scores(batch.index, evidence / self.scale)
        def normal_rows(self, batch, scores):           # loader 1: what the threshold is fitted to
            return dict(zip(batch.index.tolist(), scores.score))
        def fit_threshold(self, rows):
            self.threshold.copy_(torch.stack(rows).quantile(0.99))

A validation has two loaders, one after the other: normal data for the scale, then held-out data, whose normal part sets
the threshold. Every row has the number of its sample: a distributed sampler repeats samples to give every process as
many, and each counts once.

*Memory.* Rows wait until their loader is through, so a row should be no larger than the fit needs: a statistic of its
sample (sums, largest values) where that is enough, rather than all its evidence. Where all of them would take more than
``bounded_rows.MOST_BYTES``, an even sample is kept, the same for any number of processes; a warning tells, and so does
``results.json`` of every test of such a model.

*Checkpoints.* Scale and threshold are buffers and belong to the weights they were fitted with. A checkpoint may hold
newer weights, since not every epoch ends with a validation and a run can be interrupted before the next: a warning
tells when a model judges by such a calibration.
"""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar

import torch
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from datamodules.errors import InputError
from lightning_models.training.bounded_rows import MOST_BYTES, BoundedRows
from lightning_models.training.phases import PhasedModule

Batch = TypeVar("Batch")
Row = TypeVar("Row")
Scores = TypeVar("Scores")
Collected = TypeVar("Collected")

SCALE, THRESHOLD = "scale", "threshold"
"""What is fitted."""


class CalibratedModule(PhasedModule, Generic[Batch, Row, Scores]):
    """Base of the systems that score anomalies: collect, fit the scale, score, fit the threshold.

    Attributes:
        threshold: 0-dim buffer, the score above which something is called anomalous; NaN until calibrated.
        calibrated_at: ``batches_seen`` of the weights that the calibration was made with; None where nobody knows.
        calibrated_on: of ``scale`` and ``threshold``, as far as they were fitted to a part of the samples: how many
            were ``used``, and ``of`` how many.
        renamed_state: beginnings of names in older checkpoints, and what they are called now.
        validation_names: what the loaders of a validation are for.
    """

    threshold: Tensor
    calibrated_at: int | None = None
    renamed_state: ClassVar[Mapping[str, str]] = {}
    validation_names: ClassVar[Sequence[str]] = ("calibration", "validation")

    def __init__(self, **training: Any) -> None:
        super().__init__(**training)
        self.register_buffer("threshold", torch.tensor(float("nan")))
        self.calibrated_on: dict[str, dict[str, int]] = {}
        self._calibration: BoundedRows[Row] = BoundedRows(self.calibration_group)
        self._normal: BoundedRows[Tensor] = BoundedRows()

    # --- what a system writes -----------------------------------------------------------------------------------

    def evidence(self, batch: Batch) -> Tensor:
        """Return what speaks for an anomaly, on no scale yet; computed once for every batch."""
        raise NotImplementedError

    def calibration_rows(self, batch: Batch, evidence: Tensor) -> Mapping[int, Row]:
        """Return what the scale is fitted to, by the numbers of the batch's samples."""
        raise NotImplementedError

    def calibration_group(self, row: Row) -> str:
        """Return the group of a row where groups have scales of their own: each keeps some where not all are kept."""
        return ""

    def fit_scale(self, rows: list[Row]) -> None:
        """Fit the scale to the rows of all normal data, in the order of their numbers."""
        raise NotImplementedError

    def score(self, batch: Batch, evidence: Tensor) -> Scores:
        """Return the scores of a batch, on the fitted scale."""
        raise NotImplementedError

    def normal_rows(self, batch: Batch, scores: Scores) -> Mapping[int, Tensor]:
        """Return what the threshold is fitted to, by the numbers of those samples of the batch that are normal."""
        raise NotImplementedError

    def fit_threshold(self, rows: list[Tensor]) -> None:
        """Fit the threshold to the rows of held-out normal data, in the order of their numbers."""
        raise NotImplementedError

    # --- validation: collect, fit, score, threshold -------------------------------------------------------------

    def on_validation_start(self) -> None:
        """Forget what an earlier, perhaps interrupted, validation collected."""
        self._calibration.clear()
        self._normal.clear()

    # Lightning types a step's outputs as tensors, but hands anything on to the callbacks
    def validation_step(  # type: ignore[override]
        self, batch: Batch, batch_idx: int, dataloader_idx: int = 0
    ) -> Scores | None:
        """Collect evidence on normal data (loader 0), then score held-out data on that scale (loader 1).

        The sanity check collects nothing: it shows too little, to weights that have learned nothing.
        """
        evidence = self.evidence(batch)
        if self.trainer.sanity_checking:
            return None
        if dataloader_idx == 0:
            self._calibration.add(self.calibration_rows(batch, evidence))
            return None
        if self._calibration:
            self.fit_scale(self._taken(SCALE, self._calibration))
        scores = self.score(batch, evidence)
        self._normal.add(self.normal_rows(batch, scores))
        return scores

    def on_validation_epoch_end(self) -> None:
        """Fit the threshold, and remember for which weights."""
        if normal := self._taken(THRESHOLD, self._normal):
            self.fit_threshold(normal)
            self.calibrated_at = self.batches_seen

    def _taken(self, what: str, collected: BoundedRows[Collected]) -> list[Collected]:
        """Return what all processes collected, the same on each, and say if that is a part of what there was."""
        rows, (used, of) = collected.take(self.device)
        self.calibrated_on.pop(what, None)
        if used < of:
            self.calibrated_on[what] = {"used": used, "of": of}
            rank_zero_warn(
                f"the {what} of the scores was fitted to {used:,} of {of:,} normal samples, evenly drawn: all of them "
                f"would take more than {MOST_BYTES / 2**20:,.0f} MiB of memory"
            )
        return rows

    def results(self) -> dict[str, Any]:
        """Return what ``results.json`` says of the calibration: nothing, unless it has used a part of the samples."""
        return {"calibrated_on": self.calibrated_on} if self.calibrated_on else {}

    # --- test and prediction ------------------------------------------------------------------------------------

    def on_test_start(self) -> None:
        """Refuse a scale that was never fitted, and warn of one that was fitted with other weights.

        Raises:
            InputError: the threshold is NaN.
        """
        if self.threshold.isnan():
            raise InputError(
                "this model was never validated, which gives its scores their scale: train it up to a validation "
                "(without --trainer.limit_val_batches 0), or give a checkpoint that was written after one"
            )
        if self.calibrated_at not in (None, self.batches_seen):
            warnings.warn(
                f"scale and threshold of the scores were fitted after {self.calibrated_at} batches of training, the "
                f"weights have seen {self.batches_seen}: the scores may be off. Give --ckpt_path best, or go on with "
                "the training up to its next validation",
                stacklevel=2,
            )

    on_predict_start = on_test_start

    def test_step(self, batch: Batch, batch_idx: int) -> Scores:  # type: ignore[override]
        """Score a batch."""
        return self.score(batch, self.evidence(batch))

    predict_step = test_step

    # --- checkpoints --------------------------------------------------------------------------------------------

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add how many batches the weights had seen at the calibration, and of what part of the samples it is."""
        super().on_save_checkpoint(checkpoint)
        checkpoint["calibrated_at"] = self.calibrated_at
        checkpoint["calibrated_on"] = self.calibrated_on

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take it over; checkpoints from before it was counted do not say, and may call the buffers otherwise."""
        checkpoint["state_dict"] = self._under_present_names(checkpoint["state_dict"])
        if "weight_average" in checkpoint:
            average = checkpoint["weight_average"]
            checkpoint["weight_average"] = average | {"average": self._under_present_names(average["average"])}
        super().on_load_checkpoint(checkpoint)
        self.calibrated_at = checkpoint.get("calibrated_at")
        self.calibrated_on = checkpoint.get("calibrated_on", {})

    def _under_present_names(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {self._present_name(name): value for name, value in tensors.items()}

    def _present_name(self, name: str) -> str:
        for old, new in self.renamed_state.items():
            if name.startswith(old):
                return new + name.removeprefix(old)
        return name

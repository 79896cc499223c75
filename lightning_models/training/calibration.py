"""Scores that get their scale and threshold at validation, on normal data, and remember for which weights.

The scale belongs to the weights it was fitted with. A checkpoint may hold newer ones, since not every epoch ends with a
validation and a run can be interrupted before the next: judging by it is said aloud.
"""

import warnings
from typing import Any, TypeVar

import torch
from lightning.fabric.utilities.apply_func import move_data_to_device
from torch import Tensor

from datamodules.errors import InputError
from lightning_models.training.phases import PhasedModule

Row = TypeVar("Row")


class CalibratedModule(PhasedModule):
    """A system that collects rows of normal data by their number in the dataset, and fits its scale to all of them.

    Nothing is to be collected in the sanity check: it shows too little, to weights that have learned nothing.

    Attributes:
        calibrated_at: ``batches_seen`` of the weights that the calibration was made with; None where nobody knows.
    """

    calibrated_at: int | None = None

    def gathered(self, collected: dict[int, Row]) -> list[Row]:
        """Join what all processes collected, in the order of its numbers, the same on each, and forget it.

        A distributed sampler repeats rows to give every process as many: each counts once, or scale and threshold
        would depend on the number of processes.
        """
        tables = [dict(collected)]
        collected.clear()
        if self.trainer.world_size > 1:
            own = move_data_to_device(tables[0], torch.device("cpu"))
            tables = [{} for _ in range(self.trainer.world_size)]
            torch.distributed.all_gather_object(tables, own)
        whole = {index: row for table in tables for index, row in table.items()}
        return [move_data_to_device(whole[index], self.device) for index in sorted(whole)]

    def check_calibration(self, threshold: Tensor) -> None:
        """Refuse to judge by a scale that was never fitted, and warn of one that was fitted with other weights.

        Raises:
            InputError: the threshold is NaN.
        """
        if threshold.isnan():
            raise InputError(
                "this model was never calibrated: its scores have no scale. Train it first, or give --ckpt_path best"
            )
        if self.calibrated_at not in (None, self.batches_seen):
            warnings.warn(
                f"scale and threshold of the scores were fitted after {self.calibrated_at} batches of training, the "
                f"weights have seen {self.batches_seen}: the scores may be off. Give --ckpt_path best, or go on with "
                "the training up to its next validation",
                stacklevel=2,
            )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add how many batches the weights had seen at the calibration."""
        super().on_save_checkpoint(checkpoint)
        checkpoint["calibrated_at"] = self.calibrated_at

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take it over; checkpoints from before it was counted do not say."""
        super().on_load_checkpoint(checkpoint)
        self.calibrated_at = checkpoint.get("calibrated_at")

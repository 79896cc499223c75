"""Weights of losses that change over the training: functions of the epochs passed alone.

In a configuration a schedule stands in the place of the number:

    weights:
      kl:
        class_path: lightning_models.training.schedules.WarmUp
        init_args:
          weight: 0.01
          epochs: 2.0
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

from datamodules.errors import InputError
from datamodules.ranges import above_zero, at_least_zero


@dataclass(frozen=True)
class WeightSchedule(ABC):
    """Weight of a loss term over the training.

    A schedule is a dataclass of plain numbers, so that a checkpoint can hold its arguments.
    """

    @abstractmethod
    def __call__(self, epochs: float) -> float:
        """Return the weight after so many epochs, fractions included; 0 is the start."""


Weight = float | WeightSchedule


@dataclass(frozen=True)
class WarmUp(WeightSchedule):
    """From 0 in a straight line to ``weight``, which then stays (Sonderby et al. 2016, for the KL divergence).

    Args:
        weight: the last weight, at least 0.
        epochs: length of the rise, above 0.
    """

    weight: float
    epochs: float

    def __post_init__(self) -> None:
        at_least_zero("weight", self.weight)
        above_zero("epochs", self.epochs)

    def __call__(self, epochs: float) -> float:
        """Return the weight after so many epochs."""
        return self.weight * min(epochs / self.epochs, 1.0)


@dataclass(frozen=True)
class HoldThenLinear(WeightSchedule):
    """``start`` for some epochs, then a straight line to ``end``, which then stays.

    Args:
        start: the first weight, at least 0.
        hold_epochs: epochs at the first weight, at least 0.
        end: the last weight, at least 0.
        end_epoch: epoch at which it is reached, after ``hold_epochs``.
    """

    start: float
    hold_epochs: float
    end: float
    end_epoch: float

    def __post_init__(self) -> None:
        for name in ("start", "hold_epochs", "end"):
            at_least_zero(name, getattr(self, name))
        if not (math.isfinite(self.end_epoch) and self.end_epoch > self.hold_epochs):
            raise InputError(f"end_epoch is {self.end_epoch}: give a number above hold_epochs, {self.hold_epochs}")

    def __call__(self, epochs: float) -> float:
        """Return the weight after so many epochs."""
        risen = (epochs - self.hold_epochs) / (self.end_epoch - self.hold_epochs)
        return self.start + (self.end - self.start) * min(max(risen, 0.0), 1.0)


@dataclass(frozen=True)
class Cyclical(WeightSchedule):
    """Again and again from 0 to ``weight``, where it stays for the rest of the period (Fu et al. 2019).

    Args:
        weight: the largest weight, at least 0.
        period: length of a cycle in epochs, above 0.
        ratio: part of the cycle that rises, above 0 and at most 1.
    """

    weight: float
    period: float
    ratio: float = 0.5

    def __post_init__(self) -> None:
        at_least_zero("weight", self.weight)
        above_zero("period", self.period)
        if not 0 < self.ratio <= 1:
            raise InputError(f"ratio is {self.ratio}: give a number above 0 and at most 1")

    def __call__(self, epochs: float) -> float:
        """Return the weight after so many epochs."""
        return self.weight * min(epochs % self.period / (self.ratio * self.period), 1.0)

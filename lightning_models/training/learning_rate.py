"""Learning rate schedules."""

import math
from typing import Any

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from datamodules.errors import InputError


class WarmUpCosine(LRScheduler):
    """A straight line up to the optimizer's rate, then half a cosine down (Loshchilov and Hutter 2017, eq. 5).

    With ``schedule: step`` a unit is a step of the optimizer, with ``schedule: epoch`` an epoch. The first unit has
    ``1 / (warm_up + 1)`` of the rate, unit ``warm_up`` all of it; from ``total`` on it stays at the lowest. A resumed
    run follows the ``total`` it is given now.

    Args:
        optimizer: whose rates move.
        total: units until the lowest rate is reached. None: those of the run, which :class:`PhasedModule` fills in by
            ``last_until``; a run that is shorter than the warm-up ends within it.
        warm_up: units until the full rate is reached.
        lowest: share of the full rate that is left at the end, in [0, 1].
        last_epoch: units already done; -1 at the start of a run.

    Raises:
        InputError: where the arguments leave no way down.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        total: int | None = None,
        warm_up: int = 0,
        lowest: float = 0.0,
        last_epoch: int = -1,
    ) -> None:
        if warm_up < 0 or (total is not None and warm_up >= total):
            raise InputError(f"WarmUpCosine: warm_up is {warm_up} and total {total}; give 0 <= warm_up < total")
        if not 0 <= lowest <= 1:
            raise InputError(f"WarmUpCosine: lowest is {lowest}; give a share of the rate, from 0 to 1")
        self.total, self.warm_up, self.lowest = total, warm_up, lowest
        super().__init__(optimizer, last_epoch)

    def last_until(self, units: int) -> None:
        """Take the length of the run as ``total``, where none was given."""
        if self.total is None:
            self.total = units

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over how far a run is; how far it is to go is this run's."""
        super().load_state_dict(state_dict | {"total": self.total})

    def get_lr(self) -> list[float | Tensor]:
        """Return the rate of every parameter group at the present unit."""
        return [rate * self._share(self.last_epoch) for rate in self.base_lrs]

    def _share(self, unit: int) -> float:
        if unit < self.warm_up:
            return (unit + 1) / (self.warm_up + 1)
        if unit == self.warm_up:  # the total need not be known yet
            return 1.0
        if self.total is None:
            raise RuntimeError("WarmUpCosine: neither total nor last_until says where the way down ends")
        way = min((unit - self.warm_up) / max(self.total - self.warm_up, 1), 1.0)
        return self.lowest + (1 - self.lowest) * (1 + math.cos(math.pi * way)) / 2

"""From which raw score on a module calls a frame anomalous."""

import math
from typing import Protocol, runtime_checkable

from lightning.pytorch import LightningModule
from torch import Tensor


@runtime_checkable
class HasThreshold(Protocol):
    """A module with a calibrated threshold: a 0-dim buffer, NaN until it was calibrated."""

    score_threshold: Tensor


def threshold_of(pl_module: LightningModule) -> float | None:
    """Return the threshold, None where the module has none or was never calibrated."""
    value = float(pl_module.score_threshold) if isinstance(pl_module, HasThreshold) else math.nan
    return value if math.isfinite(value) else None

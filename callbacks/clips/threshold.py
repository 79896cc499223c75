"""From which raw score on a module calls a frame anomalous."""

import math

from lightning.pytorch import LightningModule

from datamodules.protocols import HasThreshold


def threshold_of(pl_module: LightningModule) -> float | None:
    """Return the threshold, None where the module has none or was never calibrated."""
    value = float(pl_module.threshold) if isinstance(pl_module, HasThreshold) else math.nan
    return value if math.isfinite(value) else None

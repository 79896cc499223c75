"""From which raw scores on a model calls something anomalous."""

import math

from lightning.pytorch import LightningModule

from datamodules.protocols import HasPartThresholds, HasThreshold


def threshold_of(pl_module: LightningModule) -> float | None:
    """Return the threshold of a frame or a tile, None where the model has none or was never calibrated."""
    return _finite(float(pl_module.threshold)) if isinstance(pl_module, HasThreshold) else None


def pixel_threshold_of(pl_module: LightningModule) -> float | None:
    """Return the threshold of a pixel of the heat, None where the model has none or was never calibrated."""
    return _finite(float(pl_module.pixel_threshold)) if isinstance(pl_module, HasPartThresholds) else None


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None

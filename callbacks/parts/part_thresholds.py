"""From which raw scores on a module calls a tile, and a pixel, defective."""

import math
from typing import NamedTuple

from lightning.pytorch import LightningModule

from datamodules.protocols import HasPartThresholds


class PartThresholds(NamedTuple):
    """Raw scores above which something is called defective."""

    tile: float
    pixel: float


def part_thresholds_of(pl_module: LightningModule) -> PartThresholds | None:
    """Return the thresholds, None where the module has none or was never calibrated."""
    if not isinstance(pl_module, HasPartThresholds):
        return None
    found = PartThresholds(float(pl_module.threshold), float(pl_module.pixel_threshold))
    return found if all(map(math.isfinite, found)) else None

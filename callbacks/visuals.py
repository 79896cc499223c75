"""What is shown of a model at a validation: its own visuals, or input and heat where it offers none."""

from collections.abc import Mapping

from lightning.pytorch import LightningModule
from torch import Tensor

from callbacks.colour_bar import Marks, heat_marks, scales_of
from callbacks.heat import heat_maps
from datamodules.protocols import HasVisuals


def visuals_of(
    model: LightningModule, batch: object, images: Tensor, heat: Tensor, threshold: float | None
) -> tuple[Mapping[str, Tensor], dict[str, Marks]]:
    """Return named pictures in [0, 1] and what the colours of their maps mean.

    Args:
        model: called as it is, without gradients only if the caller says so.
        batch: as the data module makes it.
        images: bytes ``(..., C, H, W)`` that the batch holds.
        heat: of its scores, ``(..., h, w)``.
        threshold: of the heat, None where unknown.
    """
    if isinstance(model, HasVisuals):
        visuals = model.visuals(batch)
        return visuals, scales_of(model, visuals)
    maps = heat_maps(heat, images.shape[-2:], threshold)  # (..., H, W)
    return {"input": images / 255, "heat": maps.unsqueeze(-3)}, {"heat": heat_marks(threshold)}

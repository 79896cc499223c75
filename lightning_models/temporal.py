"""How generated clips change over time beside the real ones."""

import torch
from torch import Tensor

from lightning_models.precision import at_least_float32


def change_error(fake: Tensor, real: Tensor, order: int = 1) -> Tensor:
    """Return ``|d f - d x|`` of differences in time, element by element; for order 1 ``d f = f[t+1] - f[t]``.

    The real clip's change is the target: penalising the generated change alone would reward a frozen picture.

    Args:
        fake: ``(B, T, ...)``.
        real: the same shape.
        order: how often differences are taken.

    Returns:
        ``(B, T - order, ...)``, in float32 (float64 stays float64); nothing where there are too few frames.
    """
    # differences are linear: one difference of the error instead of one of each clip
    return torch.diff(at_least_float32(fake) - at_least_float32(real), n=order, dim=1).abs()

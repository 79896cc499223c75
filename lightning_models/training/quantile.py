"""Quantiles of any number of values."""

import math

import torch
from torch import Tensor

TORCH_MOST = 2**24
"""torch refuses a quantile of more values."""


def quantile(values: Tensor, share: float) -> Tensor:
    """Return the value below which a share in [0, 1] of ``values`` (any shape) lies, linear between two; 0-dim."""
    flat = values.flatten()
    if len(flat) <= TORCH_MOST:
        return flat.quantile(share)
    place = share * (len(flat) - 1)
    pair = flat.sort().values[[math.floor(place), math.ceil(place)]]
    return torch.lerp(pair[0], pair[1], place - math.floor(place))

"""How far the answers of an exported file are from those of the network."""

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import torch
from torch import Tensor

TOLERANCE = 1e-3
"""Largest difference with which a file is kept: absolute up to values of 1, a share of larger ones."""


def differences(exact: Any, found: Any) -> dict[str, float]:
    """Return the largest difference of two answers of a step, by the name of what is answered.

    Args:
        exact: a typed answer of ``datamodules.batches``.
        found: one of the same batch.
    """
    return {name: difference(one, two) for name, one, two in _numbers(exact, found)}


def difference(exact: Tensor, found: Tensor) -> float:
    """Return the largest difference of two tensors; infinite where one has a number and the other has none.

    Args:
        exact: float, of any shape.
        found: the same shape.
    """
    exact, found = exact.double(), found.double()
    same = exact.isnan() & found.isnan() | (exact == found)
    away = ((exact - found).abs() / exact.abs().clamp_min(1)).nan_to_num(torch.inf, torch.inf)
    return float(away.masked_fill(same, 0).amax()) if away.numel() else 0.0


def _numbers(exact: Any, found: Any) -> Iterator[tuple[str, Tensor, Tensor]]:
    for slot in fields(exact):
        one, two = getattr(exact, slot.name), getattr(found, slot.name)
        if isinstance(one, dict):
            yield from ((name, one[name], two[name]) for name in two)
        elif isinstance(one, Tensor) and one.is_floating_point():
            yield slot.name, one, two

"""Samples of a model: standard normal noise, the latent vectors that the model makes of it, and their pictures."""

from typing import Any

from torch import Tensor

from datamodules.protocols import DrawsLatents


def latents(model: Any, noise: Tensor, sampler: str | None = None) -> Tensor:
    """Return latent vectors ``(B, D)`` of noise ``(B, D)``; of a model that knows the prior only, the noise itself.

    Args:
        model: has ``decode``.
        noise: standard normal.
        sampler: what to draw from; None leaves it to the model.
    """
    return model.latents(noise, sampler) if isinstance(model, DrawsLatents) else noise


def decode(model: Any, noise: Tensor, sampler: str | None = None) -> Tensor:
    """Return the pictures ``(B, C, H, W)`` in [0, 1] of noise ``(B, D)``; arguments as in :func:`latents`."""
    pictures: Tensor = model.decode(latents(model, noise, sampler))
    return pictures

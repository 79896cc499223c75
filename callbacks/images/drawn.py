"""Samples of a model: standard normal noise, the latent vectors that the model makes of it, and their pictures."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor

from callbacks.images.sample_quality import Spread
from datamodules.gathering import gather_objects
from datamodules.protocols import Decodes, DrawsLatents
from datamodules.seeding import derive_seed


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


def noise_of(model: Any, count: int, seed: int, stage: str) -> Tensor:
    """Return the noise ``(count, D)`` that a stage judges samples of, the same every time.

    Raises:
        TypeError: if the model cannot decode.
    """
    if not isinstance(model, Decodes):
        raise TypeError(f"{type(model).__name__} has no decode(z) or latent_dim; ImageMetrics needs them")
    random = torch.Generator().manual_seed(derive_seed(seed, "samples", stage))
    return torch.randn(count, model.latent_dim, generator=random)


def draw_together(
    trainer: Trainer,
    model: LightningModule,
    noise: Tensor,
    at_once: int,
    look: Callable[[Tensor], dict[str, Tensor]],
    sampler: str | None = None,
) -> tuple[dict[str, Tensor], Spread]:
    """Draw a sample of each row of noise, shared among the processes; return what is seen in them, and their spread.

    Args:
        trainer: tells the processes; all must call this.
        model: has ``decode``.
        noise: ``(N, D)``.
        at_once: samples that are decoded at once.
        look: what is seen in pictures, ``(B, F)`` by its name.
        sampler: what to draw from; None leaves it to the model.

    Raises:
        ValueError: if a sample is not finite.
    """
    own = range(trainer.global_rank, len(noise), trainer.world_size)
    seen: dict[str, list[Tensor]] = defaultdict(list)
    spread = Spread()
    with torch.no_grad():
        for part in noise[own].split(at_once):
            images = decode(model, part.to(model.device), sampler).float()
            spread.add(images)
            for name, values in look(images).items():
                seen[name].append(values.cpu())
    parts = [part for part in gather_objects((list(own), dict(seen), spread)) if part[0]]
    order = torch.tensor([row for rows, _, _ in parts for row in rows]).argsort()
    joined = {name: torch.cat([one for _, own, _ in parts for one in own[name]])[order] for name in parts[0][1]}
    for name, values in joined.items():
        if not values.isfinite().all():
            raise ValueError(f"a sample is not finite ({name}): the weights have diverged")
    return joined, sum((part for _, _, part in parts), start=Spread())

"""What pictures, their reconstructions and their samples are worth."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from callbacks.images.sample_quality import NEIGHBOURS, frechet_distance, kernel_distance, precision_and_recall
from callbacks.images.table import Pictures

ACTIVE = 0.01
"""A latent dimension is active where its posterior's mean varies more than this (Burda et al. 2016)."""


def reconstruction_metrics(pictures: Pictures) -> dict[str, float | None]:
    """Return what is measured without samples, None where it has no value."""
    error = float(pictures.squared_error.mean())
    active = float((pictures.mean.var(axis=0, ddof=1) > ACTIVE).sum()) if len(pictures) > 1 else None
    return {
        "psnr": -10 * math.log10(error) if error > 0 else None,
        "ssim": float(pictures.ssim.mean()),
        "kl": float(pictures.kl.sum(1).mean()),
        "active_units": active,
    }


def sample_metrics(real: Mapping[str, Tensor], fake: Mapping[str, Tensor]) -> dict[str, float | None]:
    """Return FID, KID, precision and recall of samples, None where there are too few pictures: 2 are needed, or 4.

    Args:
        real: features ``(N, F)`` of pictures by the name of their extractor.
        fake: those of as many samples.
    """
    found: dict[str, float | None] = {}
    for name, pictures in real.items():
        samples, enough = fake[name], len(pictures) > 1
        found[f"fid_{name}"] = frechet_distance(pictures, samples) if enough else None
        found[f"kid_{name}"] = kernel_distance(pictures, samples) if enough else None
        both = precision_and_recall(pictures, samples) if len(pictures) > NEIGHBOURS else (None, None)
        found[f"precision_{name}"], found[f"recall_{name}"] = both
    return found


def references(pictures: Pictures, mean_picture: Mapping[str, Tensor]) -> dict[str, float]:
    """Return what is reached without learning; what needs more pictures than there are is left out.

    Args:
        pictures: all of a split.
        mean_picture: features ``(1, F)`` of their mean by the name of the extractor.
    """
    found: dict[str, float] = {}
    if pictures.spread.variance > 0:
        found["psnr_mean_picture"] = -10 * math.log10(pictures.spread.variance)
    if len(pictures) > 1:
        found["pairwise_distance_pictures"] = pictures.spread.pairwise_distance
    for name, mean in mean_picture.items():
        real = torch.from_numpy(pictures.features[name])
        repeated = mean.cpu().expand(len(real), -1)
        if len(real) > 1:
            found[f"fid_{name}_mean_picture"] = frechet_distance(real, repeated)
            found[f"kid_{name}_mean_picture"] = kernel_distance(real, repeated)
        halves = real[: len(real) // 2 * 2 : 2], real[1::2]
        if len(real) > 3:
            found[f"kid_{name}_halves"] = kernel_distance(*halves)
        if len(real) > 2 * NEIGHBOURS + 1:
            both = precision_and_recall(*halves)
            found[f"precision_{name}_halves"], found[f"recall_{name}_halves"] = both
    return found

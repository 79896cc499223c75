"""Distances of a generated clip from the real one: one formula per function, frame by frame.

Clips are ``(B, T, 3, H, W)`` in [0, 1]. A function returns one value a frame, ``(B, T)``, in float32 (float64 stays
float64); :func:`over_valid` makes a scalar of them and leaves padding out, so that weights depend on no length or size.
"""

from typing import Literal

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from datamodules.ssim import ssim_map
from lightning_models.all_processes import mean_where
from lightning_models.precision import at_least_float32
from lightning_models.temporal import change_error

SSIM_FRAMES = 16
"""Frames compared at a time; the intermediate maps take 30 times a frame's memory."""


def over_valid(values: Tensor, valid: Tensor) -> Tensor:
    """Return the mean of ``values`` where ``valid`` (bool, same shape), over all processes; 0 where nothing is."""
    return mean_where(values, valid)


def distance(kind: Literal["l1", "l2"], generated: Tensor, real: Tensor, weight: Tensor | None = None) -> Tensor:
    """Return each frame's mean absolute (l1) or squared (l2) difference, ``(B, T)``.

    Args:
        kind: which of the two.
        generated: clips.
        real: clips.
        weight: how much a pixel counts, ``(H, W)`` with the mean 1; None: all the same.
    """
    difference = at_least_float32(generated) - at_least_float32(real)
    return _mean(difference.abs() if kind == "l1" else difference.square(), weight)


def change_distance(generated: Tensor, real: Tensor, weight: Tensor | None = None) -> Tensor:
    """Return ``mean |(f[t+1] - f[t]) - (x[t+1] - x[t])|`` of each pair of neighbours, ``(B, T - 1)``.

    A picture that stands still where the real one moves is as wrong as one that flickers. ``weight`` is that of
    :func:`distance`.
    """
    return _mean(change_error(generated, real), weight)


def structure_distance(generated: Tensor, real: Tensor) -> Tensor:
    """Return each frame's ``1 - SSIM`` (Wang et al. 2004; 11 pixels, sigma 1.5), ``(B, T)`` in [0, 2].

    A few frames at a time, computed again in the backward pass.
    """
    generated_chunks, real_chunks = (
        at_least_float32(clip).flatten(0, 1).split(SSIM_FRAMES) for clip in (generated, real)
    )
    similar = [
        checkpoint(_similarity, *pair, use_reentrant=False, preserve_rng_state=False)
        for pair in zip(generated_chunks, real_chunks, strict=True)
    ]
    return 1 - torch.cat(similar).unflatten(0, generated.shape[:2])


def mismatch_hinge(own_error: Tensor, other_error: Tensor, margin: float, valid: Tensor) -> Tensor:
    """Return ``mean max(0, margin + own - other)``: with another clip's sound a clip has to come out worse.

    Args:
        own_error: ``(B,)`` distance to the real clip of what is generated for its own sound. Gradients pass it too:
            while the net ignores the sound both errors have the same gradient, and with that of the other alone the
            term would cancel the loss that teaches the picture.
        other_error: ``(B,)`` distance to the same clip of what is generated for another clip's sound.
        margin: how much worse is enough, in units of the distance.
        valid: bool ``(B,)``; clips without a frame to compare are False, and count for nothing.
    """
    return over_valid((margin + own_error - other_error).relu(), valid)


def _mean(error: Tensor, weight: Tensor | None) -> Tensor:
    return (error if weight is None else error * weight).mean((2, 3, 4))


def _similarity(generated: Tensor, real: Tensor) -> Tensor:
    return ssim_map(generated, real).mean((1, 2, 3))

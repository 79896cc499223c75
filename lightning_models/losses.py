"""Loss terms that several systems share: one formula per function.

Every function takes half precision as it comes from autocast, computes in float32 (float64 stays float64) and
returns a scalar, the mean over all elements, so that weights do not depend on the batch or picture size. The terms of
an evidence lower bound are sums over a sample instead: ``reconstruction_losses.py``, ``variational.py``.
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from lightning_models.all_processes import mean_where
from lightning_models.precision import at_least_float32

Objective = Literal["bce", "hinge", "wgan"]
Distance = Literal["l1", "l2"]


def real_objective(kind: Objective, logits: Tensor, counted: Tensor | None = None) -> Tensor:
    """Return what the discriminator minimises on real samples.

    With score ``s``: bce ``-log sigmoid(s)`` (Goodfellow et al. 2014), hinge ``max(0, 1 - s)`` (Lim and Ye
    2017), wgan ``-s`` (Arjovsky et al. 2017).

    Args:
        kind: the objective.
        logits: scores of any shape, without a final sigmoid.
        counted: weights of the same shape, at least 0, for a weighted mean over all processes; None for the plain
            one. Where all are 0 the objective is 0.
    """
    logits = at_least_float32(logits)
    if kind == "bce":
        costs = -functional.logsigmoid(logits)
    elif kind == "hinge":
        costs = functional.relu(1 - logits)
    else:
        costs = -logits
    if counted is None:
        return costs.mean()
    return mean_where(costs, counted)


def fake_objective(kind: Objective, logits: Tensor, counted: Tensor | None = None) -> Tensor:
    """Return what the discriminator minimises on generated samples: the real one of the negated score."""
    return real_objective(kind, -logits, counted)


def discriminator_objective(kind: Objective, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Return the discriminator's whole objective; wgan: minus the estimated Wasserstein distance."""
    return real_objective(kind, real_logits) + fake_objective(kind, fake_logits)


def generator_objective(kind: Objective, fake_logits: Tensor) -> Tensor:
    """Return what the generator minimises: bce in its non-saturating form, hinge and wgan ``-s``."""
    return real_objective("bce" if kind == "bce" else "wgan", fake_logits)


def gradient_penalty(critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, target: float = 1.0) -> Tensor:
    """Return WGAN-GP's penalty ``mean((|grad_x critic(x)| - target)^2)`` (Gulrajani et al. 2017, eq. 3).

    Takes what :func:`gradient_norms` takes; ``target`` is the gradient norm to pull towards.
    """
    return (gradient_norms(critic, real, fake) - target).square().mean()


def gradient_norms(critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor) -> Tensor:
    """Return ``|grad_x critic(x)|`` at places between real and generated samples, float32 ``(N,)``, differentiable.

    ``x`` lies on the line between a real and a generated sample, at a place drawn uniformly for each pair.
    The critic runs in float32 even under autocast: half precision loses the second derivative. It must treat
    samples apart (no BatchNorm) and stay uncompiled (double backward).

    Args:
        critic: maps ``(N, ...)`` to scores ``(N, ...)``; a map of scores is summed for each sample.
        real: ``(N, ...)`` real samples.
        fake: generated samples of the same shape; gradients do not reach their generator.
    """
    real, fake = at_least_float32(real.detach()), at_least_float32(fake.detach())
    with torch.autocast(real.device.type, enabled=False):
        place = torch.rand(len(real), *[1] * (real.dim() - 1), dtype=real.dtype, device=real.device)
        slope = _slope(critic, torch.lerp(real, fake, place))
        # the square root has no derivative at 0, where a dead critic would turn every weight into NaN
        return (slope.flatten(1).square().sum(1) + 1e-12).sqrt()


def r1_penalty(discriminator: Callable[[Tensor], Tensor], real: Tensor) -> Tensor:
    """Return R1, ``mean(|grad_x discriminator(x)|^2)`` on real samples (Mescheder et al. 2018, eq. 9 without gamma/2).

    In float32 like :func:`gradient_norms`, and for a discriminator of the same kind.

    Args:
        discriminator: maps ``(N, ...)`` to logits ``(N, ...)``.
        real: ``(N, ...)`` real samples.
    """
    real = at_least_float32(real.detach())
    with torch.autocast(real.device.type, enabled=False):
        return _slope(discriminator, real.clone()).flatten(1).square().sum(1).mean()


def _slope(function: Callable[[Tensor], Tensor], place: Tensor) -> Tensor:
    """Return the derivative of a function's sum, itself differentiable."""
    place.requires_grad_()
    (slope,) = torch.autograd.grad(function(place).sum(), place, create_graph=True)
    return slope


def reconstruction(kind: Distance, fake: Tensor, real: Tensor) -> Tensor:
    """Return the mean absolute (l1) or squared (l2) difference of two tensors of the same shape."""
    difference = at_least_float32(fake) - at_least_float32(real)
    return difference.abs().mean() if kind == "l1" else difference.square().mean()


def feature_matching(fake_features: Tensor, real_features: Tensor) -> Tensor:
    """Return the mean squared difference of a discriminator's features (Salimans et al. 2016, section 3.1).

    Only the generated side is pulled: the real features are a target.
    """
    return reconstruction("l2", fake_features, real_features.detach())

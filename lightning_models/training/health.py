"""What a discriminator of logits makes of a batch: the numbers by which ``AdversarialHealth`` watches the game."""

from collections.abc import Mapping

import torch
from torch import Tensor


def probability_health(
    objective: Tensor, real: Tensor, fakes: Mapping[str, Tensor], counted: Mapping[str, Tensor] | None = None
) -> dict[str, Tensor]:
    """Return mean probabilities, accuracy and objective, each 0-dim, detached and float32.

    Args:
        objective: what the discriminator minimises, 0-dim and at least 0, without weights and penalties.
        real: logits of real data, of any shape.
        fakes: logits of every kind of generated data, by its name.
        counted: where not all of a kind is generated: weights by its name, of the shape of its logits, at least 0.

    Returns:
        ``real`` and the name of every kind: mean probability of being real; ``accuracy``, half of it for real data and
        half for the mean over the kinds; ``objective``.
    """
    counted = counted or {}
    logits = {name: values.detach().float() for name, values in {"real": real, **fakes}.items()}
    right = [_mean((logits[name] <= 0).float(), counted.get(name)) for name in fakes]
    accuracy = ((logits["real"] > 0).float().mean() + torch.stack(right).mean()) / 2
    probabilities = {name: _mean(values.sigmoid(), counted.get(name)) for name, values in logits.items()}
    return {**probabilities, "accuracy": accuracy, "objective": objective.detach().float()}


def _mean(values: Tensor, counted: Tensor | None) -> Tensor:
    if counted is None:
        return values.mean()
    return (values * counted).sum() / counted.sum().clamp(min=torch.finfo(values.dtype).tiny)

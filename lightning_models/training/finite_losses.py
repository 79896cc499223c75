"""Detects losses that are not finite, without making the host wait for the device at every step."""

from collections.abc import Callable

import torch
from lightning.pytorch.strategies import Strategy
from torch import Tensor

from datamodules.errors import InputError
from datamodules.gathering import gather_objects

NEVER = torch.iinfo(torch.int64).max


class NonFiniteLosses:
    """Remembers on the device which loss term was first not finite, and at which batch.

    The memory is read by :meth:`first` only, a few times an epoch.
    """

    def __init__(self) -> None:
        self._first: dict[tuple[str, ...], Tensor] = {}

    @torch.no_grad()
    def note(self, phase: str, terms: dict[str, Tensor], batch: int) -> None:
        """Look at the terms of a phase; queues a few small operations, waits for nothing."""
        values = torch.stack([term.detach().float() for term in terms.values()])
        key = (phase, *terms)
        if key not in self._first:
            self._first[key] = torch.full_like(values, NEVER, dtype=torch.int64)
        self._first[key].clamp_(max=torch.where(values.isfinite(), NEVER, batch))

    def first(self) -> tuple[int, str, str] | None:
        """Return batch, phase and name of the term that was first not finite; waits for the device."""
        found = [
            (batch, phase, term)
            for (phase, *terms), first in self._first.items()
            for term, batch in zip(terms, first.tolist(), strict=True)
            if batch != NEVER
        ]
        return min(found, default=None)


def check_finite(losses: NonFiniteLosses, strategy: Strategy, argument: Callable[[str, str], str]) -> None:
    """Stop where a loss was not finite, on all processes together and with the same message.

    Args:
        losses: what this process has noted.
        strategy: the trainer's, called once by every process.
        argument: returns what the argument is called that makes a phase's ``optimizer``.

    Raises:
        InputError: naming phase, term and batch. A traceback would point here, batches after the cause, so there is
            none; the causes are the user's to change.
    """
    own = losses.first()
    if not strategy.reduce_boolean_decision(own is not None, all=False):
        return
    batch, phase, term = min(one for one in gather_objects(own) if one is not None)
    raise InputError(
        f"train/{phase}/{term} is not finite since batch {batch}: training stops. Lower the rate "
        f"--model.{argument(phase, 'optimizer')}.init_args.lr, clip with --model.gradient_clip 1.0, or use "
        "--trainer.precision 32-true; look for such values in the data; resume from the last checkpoint"
    )

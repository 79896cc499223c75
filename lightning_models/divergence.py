"""Notices losses that are not finite, without making the host wait for the device at every step."""

from collections.abc import Callable

import torch
from torch import Tensor

from datamodules.errors import InputError

NEVER = torch.iinfo(torch.int64).max


class NonFiniteLosses:
    """Remembers on the device which loss term was first not finite, and at which batch.

    The memory is read by :meth:`check` only, a few times an epoch.
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

    def check(self, on_any_process: Callable[[bool], bool]) -> None:
        """Stop where a term was not finite, on all processes together.

        Args:
            on_any_process: tells whether a flag is set on any process; called once by each.

        Raises:
            InputError: naming phase, term and batch. A traceback would point here, batches after the cause,
            so
                there is none; the causes are the user's to change.
        """
        found = [
            (batch, phase, term)
            for (phase, *terms), first in self._first.items()
            for term, batch in zip(terms, first.tolist(), strict=True)
            if batch != NEVER
        ]
        if not on_any_process(bool(found)):
            return
        if not found:
            raise InputError("another process met a loss that is not finite: its message says which")
        batch, phase, term = min(found)
        raise InputError(
            f"train/{phase}/{term} is not finite since batch {batch}: training stops. Lower the rate "
            f"--model.{phase}_optimizer.init_args.lr, clip with --model.gradient_clip 1.0, or use "
            "--trainer.precision 32-true; look for such values in the data; resume from the last checkpoint"
        )

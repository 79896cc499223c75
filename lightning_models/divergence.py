"""Notices a training that has gone wrong, without making the host wait for the device at every step."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.optim import Optimizer

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


class SkippedSteps:
    """Counts the steps that the gradient scaler of 16-mixed leaves out because gradients overflowed.

    A skipped step does not call the optimizer, which a hook on the optimizer sees without waiting for the
    device. A fused optimizer decides on the device and is always called: its skipped steps stay uncounted.

    Args:
        optimizers: the optimizer of each phase.
    """

    in_a_row_allowed = 20
    """The scale halves at every skip: from its start at 65536 this many leave nothing of it."""

    def __init__(self, optimizers: dict[str, Optimizer]) -> None:
        self.total = dict.fromkeys(optimizers, 0)
        self._in_a_row = dict.fromkeys(optimizers, 0)
        self._stepped: set[str] = set()
        for phase, optimizer in optimizers.items():
            optimizer.register_step_post_hook(partial(self._stepped_now, phase))

    def _stepped_now(self, phase: str, *_: object) -> None:
        self._stepped.add(phase)

    def after_step(self, phase: str) -> None:
        """Count after a step was asked for.

        Raises:
            InputError: after too many skips in a row.
        """
        if phase in self._stepped:
            self._stepped.remove(phase)
            self._in_a_row[phase] = 0
            return
        self.total[phase] += 1
        self._in_a_row[phase] += 1
        if self._in_a_row[phase] >= self.in_a_row_allowed:
            raise InputError(
                f"{self._in_a_row[phase]} {phase} steps in a row overflowed under 16-mixed: nothing is "
                "learned. Use --trainer.precision bf16-mixed or 32-true, or a lower learning rate"
            )

"""One gradient scaler for several optimizers under 16-mixed."""

from functools import partial

import torch
from torch import Tensor
from torch.amp import GradScaler
from torch.optim import Optimizer

from datamodules.errors import InputError


class SharedScale:
    """Keeps a window's gradients at one scale, and counts the steps that the scaler leaves out.

    A skipped step does not call the optimizer, which a hook on it sees without waiting for the device. A fused
    optimizer decides on the device and is always called: its skipped steps stay uncounted.

    Args:
        scaler: the trainer's.
        optimizers: the optimizer of each phase.
    """

    in_a_row_allowed = 20
    """The scale halves at every skip: from its start at 65536 this many leave nothing of it."""

    def __init__(self, scaler: GradScaler, optimizers: dict[str, Optimizer]) -> None:
        self.skipped = dict.fromkeys(optimizers, 0)
        self._scaler = scaler
        self._optimizers = optimizers
        self._in_a_row = dict.fromkeys(optimizers, 0)
        self._stepped: set[str] = set()
        self._at_start: Tensor | None = None
        for phase, optimizer in optimizers.items():
            optimizer.register_step_post_hook(partial(self._stepped_now, phase))

    def start_window(self, device: torch.device) -> None:
        """Remember the scale that the window's first gradients will have."""
        self._at_start = self._scaler.scale(torch.ones((), device=device))

    def follow(self, phase: str) -> None:
        """Bring the gradients that wait since the start of the window to the present scale.

        The step of an earlier phase at the window's end may have changed it; without this the last batch would
        be added at another scale than the ones before.
        """
        assert self._at_start is not None
        change = self._scaler.scale(torch.ones_like(self._at_start)) / self._at_start
        for group in self._optimizers[phase].param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    weight.grad.mul_(change)

    def after_step(self, phase: str) -> None:
        """Count after a step was asked for.

        Raises:
            InputError: after too many skips in a row.
        """
        if phase in self._stepped:
            self._stepped.remove(phase)
            self._in_a_row[phase] = 0
            return
        self.skipped[phase] += 1
        self._in_a_row[phase] += 1
        if self._in_a_row[phase] >= self.in_a_row_allowed:
            raise InputError(
                f"{self._in_a_row[phase]} {phase} steps in a row overflowed under 16-mixed: nothing is learned. "
                "Use --trainer.precision bf16-mixed or 32-true, or a lower learning rate"
            )

    def _stepped_now(self, phase: str, *_: object) -> None:
        self._stepped.add(phase)

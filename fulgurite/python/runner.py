"""Runs a model as a prediction does, without a trainer: where it is, in which precision, without gradients."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor

from datamodules.errors import InputError

PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")


class Runner:
    """A model in evaluation mode on a device.

    Args:
        module: With its weights in place.
        device: Where it works.
        precision: As ``trainer.precision`` has it.

    Raises:
        InputError: If it cannot work in that precision.
    """

    def __init__(self, module: LightningModule, device: torch.device, precision: str) -> None:
        if precision not in PRECISIONS:
            raise InputError(
                f"trainer.precision is {precision}; from Python models work in {', '.join(PRECISIONS)}: give "
                'settings={"trainer.precision": "32-true"}'
            )
        self.module = module.eval().to(device)
        self.precision = precision
        self._has_begun = False

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.module.device

    def answers(self, batches: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
        """Yield every batch with what the model predicts of it.

        Raises:
            InputError: As the model's ``on_predict_start``, where its scores have no scale for example.
        """
        if not self._has_begun:
            self.module.on_predict_start()
            self._has_begun = True
        for number, batch in enumerate(batches):
            moved = batch.to(self.device)
            with torch.inference_mode(), self._cast():
                answer = self.module.predict_step(moved, number)
            yield moved, answer

    def call(self, method: str, *arguments: Any) -> Any:
        """Return what a method of the model makes of its arguments; tensors and batches are moved to it before."""
        with torch.inference_mode(), self._cast():
            return getattr(self.module, method)(*(one.to(self.device) for one in arguments))

    def apply(self, function: Callable[..., Tensor], values: Tensor, *arguments: Any) -> Tensor:
        """Return what a function makes of the model, of values that are moved to it, and of further arguments."""
        with torch.inference_mode(), self._cast():
            return function(self.module, values.to(self.device), *arguments)

    def _cast(self) -> AbstractContextManager[Any]:
        """Return what Lightning casts by in this precision; on a CPU there is no 16-mixed, and it takes bf16-mixed."""
        if self.precision == "32-true":
            return nullcontext()
        half = self.precision == "16-mixed" and self.device.type != "cpu"
        dtype = torch.half if half else torch.bfloat16
        return torch.autocast(self.device.type, dtype=dtype, cache_enabled=False)


def chosen_device(device: str | torch.device) -> torch.device:
    """Return a device; ``auto`` is a CUDA device, else one of Apple's, else the CPU, as for the command.

    Raises:
        InputError: If there is none of that name on this machine.
    """
    if device == "auto":
        there = [("cuda", torch.cuda.is_available()), ("mps", torch.backends.mps.is_available())]
        return torch.device(next((name for name, is_there in there if is_there), "cpu"))
    try:
        chosen = torch.device(device)
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError, NotImplementedError) as problem:
        count = torch.cuda.device_count()
        there_too = f", cuda:0 to cuda:{count - 1}" if count else ""
        raise InputError(
            f"device: is {device}, which this machine does not have; give cpu{there_too}, or auto"
        ) from problem
    return chosen

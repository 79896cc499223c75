"""A running average of weights: smoother than the last step of an adversarial game.

``average <- d * average + (1 - d) * weights`` after every step of the averaged phase, with
``d = min(decay, (1 + n) / (10 + n))`` at the n-th update (from 1), so that a short run is not ruled by its
initial weights. Only trainable parameters are averaged; buffers (BatchNorm's statistics, calibration) are the
model's own.
"""

from collections.abc import Callable
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from torch.nn import Parameter

from datamodules.errors import InputError
from datamodules.private_api import lerp_all_
from lightning_models.precision import at_least_float32


class WeightAverage:
    """The average, and the exchange of the live weights for it.

    Args:
        decay: share of the average that one step keeps, in (0, 1), e.g. 0.999.
    """

    def __init__(self, decay: float) -> None:
        if not 0 < decay < 1:
            raise InputError(f"ema_decay is {decay}; give a number between 0 (off) and 1, for example 0.999")
        self.decay = decay
        self.updates = 0
        self._average: dict[str, Tensor] = {}
        self._live: dict[str, Tensor] = {}  # the trained weights while the average stands in for them

    @torch.no_grad()
    def update(self, parameters: dict[str, Parameter]) -> None:
        """Move the average towards the weights; the first update starts from them."""
        self.updates += 1
        if not self._average:
            # in half precision a step of 0.001 is rounded away
            self._average = {name: at_least_float32(weight.detach()).clone() for name, weight in parameters.items()}
            return
        step = 1 - min(self.decay, (1 + self.updates) / (10 + self.updates))
        for name, weight in parameters.items():  # a loaded average may lie on another device
            self._average[name] = self._average[name].to(weight.device)
        average = list(self._average.values())
        lerp_all_(average, [parameters[name].to(own.dtype) for name, own in self._average.items()], step)

    @torch.no_grad()
    def swap_in(self, parameters: dict[str, Parameter]) -> None:
        """Put the average in the place of the weights, unless it is there or nothing was averaged yet."""
        if self._average and not self._live:
            self._live = {name: weight.detach().clone() for name, weight in parameters.items()}
            for name, weight in parameters.items():
                weight.copy_(self._average[name])

    @torch.no_grad()
    def swap_out(self, parameters: dict[str, Parameter]) -> None:
        """Put the trained weights back where :meth:`swap_in` has replaced them."""
        for name, weight in self._live.items():
            parameters[name].copy_(weight)
        self._live = {}

    def live_weights(self) -> dict[str, Tensor]:
        """Return the trained weights while the average stands in for them, otherwise nothing."""
        return self._live

    def state_dict(self) -> dict[str, Any]:
        """Return the average and its number of updates, in plain types and tensors."""
        return {"updates": self.updates, "average": self._average}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` gave."""
        self.updates = state["updates"]
        self._average = dict(state["average"])


class EvaluateAverage(Callback):
    """Validates, tests and predicts with the average, and gives the weights back whatever happens.

    Args:
        average: the average.
        parameters: gives the averaged parameters by name.
    """

    def __init__(self, average: WeightAverage, parameters: Callable[[], dict[str, Parameter]]) -> None:
        self._average = average
        self._parameters = parameters

    def _swap_in(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._average.swap_in(self._parameters())

    def _swap_out(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._average.swap_out(self._parameters())

    on_validation_start = on_test_start = on_predict_start = _swap_in
    on_validation_end = on_test_end = on_predict_end = _swap_out

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Leave the trained weights in the model that an interrupted evaluation hands back."""
        self._average.swap_out(self._parameters())

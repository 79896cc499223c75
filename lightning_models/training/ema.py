"""A running average of weights: smoother than the last step of an adversarial game.

``average <- d * average + (1 - d) * weights`` after every step of the averaged phase, with
``d = min(decay, (1 + n) / (10 + n))`` at the n-th update (from 1), so that a short run is not ruled by its
initial weights. Only trainable parameters are averaged; buffers (calibration and the like) are the model's own.

BatchNorm's running statistics are those of the trained weights, and no average of them fits the averaged weights, whose
maps vary less. Where a system lets batches pass through the average from time to time (``settling``), the average has
statistics of its own, as those that BigGAN's samples are drawn with (Brock et al. 2019, arXiv 1809.11096).
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from torch.nn import Parameter

from datamodules.errors import InputError
from datamodules.private_api import lerp_all_
from lightning_models.all_processes import mean_over_processes
from lightning_models.precision import at_least_float32

STATISTICS = ("running_mean", "running_var")
"""How the names of BatchNorm's statistics end."""


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
        average = [self._average[name] for name in parameters]
        lerp_all_(
            average, [weight.to(own.dtype) for weight, own in zip(parameters.values(), average, strict=True)], step
        )

    @torch.no_grad()
    def swap_in(self, tensors: Mapping[str, Tensor]) -> None:
        """Put the average in the place of weights and statistics, unless it is there or nothing was averaged yet."""
        if self._average and not self._live:
            self._live = {name: one.detach().clone() for name, one in tensors.items() if name in self._average}
            for name in self._live:
                tensors[name].copy_(self._average[name])

    @torch.no_grad()
    def swap_out(self, tensors: Mapping[str, Tensor]) -> None:
        """Put the trained weights back where :meth:`swap_in` has replaced them."""
        for name, one in self._live.items():
            tensors[name].copy_(one)
        self._live = {}

    @contextmanager
    def settling(self, tensors: Mapping[str, Tensor]) -> Iterator[None]:
        """Let what passes within move BatchNorm's statistics of the average, and not those of the trained weights.

        All processes do it together, and keep the mean of what they have found.

        Args:
            tensors: weights and statistics by name; at least one step has been averaged.
        """
        statistics = {name: one for name, one in tensors.items() if not isinstance(one, Parameter)}
        before = {name: one.clone() for name, one in statistics.items()}
        self.swap_in(tensors)
        try:
            with torch.no_grad():
                yield
        finally:
            self._average |= {name: mean_over_processes(one.clone()) for name, one in statistics.items()}
            self._live |= before
            self.swap_out(tensors)

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
        tensors: gives the averaged parameters, and BatchNorm's statistics, by name.
    """

    def __init__(self, average: WeightAverage, tensors: Callable[[], Mapping[str, Tensor]]) -> None:
        self._average = average
        self._tensors = tensors

    def _swap_in(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._average.swap_in(self._tensors())

    def _swap_out(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._average.swap_out(self._tensors())

    on_validation_start = on_test_start = on_predict_start = _swap_in
    on_validation_end = on_test_end = on_predict_end = _swap_out

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Leave the trained weights in the model that an interrupted evaluation hands back."""
        self._average.swap_out(self._tensors())

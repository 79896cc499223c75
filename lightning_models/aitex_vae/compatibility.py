"""What goes together: output, range and losses of a model, and a checkpoint with the model that takes it over."""

import math
import warnings
from collections.abc import Mapping
from typing import Any, Literal

from datamodules.errors import InputError
from lightning_models.aitex_vae.network import OutputKind

DataRange = Literal["unit", "symmetric"]

LOSSES = ("bce", "mse", "ssim", "spectral", "log_spectral")

DRAWN_BY = ("output", "data_range")
"""Arguments that say what the weights draw, and that change no tensor's shape."""

CALIBRATED_BY = ("overlap", "top_k", "evidence", "quantile")
"""Arguments that scale and thresholds were fitted under."""


def check_output(output: OutputKind, data_range: DataRange, losses: Mapping[str, float]) -> None:
    """Refuse a decoder that cannot reach its target, and losses that do not suit it.

    Raises:
        InputError: naming the two arguments and the remedy.
    """
    if set(losses) - set(LOSSES) or not all(0 <= weight < math.inf for weight in losses.values()):
        raise InputError(f"model.losses is {losses}: give a finite weight of at least 0 to some of {list(LOSSES)}")
    used = [name for name, weight in losses.items() if weight > 0]
    if not used:
        raise InputError(f"model.losses is {losses}: give a weight above 0 to one of {list(LOSSES)}")
    wanted = {"sigmoid": "unit", "tanh": "symmetric"}.get(output, data_range)
    if data_range != wanted:
        raise InputError(f"model.output {output} cannot draw model.data_range {data_range}: set it to {wanted}")
    if "bce" in used and output != "sigmoid":
        raise InputError(f"model.losses has bce, but model.output {output} is no probability: set it to sigmoid")
    if output != "linear" and (spectral := [name for name in used if "spectral" in name]):
        raise InputError(
            f"model.losses has {spectral[0]}, and model.output {output} bends the spectrum: set model.output to linear"
        )


def check_same_scores(saved: Mapping[str, Any], own: Mapping[str, Any]) -> None:
    """Compare the hyper-parameters of a checkpoint with a model's, where no tensor's shape tells the difference.

    Warns where scale and thresholds belong to scores that are computed otherwise.

    Raises:
        InputError: the weights draw another range, or through another activation.
    """

    def differences(names: tuple[str, ...]) -> str:
        differing = [name for name in names if name in saved and saved[name] != own[name]]
        return "; ".join(f"model.{name} is {own[name]} here and was {saved[name]} in training" for name in differing)

    if told := differences(DRAWN_BY):
        raise InputError(f"the checkpoint does not fit the model: {told}. Give what the training had")
    if told := differences(CALIBRATED_BY):
        warnings.warn(
            f"the checkpoint's scale and thresholds belong to other scores: {told}. Give what the training had, or go "
            "on with the training up to its next validation",
            stacklevel=2,
        )

"""Checks that output, range and losses of a model fit each other, and a checkpoint the model."""

import warnings
from collections.abc import Collection, Mapping, MutableMapping, Sequence
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from datamodules.errors import InputError
from lightning_models.aitex_vae.network import OutputKind

DataRange = Literal["unit", "symmetric"]

LOSSES = ("bce", "mse", "ssim", "spectral", "log_spectral")

DRAWN_BY = ("output", "data_range")
"""Arguments that the weights were trained for, and that change no tensor's shape."""

CALIBRATED_BY = ("overlap", "top_k", "evidence", "quantile")
"""Arguments that scale and thresholds were fitted under."""

SCALE = ("scorer.scale.location", "scorer.scale.scale")
"""Names of the scale of all evidence in a checkpoint."""

CALIBRATION = ("scorer.", "threshold", "pixel_threshold")
"""Beginnings of the names of all that is fitted at a validation."""

EVIDENCE_RANGE: DataRange = "unit"
"""Range of grey levels in which evidence is computed. Of checkpoints that do not say it was the network's own."""


def check_output(output: OutputKind, data_range: DataRange, losses: Collection[str]) -> None:
    """Refuse a decoder that cannot reach its target, and losses that do not suit it.

    Args:
        output: the decoder's activation.
        data_range: range of grey levels that it has to reach.
        losses: names of the reconstruction losses that have a weight.

    Raises:
        InputError: naming the two arguments and the remedy.
    """
    if not losses:
        raise InputError(f"model.weights has no reconstruction loss: give a weight above 0 to one of {list(LOSSES)}")
    wanted = {"sigmoid": "unit", "tanh": "symmetric"}.get(output, data_range)
    if data_range != wanted:
        raise InputError(f"model.output {output} cannot draw model.data_range {data_range}: set it to {wanted}")
    if "bce" in losses and output != "sigmoid":
        raise InputError(
            f"model.weights.bce is above 0, but model.output {output} is no probability: set model.output to sigmoid, "
            "or model.weights.bce to 0 and that of another loss above 0"
        )
    if output != "linear" and (spectral := [name for name in losses if "spectral" in name]):
        raise InputError(
            f"model.weights.{spectral[0]} is above 0, and model.output {output} bends the spectrum: set model.output "
            "to linear"
        )


def check_same_scores(saved: Mapping[str, Any], own: Mapping[str, Any]) -> None:
    """Compare the hyper-parameters of a checkpoint with a model's, where no tensor's shape tells the difference.

    Warns where scale and thresholds belong to scores that are computed otherwise.

    Raises:
        InputError: the weights were trained for another range or activation.
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


def forget_calibration(state: MutableMapping[str, Tensor]) -> None:
    """Forget scale and thresholds that were fitted to evidence in the network's range, and say so where there are any.

    Args:
        state: tensors of the checkpoint by name; changed in place.
    """
    fitted = [name for name in state if name.startswith(CALIBRATION) and not state[name].isnan().all()]
    for name in fitted:
        state[name] = torch.full_like(state[name], torch.nan)
    if fitted:
        warnings.warn(
            "the checkpoint's scale and thresholds belong to evidence in the range of model.data_range symmetric, and "
            f"evidence of all models is computed in that of {EVIDENCE_RANGE}: they are forgotten, as if it had never "
            "been validated. Go on with the training up to its next validation",
            stacklevel=2,
        )


def without_newer(states: Sequence[MutableMapping[str, Tensor]], newer: Mapping[str, slice]) -> list[str]:
    """Make room in the scale of a checkpoint that was written before there were some kinds of evidence.

    Args:
        states: tensors of the checkpoint by name; changed in place.
        newer: the channels of these kinds, which are the last ones, in the order in which the kinds came.

    Returns:
        The kinds that the checkpoint has no scale of.
    """
    first, end = min(place.start for place in newer.values()), max(place.stop for place in newer.values())
    absent = []
    for state in states:
        for name in SCALE:
            if name not in state:
                continue
            if (known := state[name].shape[1]) in [place.start for place in newer.values()]:
                state[name] = F.pad(state[name], (0, end - known), value=float("nan"))
            # also where it was kept again before the next validation; without any calibration all is NaN
            if not state[name][:, :first].isnan().all():
                absent = [kind for kind, place in newer.items() if state[name][:, place].isnan().all()]
    return absent


def warn_of_absent(absent: Collection[str], combined: Collection[str]) -> None:
    """Warn of evidence that a score is supposed to be made of, and that a checkpoint has no scale of.

    Raises:
        InputError: there is no other.
    """
    if not (missing := set(absent) & set(combined)):
        return
    told = f"model.evidence names {', '.join(missing)}, and the checkpoint was calibrated before there was any"
    if not set(combined) - missing:
        raise InputError(f"{told}: leave model.evidence out, or train anew")
    warnings.warn(
        f"{told}: its score is without. Go on with the training up to its next validation to have it in the score",
        stacklevel=2,
    )

"""Checkpoints that say what they were made of, and models that say why a checkpoint does not fit."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from datamodules.errors import InputError


def only_plain(hyperparameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries made of JSON's types alone.

    Anything else, such as a function passed from Python instead of a YAML file, would make the checkpoint
    unreadable to ``torch.load(weights_only=True)``; whoever loads it has to pass that argument again.
    """
    return {name: value for name, value in hyperparameters.items() if _is_plain(value)}


def check_fits(checkpoint: Mapping[str, Any], own_state: Mapping[str, Tensor], own: Mapping[str, Any]) -> None:
    """Refuse a checkpoint whose tensors are not those of the model.

    Args:
        checkpoint: with ``state_dict`` and, where the model saved them, ``hyper_parameters``.
        own_state: the model's ``state_dict()``.
        own: the model's hyper-parameters.

    Raises:
        InputError: naming the hyper-parameters that differ, with both values, or the first tensors that do
            where none does.
    """
    theirs = {name: tuple(tensor.shape) for name, tensor in checkpoint["state_dict"].items()}
    ours = {name: tuple(tensor.shape) for name, tensor in own_state.items()}
    if theirs == ours:
        return
    saved, own = only_plain(checkpoint.get("hyper_parameters", {})), only_plain(own)
    # names with an underscore are Lightning's own
    names = sorted(name for name in saved.keys() & own.keys() if name[0] != "_" and saved[name] != own[name])
    reasons = [f"{name} is {saved[name]!r} in the checkpoint and {own[name]!r} here" for name in names]
    if not reasons:
        tensors = sorted(name for name in theirs.keys() | ours.keys() if theirs.get(name) != ours.get(name))
        reasons = [
            f"{name} is {theirs.get(name, 'missing')} in the checkpoint and {ours.get(name, 'missing')} here"
            for name in tensors[:3]
        ]
    raise InputError(
        f"the checkpoint does not fit the model: {'; '.join(reasons)}. "
        "Build the model that it was made by: --config <the run's folder>/config.yaml"
    )


def _is_plain(value: object) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(entry) for key, entry in value.items())
    if isinstance(value, list | tuple):
        return all(_is_plain(entry) for entry in value)
    return value is None or type(value) in (bool, int, float, str)

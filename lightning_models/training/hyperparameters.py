"""Hyper-parameters in checkpoints, and the check that a checkpoint fits the model."""

import inspect
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from datamodules.errors import InputError
from lightning_models.class_path import named


def only_plain(hyperparameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments made of JSON's types alone, and classes by their name.

    Anything else, such as a function passed from Python instead of a YAML file, would make the checkpoint
    unreadable to ``torch.load(weights_only=True)``; whoever loads it has to pass that argument again. Names with an
    underscore are no arguments but Lightning's notes on how to rebuild the model: it would import what they name.
    """
    plain = {name: named(value) for name, value in hyperparameters.items() if name[0] != "_"}
    return {name: value for name, value in plain.items() if _is_plain(value)}


def check_system(made_by: str | None, kind: type, path: object = None) -> None:
    """Refuse the checkpoint of another system.

    Args:
        made_by: name of its class; None in a checkpoint of before version 0.2.
        kind: the model's class.
        path: of the checkpoint, None where it is not known.

    Raises:
        InputError: naming both.
    """
    if made_by not in (None, kind.__name__, *(base.__name__ for base in kind.__mro__)):
        raise InputError(f"the checkpoint is one of {made_by}, and model is {kind.__name__}: give {_config_of(path)}")


def check_fits(
    checkpoint: Mapping[str, Any], own_state: Mapping[str, Tensor], own: Mapping[str, Any], path: object = None
) -> None:
    """Refuse a checkpoint whose tensors are not those of the model.

    Args:
        checkpoint: with ``state_dict`` and, where the model saved them, ``hyper_parameters``.
        own_state: the model's ``state_dict()``.
        own: the model's hyper-parameters.
        path: of the checkpoint, None where it is not known.

    Raises:
        InputError: naming the hyper-parameters that differ, with both values, or the first tensors that do
            where none does.
    """
    theirs = {name: tuple(tensor.shape) for name, tensor in checkpoint["state_dict"].items()}
    ours = {name: tuple(tensor.shape) for name, tensor in own_state.items()}
    if theirs == ours:
        return
    in_both = _in_both(checkpoint, own)
    differing = {name: two for name, two in in_both.items() if _listed(two[0]) != _listed(two[1])}
    reasons = [f"{name} is {saved!r} in the checkpoint and {here!r} here" for name, (saved, here) in differing.items()]
    if not reasons:
        tensors = sorted(name for name in theirs.keys() | ours.keys() if theirs.get(name) != ours.get(name))
        reasons = [
            f"{name} is {theirs.get(name, 'missing')} in the checkpoint and {ours.get(name, 'missing')} here"
            for name in tensors[:3]
        ]
    raise InputError(
        f"the checkpoint does not fit the model: {'; '.join(reasons)}. "
        f"Build the model that it was made by: {_config_of(path)}"
    )


def check_same(checkpoint: Mapping[str, Any], kind: type, own: Mapping[str, Any], path: object = None) -> None:
    """Refuse to judge by a checkpoint under other arguments than its weights and calibration were made with.

    Args:
        checkpoint: with ``hyper_parameters`` where the model saved them.
        kind: the model's class; ``free_after_training`` of it and its bases names the arguments that may differ.
        own: the model's hyper-parameters.
        path: of the checkpoint, None where it is not known.

    Raises:
        InputError: naming those that differ, with both values.
    """
    free = {name for base in kind.__mro__ for name in vars(base).get("free_after_training", ())}
    in_both = _in_both(checkpoint, own)
    bound = {name: two for name, two in in_both.items() if not free & {name, name.partition(".")[0]}}
    if "system" not in checkpoint.get("phased_training", {}):  # of before 0.2, when null stood for fewer defaults
        bound = {name: two for name, two in bound.items() if None not in two}
    differing = {name: two for name, two in bound.items() if _listed(two[0]) != _listed(two[1])}
    if differing:
        told = ", ".join(f"model.{name} = {here} ({saved} in training)" for name, (saved, here) in differing.items())
        raise InputError(
            f"{told}: what the checkpoint holds was learned or calibrated otherwise. Leave it out, or give the "
            f"configuration of the training: {_config_of(path)}"
        )


def check_known(arguments: Mapping[str, Any], kind: type, path: object = None) -> None:
    """Refuse the arguments of a checkpoint that a model's class does not have.

    Args:
        arguments: of the checkpoint.
        kind: the model's class.
        path: of the checkpoint, None where it is not known.

    Raises:
        InputError: naming them.
    """
    constructors = [vars(base)["__init__"] for base in kind.__mro__ if "__init__" in vars(base)]
    names = {name for constructor in constructors for name in inspect.signature(constructor).parameters}
    if unknown := sorted(arguments.keys() - names):
        raise InputError(
            f"the checkpoint was made by another version: {kind.__name__} has no {', '.join(unknown)}. Use it with the "
            f"command: {_config_of(path)}, which tells the new names"
        )


def _in_both(checkpoint: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return the values of the arguments that a checkpoint and a model both have, by their names in order."""
    saved, here = (_flat(only_plain(arguments)) for arguments in (checkpoint.get("hyper_parameters", {}), own))
    return {name: (saved[name], here[name]) for name in sorted(saved.keys() & here.keys())}


def _config_of(checkpoint: object) -> str:
    """Return the option that names the configuration which a checkpoint was trained with."""
    config = Path(str(checkpoint)).absolute().parent.parent / "config.yaml" if checkpoint else None
    if config is None or not config.is_file():
        return "--config with the config.yaml of its run folder"
    return f"--config {os.path.relpath(config)}"


def _flat(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Give the arguments of a class that is an argument itself names of their own: ``network.width``."""
    flat: dict[str, Any] = {}
    for name, value in arguments.items():
        if isinstance(value, Mapping) and "class_path" in value:
            flat[name] = value["class_path"].rpartition(".")[2]
            flat |= {f"{name}.{key}": deeper for key, deeper in _flat(value.get("init_args") or {}).items()}
        else:
            flat[name] = value
    return flat


def _listed(value: object) -> object:
    """Return a value in which tuples, for which a configuration has lists, are lists."""
    if isinstance(value, Mapping):
        return {name: _listed(entry) for name, entry in value.items()}
    return [_listed(entry) for entry in value] if isinstance(value, list | tuple) else value


def _is_plain(value: object) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(entry) for key, entry in value.items())
    if isinstance(value, list | tuple):
        return all(_is_plain(entry) for entry in value)
    return value is None or type(value) in (bool, int, float, str)

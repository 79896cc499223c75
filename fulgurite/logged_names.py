"""What an experiment logs, as its model and callbacks declare it, without building the model."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import yaml

import callbacks
import lightning_models
from callbacks.evaluation import EvaluationCallback
from callbacks.meanings import Described, describe
from datamodules.errors import InputError
from datamodules.protocols import DeclaresLogged, DeclaresMedia
from fulgurite.experiment_files import find


@dataclass
class Logged:
    """What one experiment logs.

    Attributes:
        experiment: its name.
        losses: names of the terms by phase, without ``train/<phase>/``.
        headline: metric by which validations are compared, without its stage.
        metrics: of a validation, without the stage, in the order in which they are declared, but for those of single
            kinds of evidence.
        described: what they mean, by their names.
        health: names of the game's health, whole.
        has_alternatives: whether single kinds of evidence are judged beside the headline.
        media: names of pictures, videos and tables, whole.
    """

    experiment: str
    losses: Mapping[str, Sequence[str]]
    headline: str = ""
    metrics: list[str] = field(default_factory=list)
    described: dict[str, Described] = field(default_factory=dict)
    health: list[str] = field(default_factory=list)
    has_alternatives: bool = False
    media: list[str] = field(default_factory=list)


def logged_by(experiment: str) -> Logged:
    """Return what an installed experiment logs.

    Names that depend on arguments of its model, such as those of single kinds of evidence, are not among them.

    Raises:
        InputError: if its model or its callbacks cannot be found, or do not say what they log.
    """
    path = find(experiment)
    assert path is not None, "whoever asks has looked"
    settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    model = _class(settings["model"]["class_path"], lightning_models)
    if not hasattr(model, "loss_terms"):
        raise InputError(f"{experiment}: {model.__name__} has no loss_terms, and nobody knows what it logs; add them")
    logged = Logged(experiment, model.loss_terms)
    for entry in settings["trainer"]["callbacks"]:
        one = _class(entry["class_path"], callbacks)(**entry.get("init_args", {}))
        logged.media += one.media_names(model) if isinstance(one, DeclaresMedia) else []
        names = list(one.logged(model)) if isinstance(one, DeclaresLogged) else []
        logged.health += [name for name in names if name.startswith("train/")]
        if isinstance(one, EvaluationCallback):
            logged.headline = one.headline
            metrics = [name.removeprefix("val/") for name in names]
            logged.has_alternatives = any(meaning.name == f"{one.headline}_<part>" for meaning in one.meanings)
            if logged.has_alternatives:
                kinds = [meaning for meaning in one.meanings if "<part>" in meaning.name]
                others = [meaning for meaning in one.meanings if meaning not in kinds]
                metrics = [name for name in metrics if describe([name], others) or not describe([name], kinds)]
            logged.metrics += metrics
            logged.described |= describe(metrics, one.meanings)
    if not logged.headline:
        raise InputError(f"{experiment}: no callback judges the validations; add one to trainer.callbacks")
    return logged


def families(logged: Logged) -> dict[str, list[str]]:
    """Return, by metric, itself, its references and its bounds: what one plot draws; the headline comes first."""
    beside = {name: described["beside"] for name, described in logged.described.items()}
    for name in logged.metrics:
        stem = name.removesuffix("_low").removesuffix("_high")
        if stem != name and stem in beside:
            beside[name] = stem
    found = {name: [name] for name in (logged.headline, *logged.metrics) if not beside.get(name)}
    for name in logged.metrics:
        if (metric := beside.get(name)) and metric in found:
            found[metric].append(name)
    return found


def alternatives(logged: Logged) -> str:
    """Return a pattern of the logged names of what single kinds of evidence reach, beside the headline."""
    return f"val/{re.escape(logged.headline)}(_.*)?"


def _class(path: str, package: Any) -> Any:
    module, _, name = path.rpartition(".")
    home = import_module(module) if module else package
    return getattr(home, name)

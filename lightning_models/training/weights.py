"""Weights of loss terms: by name, checked where a system is built, kept by its checkpoint."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from difflib import get_close_matches
from functools import partial
from typing import Any

from datamodules.errors import InputError
from lightning_models.class_path import as_factory, named
from lightning_models.training.schedules import Weight, WeightSchedule


@dataclass(frozen=True, kw_only=True)
class LossWeights:
    """Weights of a system's loss terms.

    A system has a subclass, whose fields are its terms with their defaults:

        @dataclass(frozen=True, kw_only=True)
        class AutoencoderWeights(LossWeights):
            reconstruction: Weight = 1.0
            kl: Weight = 0.01

    In a dataclass, unlike in a dict, a configuration that sets one weight leaves the others as they are.
    """

    def by_name(self) -> dict[str, Weight]:
        """Return every weight by the name of its term."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def chosen_weights(given: LossWeights | Mapping[str, Any] | None, default: LossWeights) -> dict[str, Weight]:
    """Return every weight by its name, the given ones over the default ones.

    Args:
        given: what the system was given; as a mapping, a schedule may stand in it as :func:`plain_weights` writes it.
        default: the system's own.

    Raises:
        InputError: a name that is none of the system's, a number that is not finite or below 0, or a schedule that
            cannot be built.
    """
    if given is None:
        given = {}
    elif isinstance(given, LossWeights):
        given = given.by_name()
    names = list(default.by_name())
    if unknown := next((name for name in given if name not in names), None):
        near = get_close_matches(unknown, names, n=1)
        hint = f"Did you mean {near[0]!r}? " if near else ""
        raise InputError(f"model.weights has no {unknown!r}. {hint}The losses are {names}")
    weights = default.by_name() | {name: _built(name, weight) for name, weight in given.items()}
    for name, weight in weights.items():
        if not isinstance(weight, WeightSchedule) and not 0 <= weight < math.inf:
            raise InputError(f"model.weights.{name} is {weight}: give a finite number of at least 0, or a schedule")
    return weights


def plain_weights(weights: Mapping[str, Weight]) -> dict[str, Any]:
    """Return the weights in JSON's types, a schedule as a configuration has it: ``class_path`` and ``init_args``."""
    return {
        name: named(partial(type(weight), **asdict(weight))) if isinstance(weight, WeightSchedule) else weight
        for name, weight in weights.items()
    }


def _built(name: str, weight: Any) -> Weight:
    if isinstance(weight, int | float | WeightSchedule):
        return weight
    try:
        schedule: WeightSchedule = as_factory(weight, WeightSchedule)()
    except (InputError, TypeError) as problem:
        raise InputError(f"model.weights.{name} is {weight}: give a number or a schedule ({problem})") from None
    return schedule

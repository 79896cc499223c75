"""Weights of loss terms: by name, checked where a system is built, kept by its checkpoint."""

import math
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, fields
from difflib import get_close_matches
from functools import partial
from typing import Any

from torch import Tensor

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


class TermWeights(dict[str, float]):
    """Present weights of loss terms by their names; a term that is not named weighs 1.

    Args:
        chosen: their numbers and schedules.
        default: the system's own.

    Attributes:
        schedules: of those weights that have one.
    """

    def __init__(self, chosen: Mapping[str, Weight], default: LossWeights) -> None:
        self._default = default.by_name()
        self.schedules = {term: weight for term, weight in chosen.items() if isinstance(weight, WeightSchedule)}
        super().__init__({term: weight for term, weight in chosen.items() if not isinstance(weight, WeightSchedule)})
        self.follow(0.0)
        self._seen: dict[str, set[str]] = {}

    def follow(self, epochs: float) -> None:
        """Give every weight that has a schedule its value after so many epochs."""
        self.update({term: schedule(epochs) for term, schedule in self.schedules.items()})

    def count(self, term: str) -> bool:
        """Tell whether a term counts, now or later: whether its weight is a schedule or a number that is not 0."""
        return term in self.schedules or self[term] != 0

    def drop(self, *terms: str, needs: str) -> None:
        """Forget terms whose part of the system is switched off.

        Args:
            terms: their names.
            needs: argument and value that switches the part on, e.g. ``flow_backend flownet_sd``.

        Raises:
            InputError: one of them was given a weight, which would change nothing.
        """
        for term in terms:
            weight = self.schedules.pop(term, self[term])
            if weight not in (0, self._default[term]):
                raise InputError(
                    f"model.weights.{term} is {weight}, but changes nothing without model.{needs}: set that, or "
                    f"model.weights.{term} to 0"
                )
            del self[term]

    def total(self, phase: str, terms: Mapping[str, Tensor]) -> Tensor:
        """Add up a phase's terms, leaving out weights of 0: the product would cost a backward and let a NaN through.

        Raises:
            InputError: all of them have weight 0.
        """
        self._seen[phase] = set(terms)
        weighted = [self.get(name, 1.0) * term for name, term in terms.items() if self.get(name, 1.0) != 0]
        if not weighted:
            raise InputError(f"every {phase} loss has weight 0 ({sorted(terms)}): nothing is left to train it by")
        return sum(weighted[1:], start=weighted[0])

    def check_taken(self, phases: Collection[str]) -> bool:
        """Refuse a weight that no term takes, once every phase has shown its terms; tell whether that was so.

        Raises:
            InputError: naming the weight and the terms.
        """
        if self._seen.keys() != set(phases):
            return False
        known = set[str]().union(*self._seen.values())
        if unknown := sorted(term for term in self.keys() - known if self.count(term)):
            raise InputError(f"weights are given for {unknown}; the loss terms are {sorted(known)}")
        return True


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

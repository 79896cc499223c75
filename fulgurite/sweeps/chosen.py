"""How trials are chosen and which are given up: the samplers and pruners that a space can name, with their options."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from datamodules.errors import InputError

SAMPLERS: dict[str, dict[str, int]] = {"tpe": {"startup_trials": 10}, "random": {}}
PRUNERS: dict[str, dict[str, int]] = {
    "median": {"startup_trials": 4, "warmup_validations": 0},
    "hyperband": {"first_validation": 1, "reduction": 3},
    "none": {},
}
"""Options of each, with their defaults."""
LEAST = {"startup_trials": 1, "warmup_validations": 0, "first_validation": 1, "reduction": 2}


@dataclass(frozen=True)
class Chosen:
    """A sampler or a pruner with its options."""

    kind: str
    options: Mapping[str, int] = field(default_factory=dict)


def chosen(found: Any, known: Mapping[str, Mapping[str, Any]], here: str) -> Chosen:
    """Return a sampler or pruner with the options that were given, and the defaults of the others.

    Raises:
        InputError: if there is none of this kind, or it has no such option or value.
    """
    kind = str(found.get("kind")) if isinstance(found, dict) else "none" if found is None else str(found)
    if kind not in known:
        raise InputError(f"{here} = {kind}: give {', '.join(known)}, or a mapping with one of them as its kind")
    given = {key: value for key, value in found.items() if key != "kind"} if isinstance(found, dict) else {}
    for key, value in given.items():
        if key not in known[kind]:
            has = f"it has {', '.join(known[kind])}" if known[kind] else "it has none"
            raise InputError(f"{here}: {kind} has no option {key}; {has}")
        if not isinstance(value, int) or isinstance(value, bool) or value < LEAST[key]:
            raise InputError(f"{here}.{key} = {value}: give a whole number of at least {LEAST[key]}")
    return Chosen(kind, {**known[kind], **given})

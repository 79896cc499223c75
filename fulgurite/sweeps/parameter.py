"""One setting that is searched: its kind, its bounds or choices, and the condition under which it counts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from datamodules.errors import InputError
from fulgurite.batches.plan import typed

Number = int | float
Kind = Literal["float", "int", "choice"]

ENTRIES: dict[str, tuple[str, ...]] = {
    "float": ("type", "low", "high", "step", "log", "when", "otherwise"),
    "int": ("type", "low", "high", "step", "log", "when", "otherwise"),
    "choice": ("type", "choices", "when", "otherwise"),
}
"""What each kind is described by."""


LEFT: Final = ...
"""Stands for a setting that is left as the experiment has it."""


@dataclass(frozen=True)
class Parameter:
    """A setting that is searched.

    Attributes:
        key: dotted, as behind ``--`` of ``lightning fit``.
        kind: ``float`` and ``int`` have bounds, both included; ``choice`` has values.
        low: smallest value.
        high: largest value.
        step: distance of the values from ``low`` on; None: all of them.
        log: whether small values are looked at as closely as large ones: equal ratios count alike.
        choices: the values of a ``choice``.
        when: values by the key of a choice above it; it is searched only where each of those has one of them.
        otherwise: its value where it is not searched; ``LEFT``: that of the experiment.
    """

    key: str
    kind: Kind
    low: Number = 0
    high: Number = 0
    step: Number | None = None
    log: bool = False
    choices: tuple[Any, ...] = ()
    when: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    otherwise: Any = LEFT

    @property
    def texts(self) -> list[str]:
        """The choices as they are typed."""
        return [typed(one) for one in self.choices]

    @property
    def edges(self) -> list[Any]:
        """The values by which it is tried before the search: both bounds, or every choice."""
        return list(self.choices) if self.kind == "choice" else list(dict.fromkeys((self.low, self.high)))

    def counts(self, searched: Mapping[str, Any]) -> bool:
        """Whether it is searched beside the values of those above it."""
        return all(key in searched and typed(searched[key]) in map(typed, values) for key, values in self.when.items())

    def __str__(self) -> str:
        """Return what is searched, as a person reads it."""
        if self.kind == "choice":
            text = " | ".join(self.texts)
        else:
            text = f"{self.low} to {self.high}"
            text += f" in steps of {self.step}" if self.step else ", log" if self.log else ""
        conditions = [f"{key} is {' or '.join(map(typed, values))}" for key, values in self.when.items()]
        return f"{text}, where {' and '.join(conditions)}" if conditions else text


def read_parameter(key: str, found: Any, above: Mapping[str, Parameter], place: str) -> Parameter:
    """Return the parameter that an entry of ``search`` describes.

    Args:
        key: of the entry.
        found: what the file holds there.
        above: the entries before it, by their keys.
        place: the file, for messages.

    Raises:
        InputError: if something in it has no meaning, or bounds are the wrong way round.
    """
    here = f"{place}: search.{key}"
    if not isinstance(found, dict):
        raise InputError(f"{here} = {found}: give a mapping, such as {{type: float, low: 0.0001, high: 0.01}}")
    kind = found.get("type", "choice" if "choices" in found else None)
    if kind not in ENTRIES:
        raise InputError(f"{here}.type = {kind}: give {', '.join(ENTRIES)}")
    if unknown := [str(name) for name in found if name not in ENTRIES[kind]]:
        raise InputError(f"{here}: a {kind} has no {', '.join(unknown)}; it has {', '.join(ENTRIES[kind])}")
    shared = {"when": _when(found.get("when", {}), above, here), "otherwise": found.get("otherwise", LEFT)}
    if shared["otherwise"] is not LEFT and not shared["when"]:
        raise InputError(f"{here}.otherwise = {found['otherwise']}: it counts beside when alone; remove it")
    if kind == "choice":
        return Parameter(key, kind, choices=_choices(found.get("choices"), here), **shared)
    low, high, step = (_number(found.get(name), kind, f"{here}.{name}") for name in ("low", "high", "step"))
    if low is None or high is None:
        raise InputError(f"{here}.{'low' if low is None else 'high'}: not given; both bounds are needed")
    log = found.get("log", False)
    if not isinstance(log, bool):
        raise InputError(f"{here}.log = {log}: give true or false")
    if low >= high:
        raise InputError(f"{here}: low = {low} and high = {high}: low has to be the smaller one")
    if log and (low <= 0 or step is not None):
        raise InputError(f"{here}: log needs a low above 0 and no step; give log: false, or change them")
    if step is not None and step <= 0:
        raise InputError(f"{here}.step = {step}: give more than 0")
    if step is not None and abs((high - low) / step - round((high - low) / step)) > 1e-9:
        raise InputError(f"{here}: {high} is no whole number of steps of {step} above {low}; change one of the three")
    return Parameter(key, kind, low, high, step, log, **shared)


def _number(value: Any, kind: str, here: str) -> Number | None:
    if value is None:
        return None
    try:
        number = float(value)  # YAML takes 1e-4 for a text
    except (TypeError, ValueError):
        number = float("nan")
    if isinstance(value, bool) or not abs(number) < float("inf") or (kind == "int" and number != int(number)):
        raise InputError(f"{here} = {value}: give a {'whole number' if kind == 'int' else 'number'}")
    return int(number) if kind == "int" else number


def _choices(found: Any, here: str) -> tuple[Any, ...]:
    if not isinstance(found, list) or len(found) < 2:
        raise InputError(f"{here}.choices = {found}: give a list of at least two values")
    texts = [typed(one) for one in found]
    if len(set(texts)) < len(texts):
        raise InputError(f"{here}.choices = {found}: one comes twice; remove it")
    return tuple(found)


def _when(found: Any, above: Mapping[str, Parameter], here: str) -> dict[str, tuple[Any, ...]]:
    if not isinstance(found, dict):
        raise InputError(f"{here}.when = {found}: give a mapping of keys and values, such as {{model.kind: [a, b]}}")
    conditions = {}
    for key, values in found.items():
        if key not in above or above[key].kind != "choice":
            raise InputError(f"{here}.when: {key} is no choice that stands above it in search; write one there")
        conditions[key] = tuple(values) if isinstance(values, list) else (values,)
        for value in conditions[key]:
            if typed(value) not in above[key].texts:
                raise InputError(f"{here}.when: {key} is never {typed(value)}; it is {' | '.join(above[key].texts)}")
    return conditions

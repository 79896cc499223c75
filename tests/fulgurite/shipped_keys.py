"""Every key of the shipped experiments, as the place of a value in what a YAML file holds."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import datamodules
import lightning_models
from fulgurite.class_names import arguments_of

SHIPPED = sorted((Path(__file__).parents[2] / "experiments").glob("*.yaml"))
Place = list[Any]


def keys(value: dict[str, Any], place: Place) -> Iterator[Place]:
    """Yield every key below a class, with the path to it in the YAML file."""
    for name, inner in (value.get("init_args") or {}).items():
        here = [*place, "init_args", name]
        yield here
        if isinstance(inner, dict) and "class_path" in inner:
            yield from keys(inner, here)
        elif isinstance(inner, dict):
            for weight, schedule in inner.items():
                yield [*here, weight]
                yield from keys(schedule, [*here, weight]) if isinstance(schedule, dict) else ()


def all_keys(config: dict[str, Any]) -> list[Place]:
    """Return every key of model and data that the file has, and every argument of their classes."""
    found: list[Place] = []
    for part, package in (("model", lightning_models), ("data", datamodules)):
        kind = getattr(package, config[part]["class_path"])
        names = dict.fromkeys(name.partition(".")[0] for name in arguments_of(f"{kind.__module__}.{kind.__qualname__}"))
        found += [[part, "init_args", name] for name in names if name not in config[part]["init_args"]]
        found += keys(config[part], [part])
    return found


def places(value: Any, place: Place) -> Iterator[Place]:
    """Yield the place of every value in mappings and lists."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in inside:
        yield [*place, name]
        yield from places(inner, [*place, name])


def with_value(config: Any, place: Sequence[Any], value: Any) -> Any:
    """Return a copy in which the value at a place is another one."""
    if not place:
        return value
    head, *rest = place
    if isinstance(config, list):
        return [with_value(one, rest, value) if number == head else one for number, one in enumerate(config)]
    return {**config, head: with_value(config[head], rest, value) if rest else value}

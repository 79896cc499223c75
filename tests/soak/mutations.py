"""Configurations as nobody meant to write them: values that do not fit, keys elsewhere, damaged text."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import yaml
from numpy.random import Generator

from tests.fulgurite.shipped_keys import Place, places, with_value

HOSTILE: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 7, -(2**31), 2**31, 2**63, -(2**63) - 1, 10**30),
    *(0.0, -0.5, 1e-320, 1e308, -1e308, float("inf"), float("-inf"), float("nan")),
    *(
        "",
        " ",
        "0",
        "null",
        "-",
        "--",
        "1e3",
        "\0",
        "a\0b",
        "x" * 5000,
        "/".join(["y" * 250] * 20),
        "./a\nb",
        "ä¸­\U0001f600",
    ),
    *(
        "\ud800",
        "ä中\U0001f600",
        "{}",
        "[1",
        "${oc.env:HOME}",
        "%s%n",
        "=SUM(A1)",
        "best",
        "VTAGAN",
        "torch.optim.Adam",
        "os.system",
    ),
    *([], {}, [[]], [None], [1, 2, 3], {"a": 1}, {"class_path": "VTAGAN"}, {"class_path": None}, {"init_args": {}}),
    *({"class_path": "torch.optim.Adam", "init_args": {"lr": "x"}}, {1: 2}, [1, [2, [3, [4]]]]),
)
"""Values; every key takes or refuses each of them."""


def mutated(text: str, random: Generator) -> bytes:
    """Return a configuration with one to three mutations."""
    for _ in range(int(random.integers(1, 4))):
        mutate = _MUTATIONS[int(random.integers(len(_MUTATIONS)))]
        try:
            config = yaml.safe_load(text)
        except yaml.YAMLError:
            config = None
        text = mutate(text, config, random) if isinstance(config, dict) and config else _damage(text, config, random)
    content = np.frombuffer(text.encode("utf-8", "surrogatepass"), np.uint8).copy()
    if content.size and random.random() < 0.1:
        spots = random.integers(content.size, size=int(random.integers(1, 9)))
        np.bitwise_xor.at(content, spots, (1 << random.integers(8, size=spots.size)).astype(np.uint8))
    return content.tobytes()


def _value(text: str, config: Any, random: Generator) -> str:
    value = HOSTILE[int(random.integers(len(HOSTILE)))]
    return _dump(with_value(config, _any_place(config, random), value))


def _rename(text: str, config: Any, random: Generator) -> str:
    config = copy.deepcopy(config)
    holder, key = _holder(config, _any_place(config, random))
    if isinstance(holder, dict):
        cut = int(random.integers(len(str(key)) + 1))
        others = [*holder, str(key)[:cut] + str(key)[cut + 1 :], f"{key}s", str(key).upper(), "", "class_path", 1, None]
        holder[others[int(random.integers(len(others)))]] = holder.pop(key)
    return _dump(config)


def _move(text: str, config: Any, random: Generator) -> str:
    config = copy.deepcopy(config)
    holder, key = _holder(config, _any_place(config, random))
    moved = holder.pop(key)
    if not config:
        return _dump({key: moved})
    target, other = _holder(config, _any_place(config, random))
    target = target[other] if isinstance(target[other], dict | list) else target
    if isinstance(target, dict):
        target[key] = moved
    else:
        target.append(moved)
    return _dump(config)


def _delete(text: str, config: Any, random: Generator) -> str:
    config = copy.deepcopy(config)
    holder, key = _holder(config, _any_place(config, random))
    del holder[key]
    return _dump(config)


def _double(text: str, config: Any, random: Generator) -> str:
    lines = text.splitlines(keepends=True)
    number = int(random.integers(len(lines)))
    return "".join([*lines[: number + 1], *lines[number:]])


def _nest(text: str, config: Any, random: Generator) -> str:
    place = _any_place(config, random)
    holder, key = _holder(config, place)
    inner = holder[key]
    wrapped = [[inner], {key: inner}, {"init_args": inner}, {"class_path": inner}, [inner, inner]]
    return _dump(with_value(config, place, wrapped[int(random.integers(len(wrapped)))]))


def _flatten(text: str, config: Any, random: Generator) -> str:
    config = copy.deepcopy(config)
    holder, key = _holder(config, _any_place(config, random))
    inner = holder[key]
    if isinstance(holder, dict) and isinstance(inner, dict):
        del holder[key]
        holder.update(inner)
    return _dump(config)


def _damage(text: str, config: Any, random: Generator) -> str:
    """Shift, drop, exchange or cut lines, or put a mark of YAML somewhere."""
    lines = text.splitlines(keepends=True) or ["\n"]
    one, other = (int(number) for number in random.integers(len(lines), size=2))
    kind = int(random.integers(5))
    if kind == 0:
        lines[one] = " " * int(random.integers(1, 5)) + lines[one]
    elif kind == 1:
        lines[one] = lines[one].removeprefix("  ")
    elif kind == 2:
        lines[one], lines[other] = lines[other], lines[one]
    elif kind == 3:
        del lines[one]
    else:
        marks = (
            ":",
            "- ",
            "#",
            "&a ",
            "*a ",
            "!!int ",
            "!x ",
            "'",
            '"',
            "{",
            "[",
            "|",
            "\t",
            "? ",
            "---\n",
            "<<: ",
            "@",
        )
        spot = int(random.integers(len(lines[one])))
        lines[one] = lines[one][:spot] + marks[int(random.integers(len(marks)))] + lines[one][spot:]
    return "".join(lines)


_MUTATIONS: tuple[Callable[[str, Any, Generator], str], ...] = (
    *(_value, _value, _value, _rename, _move, _delete, _double, _nest, _flatten, _damage),
)


def _any_place(config: Any, random: Generator) -> Place:
    found = [*places(config, [])]
    return found[int(random.integers(len(found)))]


def _holder(config: Any, place: Place) -> tuple[Any, Any]:
    """Return the mapping or list that a value lies in, and its key there."""
    *way, key = place
    for part in way:
        config = config[part]
    return config, key


def _dump(config: Any) -> str:
    return yaml.safe_dump(config, sort_keys=False)

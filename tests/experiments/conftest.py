"""What the tests of all experiments ask of a run's configuration."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest


@pytest.fixture
def assert_written() -> Callable[[dict[str, Any], dict[str, Any], Iterable[str]], None]:
    """Return the check that a run's config.yaml holds every value of an overlay, but for the keys that were typed."""

    def check(saved: dict[str, Any], wanted: dict[str, Any], typed: Iterable[str]) -> None:
        keys = {word.removeprefix("--") for word in typed if word.startswith("--")}
        assert wanted
        _compare(saved, wanted, "", keys)

    return check


def _compare(found: dict[str, Any], wanted: dict[str, Any], place: str, typed: set[str]) -> None:
    for key, value in wanted.items():
        name = place if key == "init_args" else f"{place}.{key}".removeprefix(".")
        if name in typed:
            continue
        if isinstance(value, dict):
            # the arguments of a class may be written without ``init_args``
            inner = found if key == "init_args" and "init_args" not in found else found[key]
            _compare(inner, value, name, typed)
        elif key == "class_path":
            assert found[key].rpartition(".")[2] == value.rpartition(".")[2], name
        else:
            assert found[key] == value, name

"""What stands in a JSON file of a run, checked as it is taken out: whoever shows it need not look again."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from datamodules.errors import InputError
from fulgurite.refuse import shortened


def read_object(path: Path) -> dict[str, Any]:
    """Return the JSON object that a file holds.

    Raises:
        InputError: if it cannot be read, or holds something else.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise InputError(f"{path} cannot be read: {problem.strerror}") from None
    except (ValueError, RecursionError) as problem:
        raise InputError(f"{path} is damaged: {shortened(str(problem))}; write the file anew") from None
    if not isinstance(found, dict):
        raise InputError(f"{path} is damaged: expected an object, found {type(found).__name__}; write the file anew")
    return found


class Checked:
    """The entries of an object, each asked for by its type; one that is missing or null is None, or empty.

    Args:
        held: the object.
        place: of what, for the messages: a path.

    Raises:
        InputError: by every method, if the entry is of another type.
    """

    def __init__(self, held: Mapping[str, Any], place: str) -> None:
        self.held, self.place = held, place

    def text(self, key: str) -> str | None:
        """Return a text."""
        value = self.held.get(key)
        return value if value is None or isinstance(value, str) else self._refuse(key, value, "a text")

    def number(self, key: str) -> float | int | None:
        """Return a finite number."""
        value = self.held.get(key)
        return value if value is None or is_number(value) else self._refuse(key, value, "a finite number")

    def flag(self, key: str) -> bool | None:
        """Return true or false."""
        value = self.held.get(key)
        return value if value is None or isinstance(value, bool) else self._refuse(key, value, "true or false")

    def texts(self, key: str) -> list[str]:
        """Return a list of texts."""
        value = self.held.get(key) or []
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            self._refuse(key, value, "a list of texts")
        return list(value)

    def within(self, key: str) -> "Checked":
        """Return an object."""
        value = self.held.get(key) or {}
        if not isinstance(value, dict):
            self._refuse(key, value, "an object")
        return Checked(value, f"{self.place}, {key}")

    def each(self, key: str) -> dict[str, "Checked"]:
        """Return an object of objects."""
        inner = self.within(key)
        return {name: inner.within(name) for name in inner.held}

    def objects(self, key: str) -> list["Checked"]:
        """Return a list of objects."""
        value = self.held.get(key) or []
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            self._refuse(key, value, "a list of objects")
        return [Checked(one, f"{self.place}, {key}[{number}]") for number, one in enumerate(value)]

    def all_texts(self) -> dict[str, str]:
        """Return all entries, which are texts."""
        return {key: self.text(key) or "" for key in self.held}

    def all_numbers(self) -> dict[str, float | int | None]:
        """Return all entries, which are numbers or null."""
        return {key: self.number(key) for key in self.held}

    def _refuse(self, key: str, value: object, wanted: str) -> Any:
        shown = shortened(json.dumps(value))
        raise InputError(f"{self.place}: {shortened(key)} is {shown}, expected {wanted}; write the file anew")


def is_number(value: object) -> bool:
    """Tell whether a value is a finite number; a truth value is none, nor is a whole number that no float can hold."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max

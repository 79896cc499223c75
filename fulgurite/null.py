"""What ``null`` says: nothing is given. It is a value like any other, and no text."""

import json
from collections.abc import Iterator
from typing import Any

from jsonargparse import Namespace

from datamodules.errors import InputError
from fulgurite.given import Given

CLASSES = ("model", "data")
"""Keys whose value has to be a class."""


def nested_words(given: Given) -> Iterator[str]:
    """Yield the words of the user; an option of a class within a class that he sets to null stands in a mapping.

    ``--model.network.encoder null`` becomes ``--model.network={"init_args": {"encoder": null}}``: below two classes
    jsonargparse makes a text of it.
    """
    for option, value, words in given.options():
        parts = [part for part in option[2:].split(".") if part not in ("init_args", "dict_kwargs")]
        if value != "null" or not option.startswith("--") or len(parts) < 3 or parts[0] not in CLASSES:
            yield from words
            continue
        mapping: Any = None
        for depth in range(len(parts) - 1, 1, -1):
            mapping = {parts[depth]: mapping}
            if given.chosen(".".join(parts[:depth])):
                mapping = {"init_args": mapping}
        yield f"--{parts[0]}.{parts[1]}={json.dumps(mapping)}"


def refuse_null(config: Namespace) -> None:
    """Refuse null in the place of a class, and texts that were meant to be null where it is none of the values.

    Args:
        config: what was parsed, of one verb.

    Raises:
        InputError: naming the key and what to write.
    """
    for key in CLASSES:
        if config[key] is None:
            raise InputError(f"{key} = null: it has to be a class. Name an experiment, e.g. --config vta_gan")
    for name, value in config.items():
        key = name.replace(".init_args.", ".")
        if value == "null":
            raise InputError(f"{key} = null: it cannot be null; leave it out, or give a text (./null is a file)")
        if value == "None":
            raise InputError(f"{key} = None: write null for nothing (./None is a file)")

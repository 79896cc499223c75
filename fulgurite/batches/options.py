"""Which engine does a batch, and what only that knows: words such as ``--slurm partition=gpu``, entries of a file."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from datamodules.errors import InputError

LOCAL = "local"
CLUSTERS = ("slurm", "ray")
ENGINES = (LOCAL, *CLUSTERS)


def checked_engine(name: object) -> str:
    """Return the name of an engine.

    Raises:
        InputError: if there is none of that name.
    """
    if name not in ENGINES:
        raise InputError(f"on = {name}: give one of {', '.join(ENGINES)}")
    return str(name)


def read_options(engine: str, words: Sequence[str]) -> dict[str, str]:
    """Return options by key, of words like ``partition=gpu``; a key alone is a switch, with the value ``true``.

    Raises:
        InputError: if a word is none of these, or a key comes twice.
    """
    found: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        key = _key(key)
        if not re.fullmatch(r"[a-z][a-z-]*", key) or (equals and not value):
            raise InputError(f"--{engine} {word}: write an option and its value, such as {EXAMPLES[engine]}")
        if key in found:
            raise InputError(f"--{engine} {key}: given twice; leave one of them out")
        found[key] = value if equals else "true"
    return found


EXAMPLES = {"slurm": "--slurm partition=gpu", "ray": "--ray gpus=1"}


def in_file(path: Path) -> Mapping[str, Any]:
    """Return ``on`` and the options of the engines that stand in the file of a batch, every value as it is written.

    YAML itself would read ``on`` as true, and the time 4:00:00 as 14400.

    Raises:
        InputError: if the options of an engine are no mapping of values.
    """
    entries = yaml.load(path.read_text(encoding="utf-8-sig"), yaml.BaseLoader)  # text alone
    options = {}
    for engine in CLUSTERS:
        given = entries.get(engine) or {}
        if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
            raise InputError(f"{path}: {engine} = {given}: write its options below it, indented, each with one value")
        if given:
            options[engine] = {_key(key): value for key, value in given.items()}
    return {"on": entries.get("on"), "options": options}


def _key(text: str) -> str:
    """Return the name of an option as its program knows it: also ``gpus_per_node`` is ``gpus-per-node``."""
    return text.removeprefix("--").replace("_", "-")

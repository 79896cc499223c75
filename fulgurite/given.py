"""What the user wrote: the words of the command line and the configurations that they name."""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from datamodules.errors import InputError
from datamodules.listing import why_no_file
from fulgurite.experiment_files import names, present_name
from fulgurite.refuse import shortened
from fulgurite.words import options
from fulgurite.written_form import as_yaml, check_form
from fulgurite.yaml_file import read_yaml


class Written(NamedTuple):
    """One key as the user wrote it.

    Attributes:
        key: Dotted, without ``init_args``: ``model.optimizer.lr``. Entries of a list have the key of the list.
        value: What stands there; the class's path where a class is named.
        owner: Name of the class whose argument it is, empty where nothing before it tells.
        config: The configuration that it stands in, None for the command line.
    """

    key: str
    value: Any
    owner: str = ""
    config: Path | None = None

    def __str__(self) -> str:
        value = "" if isinstance(self.value, dict) else f" = {shortened(as_yaml(self.value))}"
        return value + (f" (in {self.config})" if self.config else "")


class Given:
    """The words after the verb, and what they and the configurations among them say, in order: the last one wins.

    Args:
        words: Arguments after the verb.

    Raises:
        InputError: If a configuration is not there or cannot be read, or a word is not UTF-8.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.words = list(words)
        for word in self.words:
            if not word.isascii() and any("\ud800" <= letter <= "\udfff" for letter in word):
                raise InputError(
                    f"{os.fsencode(word)!r}: this is not UTF-8, and no configuration could hold it. Give what it names "
                    "another name, or a second one by a link: ln -s"
                )
        self.configs: dict[Path, dict[str, Any]] = {}
        self.written: list[Written] = []
        for written in self._read():
            self.written.append(written)

    def find(self, key: str, owner: str = "") -> Written | None:
        """Return what was written for ``key`` (of the class ``owner``) and counts, None where nothing was."""
        same = [one for one in self.written if one.key == key]
        return next((one for one in reversed(same) if not owner or one.owner in ("", owner)), None)

    def chosen(self, key: str) -> str:
        """Return the path of the class that was chosen for a key, empty where none was."""
        paths = [one.value for one in self.written if one.key == key and isinstance(one.value, str)]
        return paths[-1] if paths else ""

    def place(self, key: str, owner: str = "") -> str:
        """Return `` = value (in file)`` for a dotted key, empty where it was not written."""
        return str(self.find(key, owner) or "")

    def options(self) -> Iterator[tuple[str, str, list[str]]]:
        """Return every word with its value; see :func:`fulgurite.words.options`."""
        return options(self.words)

    def _read(self) -> Iterator[Written]:
        for option, value, _ in self.options():
            if option in ("-c", "--config"):
                if not value:
                    raise InputError("--config: a value is missing; write --config PATH")
                path = Path(value)
                self.configs[path] = _read(value)
                yield from _walk(self.configs[path], path)
            elif option.startswith("--"):
                key = _plain(option[2:].removesuffix("+"))
                owner = self.chosen(key.rpartition(".")[0]).rpartition(".")[2]
                given = _class_in(value)
                check_form(given, "", key)
                yield from _walk(given, None, key, owner)


def _read(name: str) -> dict[str, Any]:
    if "://" in name:
        raise InputError(f"--config {name}: configurations are read from files only; download it, name the file")
    path = Path(name)
    if not path.is_file():
        beside = {p.name: str(p) for p in path.parent.glob("*.y*ml")} | {name: name for name in names()}
        near = get_close_matches(path.name, beside, n=1) or get_close_matches(name, beside, n=1)
        hint = f" Did you mean {beside[near[0]]}?" if near else ""
        if now := present_name(path):
            hint = f" It is now called {now}: --config {now}."
        raise InputError(
            f"--config {path}: {why_no_file(path)}.{hint} Give the path of a YAML file, "
            "or a name that lightning experiments lists"
        )
    config = read_yaml(path)
    if not isinstance(config, dict):
        raise InputError(f"--config {path}: expected lines of 'key: value', e.g. 'trainer:'; got: {str(config)[:60]}")
    if "config" in config:
        raise InputError(
            f"config = {config['config']} (in {path}): a configuration names no other one; give both by --config"
        )
    check_form(config, f" (in {path})")
    return config


def _class_in(word: str) -> Any:
    """Return the class and its arguments that a word in JSON holds, and any other word as it is."""
    with suppress(yaml.YAMLError):
        loaded = yaml.safe_load(word) if word.startswith("{") else None
        if isinstance(loaded, dict) and "class_path" in loaded:
            return loaded
    return word


def _walk(value: Any, config: Path | None, key: str = "", owner: str = "") -> Iterator[Written]:
    if isinstance(value, list) and any(isinstance(entry, dict) for entry in value):
        for entry in value:
            yield from _walk(entry, config, key, owner)
    elif isinstance(value, dict):
        if "class_path" in value:
            yield Written(key, value["class_path"], owner, config)
            owner = str(value["class_path"]).rpartition(".")[2]
            arguments = {name: given for name, given in value.items() if name != "class_path"}
        else:
            arguments = value
            if key:
                yield Written(key, value, owner, config)
        for name, given in arguments.items():
            if name in ("init_args", "dict_kwargs") and isinstance(given, dict):
                for inner, deeper in given.items():
                    yield from _walk(deeper, config, f"{key}.{inner}", owner)
            else:
                yield from _walk(given, config, f"{key}.{name}".lstrip("."), owner)
    else:
        yield Written(key, value, owner, config)


def _plain(option: str) -> str:
    return ".".join(part for part in option.split(".") if part not in ("init_args", "dict_kwargs"))

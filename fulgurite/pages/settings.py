"""What a run's configuration says otherwise than the experiment that ships, or than a default where that is silent."""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser, Namespace
from lightning.pytorch import Trainer

import datamodules  # noqa: F401  # the classes that a configuration of ours names
import lightning_models  # noqa: F401
from callbacks import Checkpoints, WandbRun
from datamodules.errors import InputError
from fulgurite import experiment_files
from fulgurite.runs import CONFIG
from fulgurite.trust import ALLOWED
from fulgurite.written_form import as_yaml
from fulgurite.yaml_file import read_yaml

NOWHERE = "–"
OF_THIS_RUN = ("run", "ckpt_path", "trust", "config", "wandb.mode", "trainer.default_root_dir")
"""Keys that say where and for whom, not what is trained."""
GROUPS: dict[str, type] = {"trainer": Trainer, "checkpoints": Checkpoints, "wandb": WandbRun}


@dataclass(frozen=True)
class Difference:
    """A key that has another value than the experiment gives it.

    Attributes:
        key: dotted, without ``init_args``.
        here: its value in this run.
        there: its value in the experiment, or the default of the class; ``–`` where neither has one.
        is_default: whether ``there`` is the default, since the experiment does not name the key.
    """

    key: str
    here: str
    there: str
    is_default: bool


@dataclass(frozen=True)
class Configuration:
    """The configuration of a run.

    Attributes:
        text: the whole file.
        experiment: name of the experiment that it was begun from.
        ships: whether there is one of that name.
        differences: from it.
    """

    text: str
    experiment: str
    ships: bool
    differences: list[Difference]


def differences(config: Mapping[str, Any], shipped: Mapping[str, Any]) -> list[Difference]:
    """Return what differs, in the order of the configuration.

    Args:
        config: of the run, with every key written out.
        shipped: of the experiment; keys that it does not name have the defaults of their classes.
    """
    here, there = flat(config), flat(shipped)
    defaults = _defaults(config)
    found = []
    for key, value in here.items():
        named = key in there
        other = there[key] if named else defaults.get(key, NOWHERE)
        if not lies_below(key, OF_THIS_RUN) and not _same(value, other):
            found.append(Difference(key, as_text(value), as_text(other), not named and other != NOWHERE))
    for key, value in there.items():
        if key not in here and not lies_below(key, OF_THIS_RUN):
            found.append(Difference(key, NOWHERE, as_text(value), False))
    return found


def as_text(value: Any) -> str:
    """Return a value as YAML writes it in one line."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(as_text, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {as_text(one)}' for key, one in value.items())}}}"
    return as_yaml(value)


def flat(value: Any, key: str = "") -> dict[str, Any]:
    """Return every value by its dotted key; an entry of a list of classes has the class's name in the key."""
    if isinstance(value, Mapping):
        found: dict[str, Any] = {}
        if isinstance(path := value.get("class_path"), str):
            found[key] = path.rpartition(".")[2]
        for name, inner in value.items():
            if name in ("init_args", "dict_kwargs"):
                found |= flat(inner, key) if inner else {}
            elif name != "class_path":
                found |= flat(inner, f"{key}.{name}".lstrip("."))
        return found
    if isinstance(value, list) and value and all(isinstance(one, Mapping) and "class_path" in one for one in value):
        return {inner: given for one in value for inner, given in flat(one, f"{key}.{_class_name(one)}").items()}
    return {key: value}


def _class_name(value: Mapping[str, Any]) -> str:
    return str(value["class_path"]).rpartition(".")[2]


def _defaults(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the defaults of the classes that a configuration names, as far as they are imported: none is for this."""
    found: dict[str, Any] = {}
    for key, kind in GROUPS.items():
        found |= _of_class(kind, key)

    def walk(value: Any, key: str) -> None:
        if isinstance(value, list):
            for one in value:
                walk(one, f"{key}.{_class_name(one)}" if isinstance(one, Mapping) and "class_path" in one else key)
        elif isinstance(value, Mapping):
            if isinstance(path := value.get("class_path"), str) and path.startswith(
                tuple(f"{one}." for one in ALLOWED)
            ):
                module, _, name = path.rpartition(".")
                kind = getattr(sys.modules.get(module), name, None)
                found.update(_of_class(kind, key) if isinstance(kind, type) else {})
            for name, inner in value.items():
                walk(inner, key if name in ("init_args", "dict_kwargs") else f"{key}.{name}".lstrip("."))

    walk(config, "")
    return found


def _of_class(kind: type, key: str) -> dict[str, Any]:
    parser = ArgumentParser()
    parser.add_class_arguments(kind, fail_untyped=False)
    defaults = parser.get_defaults()
    return flat(defaults.as_dict() if isinstance(defaults, Namespace) else {}, key)


def _same(one: Any, other: Any) -> bool:
    one, other = (list(value) if isinstance(value, tuple) else value for value in (one, other))
    return (isinstance(one, bool) == isinstance(other, bool) and bool(one == other)) or as_text(one) == as_text(other)


def lies_below(key: str, groups: Iterable[str]) -> bool:
    """Tell whether a dotted key is one of ``groups`` or lies below one."""
    return any(key == one or key.startswith(f"{one}.") for one in groups)


def shipped_name(config: Mapping[str, Any], run: Path) -> str:
    """Return the name of the experiment that a run was begun from: what its configuration says, else its folder's."""
    section = config.get("run")
    named = section.get("experiment") if isinstance(section, Mapping) else None
    return named if isinstance(named, str) and named else run.parent.name


def read_settings(path: Path) -> dict[str, Any]:
    """Return what the ``config.yaml`` of a run holds.

    Raises:
        InputError: if it is no configuration.
    """
    try:
        config = read_yaml(path)
    except InputError as problem:
        raise InputError(f"{path} is damaged: {str(problem).partition(f'{path}')[2].lstrip(',: ')}") from None
    if not isinstance(config, dict):
        raise InputError(f"{path} is damaged: expected lines of 'key: value'")
    return config


def read_configuration(run: Path) -> Configuration | None:
    """Return the configuration of a run, None where there is none.

    Raises:
        InputError: if it is no configuration.
    """
    path = run / CONFIG
    if not path.is_file():
        return None
    config = read_settings(path)
    name = shipped_name(config, run)
    shipped = experiment_files.find(name)
    found = differences(config, read_yaml(shipped)) if shipped else []
    return Configuration(path.read_text(encoding="utf-8"), name, shipped is not None, found)

"""A space as it is written down: found by its name, read, and refused where something in it has no meaning."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from datamodules.errors import InputError
from datamodules.listing import why_no_file
from fulgurite.batches.plan import typed
from fulgurite.experiment_files import find, spaces
from fulgurite.sweeps.chosen import PRUNERS, SAMPLERS, chosen
from fulgurite.sweeps.parameter import Parameter, read_parameter
from fulgurite.sweeps.space import Space
from fulgurite.yaml_file import read_yaml

KEYS = ("experiment", "configs", "set", "objective", "direction", "search", "sampler", "pruner", "seed", "trials")
DIRECTIONS = ("maximize", "minimize")


def find_space(word: str) -> Path:
    """Return the file of a space: a path, or the name of an experiment that has one.

    Raises:
        InputError: if there is none.
    """
    path = Path(word)
    if path.suffix or path.is_file():
        if not path.is_file():
            raise InputError(f"{word}: {why_no_file(path)}. Give a YAML file, or one of {', '.join(spaces())}")
        return path
    found = find(f"sweeps/{word}")
    if found is None:
        raise InputError(f"{word}: there is no space of this name. Give a YAML file, or one of {', '.join(spaces())}")
    return found


def read_space(path: Path, typed_settings: Mapping[str, Any], configs: Sequence[str] = ()) -> Space:
    """Return the space that a file describes.

    Args:
        path: the file.
        typed_settings: value by key for all trials; they win over those of the file.
        configs: overlays behind those of the file.

    Raises:
        InputError: if something in it has no meaning, or a setting is both fixed and searched.
    """
    found = read_yaml(path)
    if not isinstance(found, dict) or "search" not in found:
        raise InputError(f"{path}: this is no space, it has no search; docs/sweeps.md shows one")
    if unknown := sorted(map(str, found.keys() - set(KEYS))):
        raise InputError(f"{path}: a space has no {', '.join(unknown)}; it has {', '.join(KEYS)}")
    for key, kind in (("experiment", str), ("objective", str), ("search", dict)):
        if not isinstance(found.get(key), kind) or not found[key]:
            raise InputError(f"{path}: {key} = {found.get(key)}: give a {'mapping' if kind is dict else 'name'}")
    for key, empty, form in (("configs", [], "list"), ("set", {}, "mapping")):
        if not isinstance(found.get(key, empty), type(empty)):
            raise InputError(f"{path}: {key} = {found[key]}: give a {form}")
    parameters: dict[str, Parameter] = {}
    for key, entry in found["search"].items():
        parameters[str(key)] = read_parameter(str(key), entry, parameters, str(path))
    fixed = {str(key): value for key, value in found.get("set", {}).items()} | dict(typed_settings)
    if both := [key for key in fixed if key in parameters]:
        raise InputError(f"{both[0]} = {typed(fixed[both[0]])}: {path} searches it; remove one of the two")
    _check_objective(str(path), found["objective"], found.get("direction"))
    for key, least in (("seed", 0), ("trials", 1)):
        value = found.get(key, least)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise InputError(f"{path}: {key} = {value}: give a whole number of at least {least}")
    return Space(
        name=f"{path.stem}_sweep",
        experiment=found["experiment"],
        configs=(*map(str, found.get("configs", [])), *configs),
        fixed=fixed,
        objective=found["objective"],
        direction=found.get("direction"),
        parameters=tuple(parameters.values()),
        sampler=chosen(found.get("sampler", "tpe"), SAMPLERS, f"{path}: sampler"),
        pruner=chosen(found.get("pruner", "median"), PRUNERS, f"{path}: pruner"),
        seed=found.get("seed", 0),
        trials=found.get("trials", 20),
    )


def _check_objective(place: str, objective: str, direction: Any) -> None:
    if objective.startswith("test/"):
        raise InputError(
            f"{place}: objective = {objective}: a search that looks at the test leaves nothing to test its result on; "
            f"name a metric of the validations, such as val/{objective.removeprefix('test/')}"
        )
    if not objective.startswith("val/"):
        raise InputError(f"{place}: objective = {objective}: name a metric of the validations; it begins with val/")
    if direction not in (None, *DIRECTIONS):
        raise InputError(f"{place}: direction = {direction}: give {' or '.join(DIRECTIONS)}")

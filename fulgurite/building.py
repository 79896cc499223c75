"""What a configuration may build, and how the error of a constructor reaches the user."""

import inspect
from collections.abc import Callable, Iterator
from enum import Enum
from os import PathLike
from pydoc import locate
from typing import Any

from jsonargparse import ArgumentParser, Namespace
from lightning.pytorch import LightningDataModule, LightningModule
from lightning.pytorch.cli import LightningCLI

from datamodules.errors import InputError
from fulgurite.constructor_errors import told
from fulgurite.given import Given
from fulgurite.private_api import constructor

Build = Callable[..., Any]


def refuse_functions(config: object, key: str = "", owner: type | None = None) -> None:
    """Refuse a configuration that names a function: a class can only be built, a function does anything.

    Args:
        config: What was parsed, or a part of it.
        key: Its dotted key.
        owner: The class whose arguments these are; a function that is its own default was not named by anybody.

    Raises:
        InputError: If there is one.
    """
    if isinstance(config, Namespace) and "class_path" in config:
        kind = locate(config["class_path"])
        if not isinstance(kind, type):
            raise InputError(
                f"{key} = {config['class_path']}: this is no class, and a configuration may name nothing else"
            )
        refuse_functions(config.get("init_args"), key, kind)
    elif isinstance(config, Namespace | dict):
        for name, value in vars(config).items() if isinstance(config, Namespace) else config.items():
            if not (owner and any(value is default for default in _defaults(owner, name))):
                refuse_functions(value, f"{key}.{name}".removeprefix("."))
    elif isinstance(config, list | tuple):
        for value in config:
            refuse_functions(value, key)
    elif callable(config) and not isinstance(config, type | PathLike):  # jsonargparse's paths can be called
        name = getattr(config, "__qualname__", type(config).__name__)
        raise InputError(f"{key} = {name}: this is a function, and a configuration may name classes only")


def write_out_enums(config: object) -> None:
    """Put the text in the place of every enumeration's member that is a text, such as Lightning's ``Interval.step``.

    A class may have one for a default where its argument is a text, and YAML has no way to write it.
    """
    entries: Any = vars(config).items() if isinstance(config, Namespace) else ()
    entries = config.items() if isinstance(config, dict) else entries
    entries = enumerate(config) if isinstance(config, list) else entries
    for key, value in list(entries):
        if isinstance(value, Enum) and isinstance(value, str):
            config[key] = str(value.value)  # type: ignore[index]  # one of the three
        else:
            write_out_enums(value)


def _defaults(owner: type, name: str) -> Iterator[object]:
    """Yield the defaults of the argument ``name`` in ``owner`` and the classes it is derived from."""
    for base in owner.__mro__[:-1]:
        if "__init__" in vars(base) and name in (given := inspect.signature(vars(base)["__init__"]).parameters):
            yield given[name].default


def build(parser: ArgumentParser, config: Namespace, cli: LightningCLI, written: Given) -> Namespace:
    """Build the objects of ``config``; the error of a constructor reaches the user as ``constructor_errors`` has it.

    jsonargparse takes every ValueError for a value that does not fit, and raises one of its own. What it leaves for
    later, as the optimizers that a model makes of its parameters, is built by the same constructors.
    """
    first: list[Exception] = []

    def watched(construct: Build) -> Build:
        # jsonargparse finds the argument by its name and passes the links on to it
        def remember(kind: type, /, *args: Any, applied_instantiation_links: dict[str, Any], **given: Any) -> Any:
            try:
                return construct(kind, *args, applied_instantiation_links=applied_instantiation_links, **given)
            except Exception as problem:
                first.append(told(problem, kind, given, config[str(cli.subcommand)], written))
                if first[-1] is problem:
                    raise
                raise first[-1] from problem

        return remember

    constructors = [
        (watched(constructor(cli, "model")), LightningModule, True),
        (watched(constructor(cli, "data")), LightningDataModule, True),
        (watched(_plainly), object, True),
    ]
    try:
        return parser.instantiate(config, instantiators=constructors)
    except ValueError as buried:
        raise (first[0] if first else buried) from None


def _plainly(kind: type, /, *args: Any, applied_instantiation_links: dict[str, Any], **given: Any) -> Any:
    return kind(*args, **given)

"""Whose classes a configuration may name: a YAML file is data, and must not be able to run a program.

Always this project's own and the parts of torch and Lightning in ``ALLOWED``. Further packages are added by those who
may decide it: by installing one that declares the entry point group ``fulgurite``, by ``--trust my_package``, or by
``trust: [my_package]`` in the YAML of a run. A file can name what is installed only: with a package in the working
directory it could bring its own program along. A checkpoint is never asked.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from jsonargparse import set_parsing_settings

from datamodules.errors import InputError
from fulgurite import plugins
from fulgurite.words import options

OURS = ("lightning_models", "callbacks", "datamodules")
ALLOWED = (
    *OURS,
    *("torch.nn", "torch.optim"),
    *(f"lightning.pytorch.{part}" for part in ("callbacks", "loggers", "plugins", "profilers", "strategies")),
)
"""What a configuration may name without being asked; each entry stands for all below it."""

_added: list[str] = []  # the settings of jsonargparse are those of the process, and so is this


def separate_trust(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the arguments without ``--trust PACKAGE`` (or ``=``, repeatable), and the packages.

    Raises:
        InputError: If a package is missing behind it.
    """
    rest: list[str] = []
    packages: list[str] = []
    for option, package, used in options(words):
        if option != "--trust":
            rest += used
        elif not package or package.startswith("-"):
            raise InputError("--trust: a value is missing; write --trust my_package")
        else:
            packages.append(package)
    return rest, packages


def trust(packages: Iterable[str], configs: Mapping[Path, Mapping[str, Any]]) -> list[str]:
    """Import the packages that may be named, allow their classes and no others, and return those the user named.

    They are imported here, since a short class name (``class_path: MyModel``) is that of an imported class.

    Args:
        packages: Named by ``--trust``; one that is not installed is looked for in the working directory.
        configs: The configurations of the run by their file; each may hold ``trust``, a list of packages.

    Raises:
        InputError: If a package cannot be trusted or is not there.
    """
    named: dict[str, str] = {}
    for package in packages:
        named[package] = f"--trust {package}"
        _check(package, named[package])
        if find_spec(package) is None:
            _look_here_too()
        if find_spec(package) is None:
            raise InputError(f"--trust {package}: there is no such package, neither installed nor in {Path.cwd()}")
    for path, config in configs.items():
        listed = config.get("trust") or []
        if not isinstance(listed, list):
            raise InputError(f"trust = {listed} (in {path}): expected a list; write trust: [{listed}]")
        for package in map(str, listed):
            where = named.setdefault(package, f"trust: [{package}] (in {path})")
            _check(package, where)
            if find_spec(package) is None:
                raise InputError(f"{where}: it is not installed. If it lies in {Path.cwd()}, add --trust {package}")
    added = {package: f"the installed package {source}" for package, source in plugins.packages().items()} | named
    for package, where in added.items():
        _import(package, where)
    earlier = [package for package in _added if package not in ALLOWED]
    _added[:] = added
    set_parsing_settings(
        config_read_mode_fsspec_enabled=False,
        unset_sentinel=True,  # null is a value that somebody wrote
        instantiate_subclass_spec_in_any=False,  # an argument of any type takes what is written, and builds nothing
        import_path_denylist=["*", *earlier],
        import_path_allowlist=[*ALLOWED, *_added],
    )
    return list(named)


def trusted() -> tuple[str, ...]:
    """Return the packages whose models, data modules and callbacks may be named: ours, and those that were added."""
    return (*OURS, *_added)


def why_not(name: str) -> str:
    """Return why the class path ``name`` is refused, and what to do about it."""
    package = name.partition(".")[0]
    if package in {name.partition(".")[0] for name in ALLOWED} or package in sys.stdlib_module_names:
        return "a configuration may not name this"
    return (
        f"the package {package} is not trusted. If it is yours, add --trust {package}, "
        f"or, where it is installed, trust: [{package}] to the YAML"
    )


def _check(package: str, where: str) -> None:
    if not package.isidentifier():
        raise InputError(f"{where}: this is not the name of a package, e.g. my_package")
    if package in sys.stdlib_module_names or package == "jsonargparse":
        raise InputError(f"{where}: {package} can run any program; trust a package of models, data or callbacks")


def _look_here_too() -> None:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)  # behind everything else: it replaces nothing


def _import(package: str, where: str) -> None:
    try:
        import_module(package)
    except ModuleNotFoundError as problem:
        raise InputError(f"{where}: it cannot be imported ({problem}). Install what it needs, or remove it") from None

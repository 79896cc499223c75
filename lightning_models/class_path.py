"""Classes by name, as YAML files and checkpoints hold them: ``{"class_path": "...", "init_args": {...}}``.

A checkpoint is data and must not be able to run a program: nothing is imported on its word. What it names has to be
there already, and of the kind that is wanted.
"""

import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from datamodules.errors import InputError


def named(make: object) -> object:
    """Return a class, or a ``functools.partial`` of one without positional arguments, by its name.

    Anything else, such as a number, a mapping or a function, is returned as it is.
    """
    kind, arguments = (make.func, make.keywords) if isinstance(make, partial) and not make.args else (make, {})
    if not isinstance(kind, type):
        return make
    found = {"class_path": f"{kind.__module__}.{kind.__qualname__}"}
    return {**found, "init_args": {name: named(value) for name, value in arguments.items()}} if arguments else found


def as_factory(make: Callable[..., Any] | Mapping[str, Any] | str, kind: type) -> Callable[..., Any]:
    """Return what makes objects of a class: ``make``, or what a checkpoint's mapping or path in its place stands for.

    Raises:
        InputError: it names nothing that was imported, or no class of that kind.
    """
    if isinstance(make, str):
        make = {"class_path": make}
    if not isinstance(make, Mapping):
        return make
    module, _, name = str(make.get("class_path")).rpartition(".")
    found = getattr(sys.modules.get(module), name, None)
    if not (isinstance(found, type) and issubclass(found, kind)):
        raise InputError(
            f"{make.get('class_path')} is no {kind.__name__} that was imported: import it before the checkpoint is "
            "loaded, or name another class"
        )
    arguments: dict[str, Any] = make.get("init_args") or {}
    return partial(found, **arguments)

"""What a model and its data must agree on is written once: the side that the user has not written takes the other's.

A model's class declares it in ``shared_with_data``. Where both are written they are left as they are, and the model
refuses data that differ; where neither is, the data take the model's default.
"""

import inspect
import json
import sys
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import Any

from lightning.pytorch import LightningDataModule, LightningModule

from datamodules.protocols import SharesArguments
from fulgurite.class_names import subclasses
from fulgurite.given import Given
from fulgurite.trust import trusted
from lightning_models.training.shared_with_data import as_pair


def shared_words(given: Given) -> Iterator[str]:
    """Yield the options that the user might have written too: ``--model.image_size=64`` for his ``data.image_size``."""
    model, data = _chosen(given, "model", LightningModule), _chosen(given, "data", LightningDataModule)
    if model is None or data is None:
        return
    own_defaults, their_defaults = _defaults(model), _defaults(data)
    shared = model.shared_with_data if isinstance(model, SharesArguments) else {}  # the class itself has it
    for own, theirs in shared.items():
        if theirs not in their_defaults:
            continue
        of_model = given.find(f"model.{own}", model.__name__)
        of_data = given.find(f"data.{theirs}", data.__name__)
        if of_data is None:
            yield f"--data.{theirs}={_word(of_model.value if of_model else own_defaults[own])}"
        elif of_model is None and _fits(of_data.value, own_defaults[own]):
            yield f"--model.{own}={_word(as_pair(_value(of_data.value)))}"


def _chosen(given: Given, key: str, base: type) -> type | None:
    """Return the class that was chosen, None where the parser has yet to say what is wrong with the choice."""
    module, _, name = given.chosen(key).rpartition(".")
    if module:
        found = getattr(_imported(module), name, None)
        return found if isinstance(found, type) else None
    return next((kind for kind in subclasses(base) if kind.__name__ == name), None)


def _imported(module: str) -> ModuleType | None:
    """Return a module of a package that may be named, imported here, or one that is there."""
    if module.partition(".")[0] in trusted():
        try:
            return import_module(module)
        except ImportError:
            return None
    return sys.modules.get(module)


def _defaults(kind: type) -> dict[str, Any]:
    """Return the arguments of a class, and of those it is derived from, with their defaults."""
    found: dict[str, Any] = {}
    for base in reversed(kind.__mro__[:-1]):
        if "__init__" in vars(base):
            found |= {name: one.default for name, one in inspect.signature(vars(base)["__init__"]).parameters.items()}
    return found


def _fits(value: Any, default: Any) -> bool:
    """Whether a model can take it: height and width that differ are nothing for one that has a single number."""
    return not isinstance(as_pair(_value(value)), tuple) or isinstance(default, list | tuple)


def _value(written: Any) -> Any:
    """Return what a word of the command line says; values of files are that already."""
    if not isinstance(written, str):
        return written
    try:
        return json.loads(written)
    except ValueError:
        return written


def _word(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)

"""Classes that a configuration may name where it names none of them, and the arguments that a class has."""

import inspect
import re
import sys
from collections.abc import Iterator
from difflib import get_close_matches

from jsonargparse import ArgumentParser
from lightning.pytorch import Callback, LightningDataModule, LightningModule
from lightning.pytorch.loggers import Logger

from fulgurite.trust import trusted

BASES: dict[str, type] = {
    "model": LightningModule,
    "data": LightningDataModule,
    "trainer.callbacks": Callback,
    "trainer.logger": Logger,
}
"""Keys whose value is a class, with what the class has to be."""


def arguments_of(path: str) -> list[str]:
    """Return the names of a class's arguments, none where its path leads to none."""
    module, _, name = path.rpartition(".")
    found = getattr(sys.modules.get(module), name, None)
    if not isinstance(found, type):
        return []
    added: list[str] = ArgumentParser().add_class_arguments(found, fail_untyped=False)
    return added


def unknown_class(key: str, name: str, why: str, tried: str = "") -> str:
    """Return the sentence for a name that leads to no class, or to one that may not be named.

    Args:
        key: where it stands.
        name: what stands there.
        why: what is wrong with it.
        tried: what jsonargparse says of the types that it has tried.
    """
    if name in ("lightning.LightningModule", "lightning.LightningDataModule"):  # the place-holders before a choice
        return f"{key}: no class is chosen yet where its option stands; write --config before --{key}.…"
    module, _, stem = name.rpartition(".")
    public = inspect.getmembers(sys.modules.get(module), inspect.isclass)
    beside = {member: f"{module}.{member}" for member, _ in public if not member.startswith("_")}
    bases = [BASES[key]] if key in BASES else [*kinds(tried)]
    found = (c for base in bases for c in subclasses(base)) if bases else _defined_in_trusted()
    names = {c.__name__: c.__name__ for c in found}
    near = get_close_matches(stem, {key: one for key, one in {**beside, **names}.items() if one != name}, n=1)
    if near:
        return f"{key} = {name}: {why}. Did you mean '{ {**beside, **names}[near[0]] }'?"
    return f"{key} = {name}: {why}. {choices(key)}"


def choices(key: str) -> str:
    """Return the sentence with the classes that can stand at a key."""
    if key not in BASES:
        return "A configuration may name classes of this project, of torch.nn and torch.optim, and of trusted packages"
    exported = [vars(sys.modules[package]) for package in trusted()]
    ours = sorted({c.__name__ for c in subclasses(BASES[key]) if any(c.__name__ in names for names in exported)})
    lightnings = " or a class of Lightning" if key.startswith("trainer.") else ""
    return f"Choose one of: {', '.join(ours)}{lightnings}; classes of your own need --trust PACKAGE"


def subclasses(base: type) -> Iterator[type]:
    """Yield the classes derived from ``base`` that can be built and are public."""
    children: list[type] = base.__subclasses__()
    for child in children:
        if not child.__name__.startswith("_") and not inspect.isabstract(child):
            yield child
        yield from subclasses(child)


def kinds(text: str) -> Iterator[type]:
    """Yield the classes that jsonargparse says it has tried, as far as a configuration may name those below them."""
    packages = ("lightning", *trusted())
    for path in re.findall(r"(?:\w+\.)+[A-Z]\w*", "".join(re.findall(r"Subtypes: .*|Type .* expects", text))):
        module, _, name = path.rpartition(".")
        found = getattr(sys.modules.get(module), name, None)
        if isinstance(found, type) and (module.startswith("torch.optim") or module.partition(".")[0] in packages):
            yield found


def _defined_in_trusted() -> Iterator[type]:
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in trusted():
            yield from (kind for _, kind in inspect.getmembers(module, inspect.isclass) if kind.__module__ == name)

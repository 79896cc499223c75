"""What the user is told where a class that a configuration names cannot be built: the key, the class, what it said."""

import dis
from collections.abc import Iterator, Mapping
from pydoc import locate
from types import TracebackType
from typing import Any

from jsonargparse import Namespace
from lightning.fabric.utilities.exceptions import MisconfigurationException

from datamodules.errors import InputError
from fulgurite.errors import lacks_memory, one_line
from fulgurite.given import Given

LIBRARIES = ("torch", "lightning")
"""A constructor of theirs that fails was given what it cannot take, however it says so."""


def told(problem: Exception, kind: type, given: Mapping[str, Any], config: Namespace, written: Given) -> Exception:
    """Return the error that reaches the user: one of input where a value is to blame, otherwise the problem itself.

    A value is to blame where the class says so itself (InputError, a ValueError that its own code raises), where it is
    a class of torch or Lightning, and where there is not enough memory for it. Anything else is a defect of the class.

    Args:
        problem: what was raised while ``kind`` was built.
        kind: the class.
        given: the arguments it was given.
        config: what was parsed.
        written: what of it the user wrote.
    """
    key = next(_keys(config, kind, given), "")
    name = f"{key} = {kind.__name__}" if key else kind.__name__
    if isinstance(problem, InputError):
        said = str(problem)
        return problem if kind.__name__ in said or (key and f"{key}." in said) else InputError(f"{name}: {said}")
    below = f"what is written below {key}" if key else "its arguments"
    if lacks_memory(problem):
        return InputError(f"{name}: there is not enough memory for it ({one_line(problem)}). Make {below} smaller")
    if _is_too_large(problem):
        return InputError(f"{name}{_shown(written, key, kind, given)}: a number is too large. Correct {below}")
    refused = isinstance(problem, ValueError | MisconfigurationException) and _raised_by(kind, problem.__traceback__)
    if not (refused or kind.__module__.partition(".")[0] in LIBRARIES):
        return problem
    return InputError(f"{name}{_shown(written, key, kind, given)}: {one_line(problem)}. Correct {below}")


def _shown(written: Given, key: str, kind: type, given: Mapping[str, Any]) -> str:
    """Return what the user wrote of the arguments of a class, for the message."""
    entries = {argument: written.find(f"{key}.{argument}", kind.__name__) for argument in given}
    shown = ", ".join(f"{argument}{entry}" for argument, entry in entries.items() if entry)
    return shown and f" with {shown}"


def _is_too_large(problem: Exception) -> bool:
    """Whether a number has more than 64 bits, or is infinite where a whole one is made of it."""
    return isinstance(problem, OverflowError) or (isinstance(problem, TypeError) and "Overflow when un" in str(problem))


def _keys(config: Any, kind: type, given: Mapping[str, Any], key: str = "") -> Iterator[str]:
    """Yield the keys of ``config`` at which an object of the class ``kind`` is built of the arguments ``given``."""
    if isinstance(config, list | tuple):
        for entry in config:
            yield from _keys(entry, kind, given, key)
    elif isinstance(config, Namespace | dict):
        entries = _entries(config)
        if "class_path" in entries:
            arguments = _entries(entries.get("init_args") or {})
            built = locate(entries["class_path"])
        else:  # a group of keys is a class, too
            arguments = entries
            built = kind if key and entries.keys() == given.keys() else None
        if built is kind and _same(arguments, given):
            yield key
        for name, value in arguments.items():
            yield from _keys(value, kind, given, f"{key}.{name}".removeprefix("."))


def _entries(config: Namespace | dict[str, Any]) -> dict[str, Any]:
    return vars(config) if isinstance(config, Namespace) else config


def _same(arguments: Mapping[str, Any], given: Mapping[str, Any]) -> bool:
    """Whether the plain values among the arguments are those that were given; classes have been built meanwhile."""
    plain = {name: value for name, value in arguments.items() if _is_plain(value)}
    return all(name in given and repr(given[name]) == repr(value) for name, value in plain.items())


def _is_plain(value: object) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, int | float | str)


def _raised_by(kind: type, traceback: TracebackType | None) -> bool:
    """Whether an error was raised by a statement of the class itself or one that it is derived from, not met by it."""
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    if traceback is None:
        return False
    code = traceback.tb_frame.f_code
    place = f"{traceback.tb_frame.f_globals.get('__name__')}.{code.co_qualname.rpartition('.')[0]}"
    own = {f"{base.__module__}.{base.__qualname__}" for base in kind.__mro__}
    return place in own and code.co_code[traceback.tb_lasti] == dis.opmap["RAISE_VARARGS"]

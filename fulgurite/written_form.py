"""What a configuration looks like, whatever it configures: its options are texts, a class has a name and arguments."""

from typing import Any, NoReturn

from datamodules.errors import InputError
from fulgurite.refuse import shortened

LONGEST_TEXT = 4096  # characters; no path on Linux has more
ARGUMENTS = ("init_args", "dict_kwargs")
OF_A_CLASS = ("class_path", *ARGUMENTS)


def check_form(value: Any, place: str, key: str = "", options: bool = True) -> None:
    """Refuse what no key can have, and a class whose name is no text or whose arguments are no mapping.

    Args:
        value: what was written.
        place: where, for the message: `` (in a.yaml)``.
        key: its dotted key, without ``init_args``.
        options: whether a mapping here has options for its keys, and not what an argument of a class makes of them.

    Raises:
        InputError: naming the key, the value and what to write.
    """
    if isinstance(value, str):
        _check_text(value, place, key)
    elif isinstance(value, list):
        for entry in value:
            check_form(entry, place, key, options=False)
    elif isinstance(value, dict):
        of_class = any(name in OF_A_CLASS for name in value)
        for name, inner in value.items():
            if options or of_class:
                _check_option(name, place, key)
            here = f"{key}.{name}".lstrip(".")
            if name == "class_path" and not isinstance(inner, str):
                _refuse(here, inner, place, "the name of a class")
            if name in ARGUMENTS and not isinstance(inner, dict):
                _refuse(here, inner, place, "a mapping; write the arguments of the class below it, indented")
            if of_class and name not in OF_A_CLASS:
                raise InputError(f"{here}{place} stands beside {key}.init_args; write it below that, or remove it")
            check_form(inner, place, key if name in ARGUMENTS else here, options=not key or name in ARGUMENTS)


def as_yaml(value: object) -> str:
    """Return a plain value as a configuration has it: ``null``, ``true``, ``false``."""
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _check_text(text: str, place: str, key: str) -> None:
    if "\0" in text:
        raise InputError(f"{key} = {shortened(text)!r}{place}: a text with the character 0 names nothing; remove it")
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise InputError(f"{key} = {shortened(text)!r}{place}: this is no text in UTF-8; write another")
    if len(text) > LONGEST_TEXT:
        raise InputError(
            f"{key} = {shortened(text)}{place}: a text has at most {LONGEST_TEXT} characters; give a shorter one"
        )


def _check_option(name: Any, place: str, key: str) -> None:
    if not isinstance(name, str) or not name:
        shown = "an empty text" if name == "" else as_yaml(name)
        raise InputError(
            f"{shown}{place} stands where {key or 'the file'} has an option: its name is a text; correct it"
        )
    _check_text(name, place, f"an option{key and f' of {key}'}")


def _refuse(key: str, value: Any, place: str, wanted: str) -> NoReturn:
    raise InputError(f"{key} = {shortened(as_yaml(value))}{place}: expected {wanted}")

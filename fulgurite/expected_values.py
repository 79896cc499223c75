"""What a value should have been, by what jsonargparse says it has tried."""

import ast
import re
from dataclasses import is_dataclass
from difflib import get_close_matches
from inspect import isabstract

from fulgurite.class_names import kinds, subclasses

TYPES = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "a text",
    "NoneType": "null",
    "list": "a list, e.g. [1, 2]",
    "tuple": "a list, e.g. [1, 2]",
    "Iterable": "a list, e.g. [1, 2]",
    "dict": "a mapping, e.g. {a: 1}",
}


def expected(tried: str) -> str:
    """Return what can stand there, as words."""
    words: list[str] = []
    for found in re.findall(r"Expected an? (?!path but|dot import|import path)(.+?)(?:\. *$|\n|$)", tried):
        literal = re.match(r"typing\.Literal(\[.*\])", found)
        name = re.match(r"<class '(?:.*\.)?([^'.]+)'>", found)
        if literal:
            words += [str(option) for option in ast.literal_eval(literal[1])]
        elif name:
            words.append(TYPES.get(name[1], name[1]))
        else:
            words.append(f"a {found}")
    wants_class = any(words in tried for words in ("Not a valid subclass", "Expected a dot import", "callable class"))
    for kind in kinds(tried) if wants_class else ():
        words += ["a mapping"] if is_dataclass(kind) and not isabstract(kind) else _names(kind)
    unique = list(dict.fromkeys(words))
    return " or ".join([", ".join(unique[:-1]), unique[-1]] if len(unique) > 1 else unique) or "another value"


def _names(kind: type) -> list[str]:
    """Return the names of the classes that can stand where one of this kind has to."""
    names = sorted({one.__name__ for one in subclasses(kind)})
    return ["a class of Lightning"] if kind.__module__.startswith("lightning.") else names


def meant(value: str, tried: str) -> str:
    """Return the question for the option or class whose name is near to a value, empty where none is."""
    options = [str(o) for found in re.findall(r"Literal(\[.*?\])", tried) for o in ast.literal_eval(found)]
    if value == "null":
        return ""
    near = get_close_matches(value, [*options, *(name for kind in kinds(tried) for name in _names(kind))], n=1)
    return f" Did you mean '{near[0]}'?" if near else ""

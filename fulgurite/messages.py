"""What is wrong with a command line or a configuration, in one sentence: the key, the value, the remedy.

jsonargparse reports a mistake as a tree of every type it tried. The functions here pick the leaf that says what
happened and look for the name that was meant.
"""

import ast
import inspect
import re
import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from difflib import get_close_matches

from jsonargparse import ArgumentParser
from lightning.pytorch import Callback, LightningDataModule, LightningModule
from lightning.pytorch.loggers import Logger

from fulgurite.given import Given
from fulgurite.renamed import is_old, tell_new_names
from fulgurite.trust import trusted, why_not

BASES: dict[str, type] = {
    "model": LightningModule,
    "data": LightningDataModule,
    "trainer.callbacks": Callback,
    "trainer.logger": Logger,
}
"""Keys whose value is a class, with what the class has to be."""

TYPES = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "a text",
    "NoneType": "null",
    "list": "a list, e.g. [1, 2]",
    "tuple": "a list, e.g. [1, 2]",
    "dict": "a mapping, e.g. {a: 1}",
}


def explain(message: str, options: Collection[str], given: Given, verb: str) -> str:
    """Return one sentence for what jsonargparse says.

    Args:
        message: Its message.
        options: Every dotted key that the verb accepts.
        given: What the user wrote.
        verb: The verb that runs, for the hint at its help.
    """
    if found := re.match(r"unrecognized arguments: (\S+)", message):
        word = found[1]
        if not word.startswith("-"):
            return f"'{word}' is not an option of lightning {verb}: options begin with --, e.g. --trainer.max_epochs 3"
        return _unknown_option(word.lstrip("-").partition("=")[0], options, given, verb)
    if found := re.search(r"does not accept option '([^']+)'", message):
        return _unknown_option(found[1], options, given, verb)
    if found := re.match(r"argument (\S+): expected .*argument", message):
        return f"{found[1].split('/')[-1]}: a value is missing behind it"
    if found := re.match(r"the following arguments are required: (.*)", message):
        keys = [key.strip().removeprefix(f"{verb}.") for key in found[1].split(",")]
        return f"{' and '.join(keys)}: not given. Name an experiment, e.g. --config vta_gan"
    return _nested(message, given)


def _unknown_option(key: str, options: Collection[str], given: Given, verb: str) -> str:
    if is_old(key):
        return tell_new_names(given)
    parts = key.split(".")
    for depth, part in enumerate(parts):
        prefix = "".join(f"{p}." for p in parts[:depth])
        siblings = {option[len(prefix) :].partition(".")[0] for option in options if option.startswith(prefix)}
        if part not in siblings:
            near = get_close_matches(part, siblings, n=1)
            meant = ".".join([*parts[:depth], *near, *parts[depth + 1 :]])
            hint = f" Did you mean '{meant}'?" if near else ""
            return f"{key}{given.place(key)}: there is no such option.{hint} lightning {verb} --help lists all"
    return f"{key}{given.place(key)}: this option cannot be given here. lightning {verb} --help lists all"


def _nested(message: str, given: Given) -> str:
    key = ".".join(re.findall(r'Parser key "([^"]+)"', message)) or "configuration"
    owners = re.findall(r"(?:given class_path '|class_path=')([^']+)'", message)
    start = max(message.rfind("Problem with given class_path"), message.rfind('Parser key "'), 0)
    leaf = re.split(r"- Not a valid subclass", message[start:])[0]
    if found := re.search(r"(?:Option '|unrecognized arguments: --)([\w.]+)", leaf):
        return _unknown_argument(f"{key}.{found[1]}", owners, given)
    if found := re.search(r"arguments are required: (\S+)", leaf):
        return f"{key}.{found[1]}: not given, and {_short(owners)} needs it. Write it below init_args"
    if found := re.search(r"Multiple subclasses with name (\S+)\. Give .*ambiguity: (.*)\.", leaf):
        return f"{key} = {found[1]}: several classes have this name; write {found[2].replace(', ', ' or ')}"
    if found := re.search(r"Importing '([^']+)' is not allowed", leaf):
        return _unknown_class(key, found[1], why_not(found[1]))
    if name := _class_name(leaf):
        written = given.find(key)  # where a whole module is gone, the name found is the module's
        known = any(is_old(one.rpartition(".")[2]) for one in (name, str(written.value if written else "")))
        return tell_new_names(given) if known else _unknown_class(key, name, "there is no such class here")
    if found := re.search(r"Import path (\S+) does not", leaf):
        return f"{key} = {found[1]}: this class is of another kind. {_choices(key)}"
    value = re.search(r"(?:Got|Given) value: (.*)", leaf)
    if value is None:
        said = re.sub(r'^Parser key "[^"]+":', "", leaf)
        return f"{key}: {' '.join(said.split())}"
    shown = re.sub(r"^NestedArg\(key='[^']*', val=(.*)\)$", r"\1", value[1].partition(". Got value: ")[0])
    written = given.find(key, _short(owners) if owners else "")
    file = f" (in {written.config})" if written and written.config else ""
    expected = _expected(leaf[: value.start()])
    return f"{key} = {shown}{file}: expected {expected}.{_meant(shown, leaf)}"


def _unknown_argument(key: str, owners: Sequence[str], given: Given) -> str:
    owner = _short(owners)
    if is_old(key, owner):
        return tell_new_names(given)
    names = _arguments(owners[-1]) if owners else []
    name = key.rpartition(".")[2]
    near = get_close_matches(name, names, n=1)
    hint = f"Did you mean '{near[0]}'?" if near else f"It has: {', '.join(names)}"
    return f"{key}{given.place(key, owner)}: {owner} has no such option. {hint}"


def _arguments(path: str) -> list[str]:
    module, _, name = path.rpartition(".")
    found = getattr(sys.modules.get(module), name, None)
    if not isinstance(found, type):
        return []
    added: list[str] = ArgumentParser().add_class_arguments(found, fail_untyped=False)
    return added


def _class_name(leaf: str) -> str | None:
    if found := re.search(r"module '([^']+)' has no attribute '([^']+)'", leaf):
        return f"{found[1]}.{found[2]}"
    others = set(re.findall(r"Expected a <class '([^']+)'>", leaf)) - {"NoneType"}
    if (found := re.search(r"Expected a dot import path string: (\S+)", leaf)) and not others:
        return found[1]
    return None


def _unknown_class(key: str, name: str, why: str) -> str:
    if name in ("lightning.LightningModule", "lightning.LightningDataModule"):  # the place-holders before a choice
        return f"{key}: no class is chosen yet where its option stands; write --config before --{key}.…"
    module, _, stem = name.rpartition(".")
    public = inspect.getmembers(sys.modules.get(module), inspect.isclass)
    beside = {member: f"{module}.{member}" for member, _ in public if not member.startswith("_")}
    names = {c.__name__: c.__name__ for c in subclasses(BASES[key])} if key in BASES else {}
    near = get_close_matches(stem, {**beside, **names}, n=1)
    if near:
        return f"{key} = {name}: {why}. Did you mean '{ {**beside, **names}[near[0]] }'?"
    return f"{key} = {name}: {why}. {_choices(key)}"


def _choices(key: str) -> str:
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


def _short(owners: Sequence[str]) -> str:
    return owners[-1].rpartition(".")[2] if owners else "the class"


def _expected(text: str) -> str:
    words: list[str] = []
    for found in re.findall(r"Expected an? (?!path but|dot import)(.+?)(?:\. *$|\n|$)", text):
        literal = re.match(r"typing\.Literal(\[.*\])", found)
        name = re.match(r"<class '(?:.*\.)?([^'.]+)'>", found)
        if literal:
            words += [str(option) for option in ast.literal_eval(literal[1])]
        elif name:
            words.append(TYPES.get(name[1], name[1]))
        else:
            words.append(f"a {found}")
    unique = list(dict.fromkeys(words))
    return " or ".join([", ".join(unique[:-1]), unique[-1]] if len(unique) > 1 else unique) or "another value"


def _meant(value: str, leaf: str) -> str:
    options = [str(o) for text in re.findall(r"Literal(\[.*?\])", leaf) for o in _literal(text)]
    near = get_close_matches(value, options, n=1)
    return f" Did you mean '{near[0]}'?" if near else ""


def _literal(text: str) -> Iterable[object]:
    return list(ast.literal_eval(text))

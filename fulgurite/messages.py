"""What is wrong with a command line or a configuration, in one sentence: the key, the value, the remedy.

jsonargparse reports a mistake as a tree of every type it tried. The functions here pick the leaf that says what
happened and look for the name that was meant.
"""

import ast
import re
from collections.abc import Collection, Sequence
from difflib import get_close_matches
from itertools import takewhile

from fulgurite.class_names import arguments_of, choices, unknown_class
from fulgurite.expected_values import expected, meant
from fulgurite.given import Given
from fulgurite.refuse import shortened
from fulgurite.renamed import is_old, tell_new_names
from fulgurite.trust import why_not
from fulgurite.written_form import as_yaml

SOURCES = {"predict": "a file, or a folder of several", "watch": "a camera, a stream or a file"}
"""What the verbs whose first word is a source take for one."""


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
        if not word.startswith("-") and verb in SOURCES:
            return f"'{word}': lightning {verb} takes one source, which is its first word: {SOURCES[verb]}"
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
    path, leaf = _leaf(message)
    key = ".".join(re.findall(r'Parser key "([^"]+)"', path)) or "configuration"
    owners = re.findall(r"(?:given class_path '|class_path=')([^']+)'", path + leaf)
    if found := re.search(r"(?:Option '|unrecognized arguments: --)([\w.]+)", leaf):
        return _unknown_argument(f"{key}.{found[1]}", owners, given)
    if found := re.search(r"arguments are required: (\S+)", leaf):
        return f"{key}.{found[1]}: not given, and {_short(owners)} needs it. Write it below init_args"
    if found := re.search(r"Multiple subclasses with name (\S+)\. Give .*ambiguity: (.*)\.", leaf):
        return f"{key} = {found[1]}: several classes have this name; write {found[2].replace(', ', ' or ')}"
    if found := re.search(r"Importing '([^']+)' is not allowed", leaf):
        return unknown_class(key, found[1], why_not(found[1]))
    if name := _class_name(leaf):
        written = given.find(key)  # where a whole module is gone, the name found is the module's
        known = any(is_old(one.rpartition(".")[2]) for one in (name, str(written.value if written else "")))
        return tell_new_names(given) if known else unknown_class(key, name, "there is no such class here", leaf)
    if found := re.search(r"Import path (\S+) does not", leaf):
        return f"{key} = {found[1]}: this class is of another kind. {choices(key)}"
    value = re.search(r"(?:Got|Given) value: (.*)", leaf)
    if value is None:
        said = re.sub(r'^Parser key "[^"]+":', "", leaf)
        return f"{key}: {' '.join(said.split())}"
    shown = re.sub(r"^NestedArg\(key='[^']*', val=(.*)\)$", r"\1", value[1].partition(". Got value: ")[0])
    shown = as_yaml(ast.literal_eval(shown)) if shown in ("None", "True", "False") else shown
    written = given.find(key, _short(owners) if owners else "")
    file = f" (in {written.config})" if written and written.config else ""
    tried = leaf[: value.start()]
    if "Namespace(" in shown:  # half of it is parsed already
        return f"{key}{file}: what stands here does not fit; expected {expected(tried)}"
    return f"{key} = {shortened(shown)}{file}: expected {expected(tried)}.{meant(shown, tried)}"


def _leaf(message: str) -> tuple[str, str]:
    """Return the branch of the tree that goes deepest: its heads from the root on, and all that stands below the last.

    The deepest is the type that took most of what was written; others gave up before.
    """
    lines = [line for line in message.splitlines() if line.strip()]
    depth = [len(line) - len(line.lstrip()) for line in lines]
    found = [re.search(r'Parser key "|Problem with given class_path', line) for line in lines]
    heads = [n for n, head in enumerate(found) if head]
    last = max(heads, key=lambda n: (depth[n], n), default=0)
    path = [last]
    for head in reversed([n for n in heads if n < last]):
        path += [head] if depth[head] < depth[path[-1]] else []
    below = takewhile(lambda n: depth[n] > depth[last], range(last + 1, len(lines)))
    start = found[last] if found else None
    first = lines[last][start.start() if start else 0 :]
    return "\n".join(lines[n] for n in reversed(path)), "\n".join([first, *(lines[n] for n in below)])


def _unknown_argument(key: str, owners: Sequence[str], given: Given) -> str:
    owner = _short(owners)
    if is_old(key, owner):
        return tell_new_names(given)
    names = arguments_of(owners[-1]) if owners else []
    name = key.rpartition(".")[2]
    near = get_close_matches(name, names, n=1)
    hint = f"Did you mean '{near[0]}'?" if near else f"It has: {', '.join(names)}"
    return f"{key}{given.place(key, owner)}: {owner} has no such option. {hint}"


def _class_name(leaf: str) -> str | None:
    if found := re.search(r"module '([^']+)' has no attribute '([^']+)'", leaf):
        return f"{found[1]}.{found[2]}"
    others = set(re.findall(r"Expected a <class '([^']+)'>", leaf)) - {"NoneType"}
    if (found := re.search(r"Expected a dot import path string: (\S+)", leaf)) and not others:
        return found[1]
    return None


def _short(owners: Sequence[str]) -> str:
    return owners[-1].rpartition(".")[2] if owners else "the class"

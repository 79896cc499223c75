"""How a configuration is read: what YAML would settle in silence, or never come to an end with, is refused."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from datamodules.errors import InputError

LARGEST_FILE = 1 << 20  # bytes; the longest shipped configuration has 8 thousand
MOST_VALUES = 100_000  # with every alias (``*name``) written out
LONGEST_NUMBER = 100  # characters of a whole number; one of thousands cannot even be printed
INTEGER = "tag:yaml.org,2002:int"
MERGE = "tag:yaml.org,2002:merge"  # ``<<: *name`` may stand several times


def read_yaml(path: Path) -> Any:
    """Return what a configuration holds.

    Raises:
        InputError: If it is not YAML, has a key twice in one mapping, is larger than a configuration can be, or holds
            itself.
    """
    try:
        loader = yaml.SafeLoader(_text(path))
        node = loader.get_single_node()
        _check(node, path)
        return None if node is None else loader.construct_document(node)
    except UnicodeDecodeError as problem:
        place = f"byte {problem.start + 1}"
        raise InputError(
            f"--config {path}: this is not text in UTF-8 ({place}). Save it as such, or name another"
        ) from None
    except (yaml.YAMLError, ValueError) as problem:  # ValueError: a date such as 2026-13-41
        if isinstance(problem, InputError):
            raise
        mark = getattr(problem, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        why = getattr(problem, "problem", None) or ("not a text file" if _is_binary(problem) else str(problem))
        raise InputError(f"--config {path}{line}: this is not YAML ({why}). Correct the line") from None
    except RecursionError:
        raise InputError(f"--config {path}: this is nested too deeply for a configuration") from None


def _text(path: Path) -> str:
    with path.open("rb") as file:
        content = file.read(LARGEST_FILE + 1)
    if len(content) > LARGEST_FILE:
        raise InputError(f"--config {path}: this file is larger than {LARGEST_FILE} bytes, so no configuration")
    return content.decode("utf-8-sig")


def _is_binary(problem: Exception) -> bool:
    return isinstance(problem, yaml.reader.ReaderError)


def _check(root: yaml.Node | None, path: Path) -> None:
    """Refuse keys that stand twice, cycles, and aliases that would grow without bound."""
    sizes: dict[int, int] = {}
    open_nodes: set[int] = set()

    def size(node: yaml.Node) -> int:
        if id(node) in open_nodes:
            line = node.start_mark.line + 1
            raise InputError(f"--config {path}, line {line}: this value holds itself by an alias. Write it out")
        if id(node) not in sizes:
            open_nodes.add(id(node))
            if isinstance(node, yaml.ScalarNode) and node.tag == INTEGER and len(node.value) > LONGEST_NUMBER:
                raise InputError(
                    f"--config {path}, line {node.start_mark.line + 1}: this number has {len(node.value)} characters, "
                    "more than any setting can have. Correct it"
                )
            if isinstance(node, yaml.MappingNode):
                _check_keys(node, path)
            sizes[id(node)] = 1 + sum(size(child) for child in _children(node))
            open_nodes.discard(id(node))
            if sizes[id(node)] > MOST_VALUES:
                raise InputError(
                    f"--config {path}: with its aliases written out it has more than {MOST_VALUES} values, "
                    "so it is no configuration"
                )
        return sizes[id(node)]

    if root is not None:
        size(root)


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield key
            yield value
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _check_keys(mapping: yaml.MappingNode, path: Path) -> None:
    lines: dict[tuple[str, str], int] = {}
    for key, _ in mapping.value:
        if key.tag == MERGE or not isinstance(key, yaml.ScalarNode):
            continue
        line = key.start_mark.line + 1
        first = lines.get((key.tag, key.value))
        if first is not None:
            raise InputError(
                f"--config {path}: '{key.value}' stands in line {first} and again in line {line}, and only one of them "
                "can count. Remove one"
            )
        lines[key.tag, key.value] = line

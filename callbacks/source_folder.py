"""The folder for what comes of a source: no other source's is replaced, and what covers a part of it is called so."""

import json
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any

from callbacks.file_names import fitting
from datamodules.named import source_name
from datamodules.protocols import HasSource

PARTIAL = ".partial"
_ROOM = 32  # bytes, for ``.partial``, a number, and ``.unfinished``


def source_label(data: object) -> str:
    """Return what the data are called: by their source, ``generated``, or by the class of what has none."""
    if not isinstance(data, HasSource):
        return type(data).__name__ if data is not None else "dataloader"
    return source_name(Path(data.source)) if data.source else "generated"


def source_folder(parent: Path, name: str, about: Mapping[str, Any], record: str) -> Path:
    """Return ``parent/<name>``, ``<name>.partial`` for a part of a source, or with ``-2``, ``-3``, ... behind it.

    A number is added where the folder holds what comes of another source of the same name. What comes of the same one
    has the same folder, and replaces the older.

    Args:
        parent: folder of all sources.
        name: of the source.
        about: has ``source``, a path or None, and ``complete``.
        record: file of a folder in which its own ``source`` stands.
    """
    name = str(fitting(name, room=_ROOM))
    label = name if about["complete"] else f"{name}{PARTIAL}"
    folders = (parent / (label if number == 1 else f"{label}-{number}") for number in count(1))
    return next(folder for folder in folders if _holds(folder / record, about["source"]))


def _holds(record: Path, source: str | None) -> bool:
    """Return whether a folder is free, or holds what comes of ``source``."""
    try:
        written = json.loads(record.read_text())
    except FileNotFoundError:
        return True
    except ValueError:
        return False
    return isinstance(written, dict) and "source" in written and written["source"] == source

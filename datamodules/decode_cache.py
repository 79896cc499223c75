"""Every source is decoded once, into a folder of memory-mapped arrays in the form in which models see it.

The folder's name is a fingerprint of what the source's files hold, the settings and the format: a changed file is
decoded anew, a moved or renamed one is not. It is built beside its place and renamed when complete, so that what is
there is whole, and by one process of a machine while the others wait. The sizes of its files are recorded and compared
whenever it is opened: what was cut afterwards is built again, and never read as black pictures and silence.

A room (clips, pictures, sound) supplies what is its own: how an item is decoded into a folder, and how it is opened.
"""

import hashlib
import json
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from datamodules.arrays import mapped
from datamodules.atomic_file import DiskError, folder_once
from datamodules.errors import BadFile, InputError, refuse_or_warn
from datamodules.file_identity import content_hash
from datamodules.one_at_a_time import one_at_a_time
from datamodules.parallel import in_parallel

_SIZES = ".sizes.json"
IDENTITIES = "identities"
"""Folder in the cache in which the hashes of files are kept."""

ItemT = TypeVar("ItemT")
ItemT_contra = TypeVar("ItemT_contra", contravariant=True)
OpenedT = TypeVar("OpenedT")
OpenedT_co = TypeVar("OpenedT_co", covariant=True)


class CacheError(InputError):
    """The cache itself cannot be used; no item is to blame, so that leaving items out does not help."""


class Room(Protocol[ItemT_contra, OpenedT_co]):
    """What is different from room to room.

    Attributes:
        name: of the room's folder in the cache.
        format: raised whenever the same files and settings would be stored differently.
        kind: what the items are called, e.g. ``"clips"``.
    """

    name: str
    format: int
    kind: str

    def settings(self, item: ItemT_contra) -> object:
        """Return all that decoding an item depends on beside its files; the ``repr`` tells different ones apart."""
        ...

    def sources(self, item: ItemT_contra) -> Sequence[Path]:
        """Return the files that an item is decoded from."""
        ...

    def decode(self, item: ItemT_contra, folder: Path) -> None:
        """Decode an item into an empty folder, everything that depends on the files and the settings alone.

        Raises:
            InputError: if it cannot be decoded.
        """
        ...

    def open(self, item: ItemT_contra, folder: Path) -> OpenedT_co:
        """Return a decoded item.

        Raises:
            InputError: if it cannot be used.
        """
        ...


def open_all(items: Sequence[ItemT], room: Room[ItemT, OpenedT], cache: Path, on_bad_file: BadFile) -> list[OpenedT]:
    """Open items from the cache; those that are not there are decoded, several at a time.

    Args:
        items: what to open.
        room: how to decode and open it.
        cache: its folder.
        on_bad_file: whether an item that cannot be used ends the run or is left out with a warning.

    Raises:
        InputError: naming the first unusable item, unless those are skipped; if the cache cannot be written.
    """

    def open_one(item: ItemT) -> OpenedT | InputError:
        try:
            contents = content_hash(room.sources(item), cache / IDENTITIES)
            name = fingerprint(room.format, room.settings(item), contents)
            return room.open(item, made_once(cache / room.name / name, lambda draft: room.decode(item, draft)))
        except CacheError:
            raise
        except InputError as error:
            return error

    opened = []
    for result in in_parallel(open_one, items):
        if isinstance(result, InputError):
            refuse_or_warn(result, on_bad_file, room.kind)
        else:
            opened.append(result)
    return opened


def fingerprint(*what: object) -> str:
    """Return 32 hexadecimal digits that change with the ``repr`` of what is given."""
    return hashlib.blake2b(repr(what).encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


def made_once(folder: Path, make: Callable[[Path], None], content: str = "") -> Path:
    """Return a folder of the cache; if it is not there, or no longer whole, it is made.

    Args:
        folder: the folder.
        make: writes what belongs there into an empty folder; always the same.
        content: what that is, for the message where it cannot be written.

    Raises:
        CacheError: if it cannot be written.
    """
    try:
        if _is_whole(folder):
            return folder
        folder.parent.mkdir(parents=True, exist_ok=True)
        with one_at_a_time(folder):
            if not _is_whole(folder):  # still: nobody else has made it meanwhile
                _make(folder, make)
    except OSError as error:
        raise _cannot_write(folder, content, error.strerror) from error
    except DiskError as error:
        raise _cannot_write(folder, content, error.reason) from error
    mapped.cache_clear()
    return folder


def _make(folder: Path, make: Callable[[Path], None]) -> None:
    if (folder / _SIZES).exists():
        warnings.warn(f"{folder}: files are missing or cut short; it is made again", stacklevel=3)
    with folder_once(folder, _is_whole) as draft:
        make(draft)
        _record_sizes(draft)


def _cannot_write(folder: Path, content: str, reason: str | None) -> CacheError:
    return CacheError(
        f"data.cache_dir: cannot write {content and content + ' '}to {folder.parent} ({reason}); "
        "name a folder with room"
    )


def _record_sizes(folder: Path) -> None:
    sizes = {str(path.relative_to(folder)): path.stat().st_size for path in folder.rglob("*") if path.is_file()}
    (folder / _SIZES).write_text(json.dumps(sizes))


def _is_whole(folder: Path) -> bool:
    """Whether a folder holds all its files in full."""
    try:
        sizes: dict[str, int] = json.loads((folder / _SIZES).read_text())
        return all((folder / name).stat().st_size == size for name, size in sizes.items())
    except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError):
        return False

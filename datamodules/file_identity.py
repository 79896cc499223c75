"""What a file is known by beside its name."""

import contextlib
import hashlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from datamodules.atomic_file import DiskError, write_text
from datamodules.errors import InputError
from datamodules.listing import list_images

_SETTLED = 2.0  # seconds after which a file that changes again shows it by its times

VIDEOS_BY_CONTENT = "videos told apart by all of their bytes"
"""The form of digests by :func:`content_hash`; at first it was by size and both ends of a file, and had no name."""

HashAll = Callable[[Callable[[Path], str], Sequence[Path]], Iterable[str]]


def content_hash(sources: Sequence[Path], memory: Path, hash_all: HashAll = map) -> str:
    """Return 32 hexadecimal digits that change with any byte of some files, and with nothing else.

    All of every file is read. Size and edges would be quicker, but masks, bitmaps and raw recordings of a fixed camera
    agree in both and differ between; of two such files one would be shown in place of the other, for good and unseen.
    So that nothing is read at every start, the result is kept under the files' paths, sizes, inodes and both their
    times, of which the second cannot be set back; a file changed within the last two seconds is not trusted to show
    its next change by them.

    Args:
        sources: files, and folders of images; their order matters. A file that cannot be read counts as such.
        memory: folder in which results are kept.
        hash_all: does as ``map`` does, perhaps for several files at a time.
    """
    files = [file for source in sources for file in (list_images(source) if source.is_dir() else [source])]
    try:
        states = [(str(file.absolute()), file.stat()) for file in files]
    except OSError:
        return _hash("\n".join(hash_all(_file_hash, files)))
    known = [(path, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns) for path, state in states]
    place = memory / _hash(repr(known))
    try:
        return place.read_text()
    except OSError:
        settled = all(max(state.st_mtime, state.st_ctime) < time.time() - _SETTLED for _, state in states)
        found = _hash("\n".join(hash_all(_file_hash, files)))
        if settled:
            with contextlib.suppress(DiskError):  # a cache that can only be read is of use all the same
                write_text(place, found)
        return found


def _file_hash(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError as error:  # whoever reads it next says so
        return f"error {error.errno}"


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


def refuse_shared_videos(splits: Mapping[str, Sequence[Path]], memory: Path) -> None:
    """Make sure that no video, whatever its name, is in two splits.

    Two videos are the same if all bytes of the file, or of the folder's images, are.

    Args:
        splits: files, and folders of images, of each split by its name.
        memory: as in :func:`content_hash`.

    Raises:
        InputError: naming both places.
    """
    seen: dict[str, tuple[str, Path]] = {}
    for split, paths in splits.items():
        for path in paths:
            other, first = seen.setdefault(content_hash([path], memory), (split, path))
            if other != split:
                raise InputError(
                    f"{first} ({other}) and {path} ({split}) are the same video; a video must be in one split only: "
                    "remove one of them"
                )

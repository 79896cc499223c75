"""Files and folders that are either the old one or the new one, whatever happens in between."""

import contextlib
import errno
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from datamodules.errors import InputError

_PREFIX = ".tmp-"
_open: set[Path] = set()
_USERS_DISK = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG),
    *(errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST, errno.ENOENT),
}


@contextlib.contextmanager
def atomic_file(path: Path, check: Callable[[Path], None] = lambda _: None) -> Iterator[BinaryIO]:
    """Open a temporary file beside ``path`` that takes its place, durably, when the block ends without error.

    A process killed at any moment leaves the old file as it was, and at most a ``.tmp-<process>-<name>``
    beside it, which the next write into the folder removes. The temporary file is never in another folder:
    only within a file system is a rename one step.

    Args:
        path: the file; its folder is made where missing.
        check: called with the temporary file before it takes the place of the old one; an error of it keeps
            the old.

    Raises:
        InputError: if the disk is full or cannot be written.
    """
    temporary = _temporary(path)
    try:
        with _readable_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            remove_stale(path.parent)
            with temporary.open("wb") as file:
                _open.add(temporary)
                yield file
                file.flush()
                os.fsync(file.fileno())
            check(temporary)
            os.replace(temporary, path)  # noqa: PTH105
            _sync_folder(path.parent)
    finally:
        _open.discard(temporary)
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Hand out an empty folder beside ``path`` that takes its place when the block ends without error.

    Of what ``path`` held before nothing is left then, and everything after an error; what was written until the error
    is then in ``<name>.unfinished``, as the work of hours may be. A process that was killed leaves at most a
    ``.tmp-<process>-<name>``, as :func:`atomic_file` does.

    Raises:
        InputError: if the disk is full or cannot be written.
    """
    draft, old = _temporary(path), _temporary(path.with_name(f"old-{path.name}"))
    with _readable_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_stale(path.parent)
        draft.mkdir()
    _open.add(draft)
    try:
        yield draft
        with _readable_errors(path):
            if path.exists():
                path.rename(old)
            draft.rename(path)
    except BaseException:
        if draft.exists() and any(draft.iterdir()):
            unfinished = path.with_name(f"{path.name}.unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            draft.rename(unfinished)
            print(f"What was finished lies in {unfinished}", file=sys.stderr, flush=True)
        raise
    finally:
        _open.discard(draft)
        for folder in (draft, old):
            shutil.rmtree(folder, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Replace a text file in one step."""
    with atomic_file(path) as file:
        file.write(text.encode())


def remove_stale(folder: Path) -> None:
    """Remove the temporary files and folders of processes that are gone."""
    for file in folder.glob(f"{_PREFIX}*-*"):
        process = file.name.removeprefix(_PREFIX).split("-", 1)[0]
        if process.isdecimal() and file not in _open and not _alive(int(process)):
            if file.is_dir():
                shutil.rmtree(file, ignore_errors=True)
            else:
                file.unlink(missing_ok=True)


def _temporary(path: Path) -> Path:
    return path.with_name(f"{_PREFIX}{os.getpid()}-{path.name}")


@contextlib.contextmanager
def _readable_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _USERS_DISK:
            raise
        raise InputError(
            f"{path} cannot be written: {error.strerror}. What was there before is intact. "
            "Free some space, or name another folder."
        ) from error


def _alive(process: int) -> bool:
    if process == os.getpid():
        return False  # a predecessor with our number, as is common in containers
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

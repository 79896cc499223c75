"""Files and folders that are either the old one or the new one, whatever happens in between.

All are written beside their place, made durable, and renamed. A process killed at any moment leaves at most a
``.tmp-<process>.<machine>-<token>`` beside it, which the next write into the folder removes. What is temporary is never
in another folder: only within a file system is a rename one step.
"""

import contextlib
import errno
import hashlib
import os
import secrets
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, TypeVar

from datamodules.errors import InputError

T = TypeVar("T")
DRAFT = ".tmp-"
"""What the name of everything that is not finished begins with."""
_FOREIGN_AGE = 24 * 3600  # seconds without a write after which the draft of another machine is taken for left behind
_TRIES = 10  # where a folder is deleted meanwhile, which lasts a moment
_open: set[Path] = set()
BAD_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.ESTALE})
"""Errors that are the disk's, whatever is done to it."""
_USERS_DISK = {*BAD_DISK, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST, errno.ENOENT}


class DiskError(InputError):
    """A file or folder cannot be written.

    Attributes:
        reason: of the operating system, e.g. ``"No space left on device"``.
    """

    def __init__(self, message: str, reason: str | None) -> None:
        super().__init__(message)
        self.reason = reason


@contextlib.contextmanager
def atomic_file(path: Path, check: Callable[[Path], None] = lambda _: None) -> Iterator[BinaryIO]:
    """Open a temporary file beside ``path`` that takes its place, durably, when the block ends without error.

    Args:
        path: the file; its folder is made where missing.
        check: called with the temporary file before it takes the place of the old one; an error of it keeps
            the old.

    Raises:
        DiskError: if the disk is full or cannot be written, or ``path`` is a folder, a device or a pipe.
    """
    with readable_errors(path):
        if path.name in ("", "..") or (path.exists() and not path.is_file()):
            raise DiskError(f"{path} cannot be written: it is no file, but a folder or a device. Name a file.", None)
    in_draft = not _open.isdisjoint(path.parents)  # which is empty at first, and made durable as a whole
    with _temporary(path) as temporary, readable_errors(path):
        if not in_draft:
            remove_stale(path.parent)
        with _until_deleted(lambda: _opened(temporary)) as file:
            yield file
            file.flush()
            if not in_draft:
                os.fsync(file.fileno())

            def put_in_place() -> None:
                if not temporary.exists() and not in_draft:
                    _write_again(file, temporary)
                check(temporary)
                os.replace(temporary, path)  # noqa: PTH105

            _until_deleted(put_in_place)
        if not in_draft:
            with contextlib.suppress(FileNotFoundError):  # the folder was deleted at once
                _sync(path.parent)


def _until_deleted(act: Callable[[], T]) -> T:
    """Do something in a folder that somebody may just be deleting, once more until that is over."""
    for _ in range(_TRIES - 1):
        try:
            return act()
        except FileNotFoundError:
            time.sleep(0.05)
    return act()


def _opened(path: Path) -> BinaryIO:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("w+b")


def _write_again(file: BinaryIO, temporary: Path) -> None:
    """Write what an open file holds once more: somebody has deleted the folder in which it was."""
    temporary.parent.mkdir(parents=True, exist_ok=True)
    file.seek(0)
    with temporary.open("wb") as again:
        shutil.copyfileobj(file, again)
        again.flush()
        os.fsync(again.fileno())


def write_text(path: Path, text: str) -> None:
    """Replace a text file in one step."""
    with atomic_file(path) as file:
        file.write(text.encode())


@contextlib.contextmanager
def atomic_folder(path: Path, keep_unfinished: bool = True) -> Iterator[Path]:
    """Hand out an empty folder beside ``path`` that takes its place when the block ends without error.

    Of what ``path`` held before nothing is left then, and everything after an error.

    Args:
        path: the folder.
        keep_unfinished: whether what was written until an error is then in ``<name>.unfinished``, as the work of hours
            may be.

    Raises:
        DiskError: if the disk is full or cannot be written.
    """
    with _draft(path) as draft, _unfinished_kept(draft, path) if keep_unfinished else contextlib.nullcontext():
        yield draft
        with readable_errors(path):
            _put_in_place(draft, path)


@contextlib.contextmanager
def atomic_files(folder: Path, replaced: Iterable[Path] = ()) -> Iterator[Path]:
    """Hand out an empty folder whose files come into ``folder`` when the block ends without error.

    Until then ``folder`` is as it was. After an error what was written is in ``<name>.unfinished`` beside it.

    Args:
        folder: where the files come; whatever else is in it stays. It is made where missing.
        replaced: files of it that go as soon as the new ones are there.

    Raises:
        DiskError: if the disk is full or cannot be written.
    """
    with _draft(folder / "files") as draft, _unfinished_kept(draft, folder):
        yield draft
        with readable_errors(folder):
            new = [*draft.iterdir()]
            for file in new:
                _sync(file)
            for file in new:
                file.replace(folder / file.name)
            for file in {*replaced} - {folder / file.name for file in new}:
                file.unlink(missing_ok=True)
            _sync(folder)


@contextlib.contextmanager
def _unfinished_kept(draft: Path, path: Path) -> Iterator[None]:
    """After an error keep what is in a draft beside ``path``, as far as the disk lets that be."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            if draft.exists() and any(draft.iterdir()):
                unfinished = path.with_name(f"{path.name}.unfinished")
                shutil.rmtree(unfinished, ignore_errors=True)
                draft.rename(unfinished)
                print(f"What was finished lies in {unfinished}", file=sys.stderr, flush=True)  # which escapes any name
        raise


@contextlib.contextmanager
def folder_once(path: Path, is_whole: Callable[[Path], bool] = Path.is_dir) -> Iterator[Path]:
    """Hand out an empty folder that becomes ``path``, for content that is the same whoever makes it.

    If another process was faster its folder stays, and this one is dropped. After an error nothing is left.

    Args:
        path: the folder that is to be there.
        is_whole: whether what is there already can stay; what cannot is replaced.

    Raises:
        DiskError: if the disk is full or cannot be written, also where that shows inside the block.
    """
    with readable_errors(path), _draft(path) as draft:
        yield draft
        if is_whole(path):
            return
        try:
            _put_in_place(draft, path)
        except OSError:
            if not is_whole(path):
                raise


def remove_folder(path: Path) -> None:
    """Remove a folder that others may look at: for them it is there as a whole, or gone.

    Raises:
        DiskError: if it cannot be removed; what is left of it then is a temporary folder beside it.
    """
    with _temporary(path) as gone:
        try:
            path.rename(gone)
            shutil.rmtree(gone)
        except OSError as error:
            raise DiskError(
                f"{path} cannot be removed: {error.strerror}. Allow writing into it.", error.strerror
            ) from error


def remove_stale(folder: Path) -> None:
    """Remove the temporary files and folders of processes that are gone."""
    for path in folder.glob(f"{DRAFT}*-*"):
        process, _, machine = path.name.removeprefix(DRAFT).split("-", 1)[0].partition(".")
        if not process.isdecimal() or path in _open:
            continue
        gone = not _alive(int(process)) if machine in ("", _machine()) else _untouched(path)
        if gone:
            _remove(path)


@contextlib.contextmanager
def readable_errors(path: Path) -> Iterator[None]:
    """Turn errors of a disk that is full or cannot be written into a :class:`DiskError` about ``path``."""
    try:
        yield
    except OSError as error:
        if error.errno not in _USERS_DISK:
            raise
        raise DiskError(
            f"{path} cannot be written: {error.strerror}. What was there before is intact. "
            "Free some space, or name another folder.",
            error.strerror,
        ) from error


@contextlib.contextmanager
def _draft(path: Path) -> Iterator[Path]:
    with _temporary(path) as draft:
        with readable_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            remove_stale(path.parent)
            draft.mkdir()
        yield draft


def _put_in_place(draft: Path, path: Path) -> None:
    """Make a draft durable and rename it to ``path``; what was there goes, or comes back after an error."""
    for place in (*draft.rglob("*"), draft):
        _sync(place)
    with _temporary(path) as old:
        replaced = path.exists()
        if replaced:
            path.rename(old)
        try:
            draft.rename(path)
        except OSError:
            if replaced:
                old.rename(path)
            raise
    _sync(path.parent)


@contextlib.contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    """Reserve a name beside ``path``; what has this name in the end is removed."""
    temporary = path.with_name(f"{DRAFT}{os.getpid()}.{_machine()}-{secrets.token_hex(4)}")
    _open.add(temporary)  # before it is there: another thread may be looking for what is stale
    try:
        yield temporary
    finally:
        _open.discard(temporary)
        _remove(temporary)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def _machine() -> str:
    return hashlib.blake2b(socket.gethostname().encode(), digest_size=4).hexdigest()


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


def _untouched(path: Path) -> bool:
    with contextlib.suppress(FileNotFoundError):  # its owner is at work
        newest = max(place.stat().st_mtime for place in (path, *path.rglob("*")))
        return time.time() - newest > _FOREIGN_AGE
    return False


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""What is in an archive, one entry after another, whatever its kind; an entry that is no file or folder is refused."""

import bz2
import errno
import gzip
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from datamodules.errors import InputError

_OPENERS: dict[bytes, Callable[[Path], Any]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open}
"""By how a packed file begins."""
_TAR_MARK, _TAR_PLACE = b"ustar", 257
_LARGEST_HEADER = 1 << 24  # bytes; a tar reads what it says of an entry at once, and this may be a bomb itself
LEADS_OUT = "leads out of its folder; nothing of it is kept: get the archive from somebody you trust"
_BAD_KIND = "; only plain files and folders are unpacked, and nothing of it is kept"


@dataclass(frozen=True)
class Entry:
    """A file or folder in an archive.

    Attributes:
        name: as it is written there, not to be trusted.
        size: in bytes when unpacked, 0 of a folder.
        is_folder: whether it is one.
        open: opens what is in it.
    """

    name: str
    size: int
    is_folder: bool
    open: Callable[[], IO[bytes]]


def is_archive(path: Path) -> bool:
    """Whether a file is a zip or a tar, as it is or packed, told by its content."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        head = file.read(512)
    packed = any(head.startswith(mark) for mark in _OPENERS)
    return packed or head[_TAR_PLACE:].startswith(_TAR_MARK) or zipfile.is_zipfile(path)


@contextmanager
def open_archive(path: Path) -> Iterator[Iterable[Entry]]:
    """Hand out the entries of an archive: of a zip as a list, of a tar one by one, to be read in their order.

    Raises:
        InputError: also while they are read, if it is damaged, locked by a password, or holds a link or a device.
    """
    with ExitStack() as opened, _damage_told(path):
        if zipfile.is_zipfile(path):
            yield [*_of_zip(path, opened.enter_context(zipfile.ZipFile(path)))]
        else:
            yield _of_tar(path, opened)


@contextmanager
def _damage_told(path: Path) -> Iterator[None]:
    """Turn what readers of archives raise on damaged ones into ``InputError``; what the disk says passes through."""
    try:
        yield
    except InputError:
        raise
    except OSError as error:
        if error.errno not in (None, errno.EINVAL):  # the latter where a place in the file is before its beginning
            raise
        raise _damaged(path, error) from error
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, NotImplementedError) as error:
        raise _damaged(path, error) from error
    except (ValueError, OverflowError, RuntimeError, KeyError, IndexError) as error:  # of fields that make no sense
        raise _damaged(path, error) from error


def _of_zip(path: Path, archive: zipfile.ZipFile) -> Iterator[Entry]:
    for info in archive.infolist():
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise InputError(f"{path}: {info.orig_filename[:200]!a} is {_called(stat.S_ISLNK(kind))}{_BAD_KIND}")
        if info.flag_bits & 1:
            raise InputError(f"{path}: is locked by a password; unpack it, and name its folder")

        def opened(info: zipfile.ZipInfo = info) -> IO[bytes]:
            return archive.open(info)

        yield Entry(info.orig_filename, 0 if info.is_dir() else info.file_size, info.is_dir(), opened)


def _of_tar(path: Path, opened: ExitStack) -> Iterator[Entry]:
    if not hasattr(tarfile, "data_filter"):
        raise InputError(
            f"{path}: a tar is unpacked with Python 3.11.4 or newer; unpack it yourself, and name its folder"
        )
    with path.open("rb") as file:
        head = file.read(8)
    opener = next((opener for mark, opener in _OPENERS.items() if head.startswith(mark)), None)
    stream = opened.enter_context(opener(path) if opener else path.open("rb"))
    guarded: Any = _WithoutLargeReads(path, stream)
    archive = opened.enter_context(tarfile.TarFile(fileobj=guarded))
    for member in archive:
        if not (member.isreg() or member.isdir()):
            linked = member.issym() or member.islnk()
            raise InputError(f"{path}: {member.name[:200]!a} is {_called(linked)}{_BAD_KIND}")
        try:
            tarfile.data_filter(member, "/unpacked")
        except tarfile.FilterError as error:
            raise InputError(
                f"{path}: holds {member.name[:200]!a}, which {LEADS_OUT} ({type(error).__name__})"
            ) from error

        def content(member: tarfile.TarInfo = member) -> IO[bytes]:
            found = archive.extractfile(member)
            assert found is not None  # of a file
            return found

        yield Entry(member.name, 0 if member.isdir() else member.size, member.isdir(), content)


class _WithoutLargeReads:
    """A stream that never hands out much at once.

    Args:
        path: of the archive, for the message.
        stream: what is in it, unpacked.
    """

    def __init__(self, path: Path, stream: IO[bytes]) -> None:
        self._path, self._stream = path, stream
        self.seek, self.tell = stream.seek, stream.tell

    def read(self, count: int = -1) -> bytes:
        if not 0 <= count <= _LARGEST_HEADER:
            raise InputError(f"{self._path}: what it says of an entry takes more than {_LARGEST_HEADER:,} bytes")
        return self._stream.read(count)


def _called(linked: bool) -> str:
    return "a link" if linked else "a device, a pipe or the like"


def _damaged(path: Path, error: Exception) -> InputError:
    said = " ".join(str(error).split()) or type(error).__name__
    return InputError(f"{path}: cannot be unpacked, as where it is damaged or cut short ({said[:200]}); get it anew")

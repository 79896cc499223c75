"""Checkpoints that are whole or absent, and that are read without running what they contain."""

import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO

from datamodules.atomic_file import atomic_file
from datamodules.errors import InputError

_DAMAGE = (
    *(EOFError, RuntimeError, ValueError, TypeError, AttributeError, LookupError, OverflowError, OSError),
    *(zipfile.BadZipFile, struct.error),
)
"""What zipfile and torch raise where bytes are not those that were written."""
_AT_ONCE = 1 << 24


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint beside its place, makes it durable, checks that it is whole, only then renames it.

    Lightning's own plugin builds the file in memory, lets a read-only folder pass without an error and
    loses the old file when the process is killed while the temporary folder is on another file system.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None) -> None:
        """Write ``checkpoint`` to ``path`` in one step.

        Raises:
            InputError: if the disk is full or cannot be written; names the path and the bytes needed.
        """
        if storage_options is not None:
            raise TypeError("storage_options have no meaning for local files")
        with atomic_file(Path(path), check=_is_whole) as file:
            stream = _Stream(file)
            try:
                torch.save(checkpoint, cast(IO[bytes], stream))
            except (OSError, RuntimeError) as error:  # torch hides the cause in a RuntimeError
                cause = stream.error or error
                if isinstance(cause, OSError):
                    needed = f"{cause.strerror} ({_size(checkpoint):,} bytes are needed)"
                    raise OSError(cause.errno, needed) from error
                raise

    def load_checkpoint(
        self,
        path: str | Path,
        map_location: Callable[..., Any] | None = lambda storage, _: storage,
        weights_only: bool | None = None,
    ) -> dict[str, Any]:
        """Read ``path``; whatever ``weights_only`` says, nothing but tensors and plain values is accepted.

        Raises:
            InputError: if there is no such file, it is not whole, or it holds code.
        """
        return read_checkpoint(Path(path), map_location)


def read_checkpoint(path: Path, map_location: Any = "cpu", mmap: bool = False) -> dict[str, Any]:
    """Read a checkpoint file, checksums first: torch itself takes damaged weights for weights.

    Args:
        path: the file.
        map_location: where its tensors go.
        mmap: read tensors only when they are touched; they are then not checked.

    Raises:
        InputError: if there is no such file, it is not whole, or it holds code.
    """
    if not path.is_file():
        raise InputError(f"There is no checkpoint {path}. Name one with --ckpt_path, or `last` or `best`.")
    try:
        _check_sums(path, tensors=not mmap)
        checkpoint = torch.load(path, map_location=map_location, weights_only=True, mmap=mmap)
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{path} is refused: it is damaged, or holds more than tensors and plain values, so that "
            "reading it could run foreign code. Use another one."
        ) from error
    except PermissionError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); allow reading it") from error
    except _DAMAGE as error:
        raise InputError(f"{path} is not a whole checkpoint ({error}). Use another one.") from error
    if not isinstance(checkpoint, dict):
        raise InputError(f"{path} is no checkpoint: it holds a {type(checkpoint).__name__}. Use another one.")
    return checkpoint


def _check_sums(path: Path, tensors: bool) -> None:
    """Raise if a part of the archive is not what was written; reads the file once, 1 GB in about a second.

    Args:
        path: the file.
        tensors: whether to look at the tensors too, or only at how they are put together.
    """
    with zipfile.ZipFile(path) as archive:
        parts = archive.infolist()
        if len({part.filename for part in parts}) < len(parts):
            raise zipfile.BadZipFile("a part is there twice")
        if any(part.compress_type != zipfile.ZIP_STORED for part in parts):
            raise zipfile.BadZipFile("a part is compressed, which torch does not do")
        if sum(part.file_size for part in parts) > path.stat().st_size:
            raise zipfile.BadZipFile("its parts are larger than the file")
        for part in parts:
            if tensors or "/data/" not in part.filename:
                with archive.open(part) as content:
                    while content.read(_AT_ONCE):  # raises at the end if the checksum is another
                        pass


class _Stream:
    """A file that remembers why writing failed."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        try:
            return self._file.write(data)
        except OSError as error:
            self.error = error
            raise

    def flush(self) -> None:
        self._file.flush()


class _Counter:
    """A file that only counts."""

    count = 0

    def write(self, data: bytes) -> int:
        self.count += len(data)
        return len(data)

    def flush(self) -> None:
        pass


def _size(checkpoint: dict[str, Any]) -> int:
    counter = _Counter()
    torch.save(checkpoint, cast(IO[bytes], counter))
    return counter.count


def _is_whole(path: Path) -> None:
    """Raise if the directory at the end of the archive cannot be read."""
    with zipfile.ZipFile(path) as archive:
        archive.infolist()

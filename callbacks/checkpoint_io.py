"""Checkpoints that are whole or absent."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO

from datamodules.atomic_file import atomic_file
from datamodules.weights_file import read_checkpoint


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

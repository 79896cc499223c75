"""Files of weights, read without running what they contain, and only if they are what was written."""

import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import torch

from datamodules.errors import InputError

_DAMAGE = (
    *(EOFError, RuntimeError, ValueError, TypeError, AttributeError, LookupError, OverflowError, OSError),
    *(zipfile.BadZipFile, struct.error),
)
"""What zipfile and torch raise where bytes are not those that were written."""
_AT_ONCE = 1 << 24


def read_checkpoint(path: Path, map_location: Any = "cpu", mmap: bool = False) -> dict[str, Any]:
    """Read a checkpoint file; see :func:`read_weights`.

    Raises:
        InputError: if there is no such file, it is not whole, it holds code, or no mapping.
    """
    if not path.is_file():
        raise InputError(f"There is no checkpoint {path}. Name one with --ckpt_path, or `last` or `best`.")
    checkpoint = read_weights(path, map_location, mmap)
    if not isinstance(checkpoint, dict):
        raise InputError(f"{path} is no checkpoint: it holds a {type(checkpoint).__name__}. Use another one.")
    return checkpoint


def read_weights(path: Path, map_location: Any = "cpu", mmap: bool = False, unchecked_too: bool = False) -> Any:
    """Read what ``torch.save`` has written, checksums first: torch itself takes damaged weights for weights.

    Args:
        path: the file.
        map_location: where its tensors go.
        mmap: read tensors only when they are touched; they are then not checked.
        unchecked_too: take the form that torch wrote before version 1.6, which has no checksums.

    Raises:
        InputError: if it is not whole, or holds code.
    """
    try:
        if zipfile.is_zipfile(path) or not unchecked_too:
            _check_sums(path, tensors=not mmap)
        return torch.load(path, map_location=map_location, weights_only=True, mmap=mmap)
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{path} is refused: it is damaged, or holds more than tensors and plain values, so that "
            "reading it could run foreign code. Use another one."
        ) from error
    except PermissionError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); allow reading it") from error
    except _DAMAGE as error:
        raise InputError(f"{path} is not a whole checkpoint ({error}). Use another one.") from error


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

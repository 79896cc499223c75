"""Folders in the cache that are there whole or not at all."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from datamodules.errors import InputError


@contextmanager
def draft_folder(target: Path, content: str = "") -> Iterator[Path]:
    """Hand out an empty folder beside ``target`` that takes its name when the block ends without an error.

    If another process was faster, its folder stays and this one is dropped: both hold the same.

    >>> with draft_folder(cache / "pictures") as folder:  # doctest: +SKIP
    ...     (folder / "index.json").write_text("{}")

    Args:
        target: the folder that is to be there.
        content: what it holds, for the message where it cannot be written.

    Raises:
        InputError: if the folder cannot be written or the disk is full.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".building-", dir=target.parent))
        try:
            yield draft
            try:
                draft.rename(target)
            except OSError:
                if not target.is_dir():
                    raise
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as error:
        raise InputError(
            f"data.cache_dir: cannot write {content and content + ' '}to {target.parent} ({error.strerror}); "
            "name a folder with room"
        ) from error

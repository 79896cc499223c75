"""What a file is known by beside its name, without reading all of it."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from datamodules.errors import InputError
from datamodules.media import list_images

_EDGE = 1 << 16  # bytes at either end of a file that enter a fingerprint


def file_edges(path: Path) -> bytes:
    """Return the first and the last 64 KiB of a file."""
    with path.open("rb") as file:
        head = file.read(_EDGE)
        file.seek(max(0, path.stat().st_size - _EDGE))
        return head + file.read(_EDGE)


def refuse_shared_videos(splits: Mapping[str, Sequence[Path]]) -> None:
    """Make sure that no video, whatever its name, is in two splits.

    Two videos are the same if they are the same file or folder, or if size and first and last 64 KiB of the
    file agree (of a folder of images: their number and the first and the last image).

    Args:
        splits: files, and folders of images, of each split by its name.

    Raises:
        InputError: naming both places.
    """
    seen: dict[str, tuple[str, Path]] = {}
    for split, paths in splits.items():
        for path in paths:
            for key in {str(path.resolve()), content_digest(path)}:
                other, first = seen.setdefault(key, (split, path))
                if other != split:
                    raise InputError(
                        f"{first} ({other}) and {path} ({split}) are the same video; a video must be in "
                        "one split only: remove one of them"
                    )


def content_digest(path: Path) -> str:
    """Return what tells a video, or a folder of images, from others whatever its name."""
    files = list_images(path) if path.is_dir() else [path]
    digest = hashlib.blake2b(str(len(files)).encode(), digest_size=16)
    for file in (*files[:1], *files[-1:]):
        digest.update(str(file.stat().st_size).encode())
        digest.update(file_edges(file))
    return digest.hexdigest()

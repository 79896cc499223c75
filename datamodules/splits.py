"""Dividing a source by video: training, calibration and validation clips, and no video in two of them."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from datamodules.cache import file_edges
from datamodules.errors import InputError
from datamodules.media import list_images
from datamodules.seeding import derive_seed, global_seed
from datamodules.video_layouts import Clip


class Named(Protocol):
    """Anything with a name."""

    @property
    def name(self) -> str:
        """Unique within its split."""


ClipT = TypeVar("ClipT", bound=Named)


def hold_out(clips: Sequence[ClipT], fraction: float) -> tuple[list[ClipT], list[ClipT]]:
    """Divide normal clips into those to train on and those to validate on.

    The choice depends on the seed and the clips' names only, so that it does not change when clips are listed
    in another order. At least one clip is held out and at least one is left.

    Raises:
        InputError: if there are fewer than two clips.
    """
    if len(clips) < 2:
        raise InputError(
            f"data.source: {len(clips)} usable training clips found, at least 2 are needed, since whole clips "
            "are held out for validation; cut a long video into several files"
        )
    count = min(max(1, round(fraction * len(clips))), len(clips) - 1)
    ranked = sorted(clips, key=lambda clip: derive_seed(global_seed(), "validation", clip.name))
    held_out = {clip.name for clip in ranked[:count]}
    return (
        [clip for clip in clips if clip.name not in held_out],
        [clip for clip in clips if clip.name in held_out],
    )


def refuse_shared_videos(splits: Mapping[str, Sequence[Clip]]) -> None:
    """Make sure that no video, whatever its name, is in two splits.

    Two videos are the same if they are the same file or folder, or if size and first and last 64 KiB of the
    file agree (of a folder of images: their number and the first and the last image).

    Raises:
        InputError: naming both places.
    """
    seen: dict[str, tuple[str, Path]] = {}
    for split, clips in splits.items():
        for clip in clips:
            for key in {str(clip.path.resolve()), _content(clip.path)}:
                other, path = seen.setdefault(key, (split, clip.path))
                if other != split:
                    raise InputError(
                        f"{path} ({other}) and {clip.path} ({split}) are the same video; a video must be in "
                        "one split only: remove one of them"
                    )


def _content(path: Path) -> str:
    files = list_images(path) if path.is_dir() else [path]
    digest = hashlib.blake2b(str(len(files)).encode(), digest_size=16)
    for file in (*files[:1], *files[-1:]):
        digest.update(str(file.stat().st_size).encode())
        digest.update(file_edges(file))
    return digest.hexdigest()

"""Where pictures with their sound are found, and how clips are divided into splits."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from datamodules.errors import InputError
from datamodules.listing import VIDEO_SUFFIXES, folder_named, natural_key, other_files, tell_left_out, walk
from datamodules.named import NamedT
from datamodules.seeding import derive_seed
from datamodules.sound.sound import SOUND_SUFFIXES

_LEAST = 2  # clips in a split: the sound of a different clip is needed


@dataclass(frozen=True)
class Pair:
    """Pictures and the sound that belongs to them; ``sound`` is ``video`` where one file holds both.

    Attributes:
        name: unique within the source: the path below it, without the suffix.
        video: file with the pictures.
        sound: file with the sound.
    """

    name: str
    video: Path
    sound: Path


def find_pairs(root: Path) -> list[Pair]:
    """Return the clips of a folder in natural order, those in its subfolders too.

    Where ``root`` has the folders ``audio`` and ``video``, a clip is a file in each of them with the same path,
    suffixes aside; else it is any video file, with the sound it holds. A warning names files of other kinds.

    Raises:
        InputError: if there is no clip, a file has no partner, or two have one name.
    """
    if not root.is_dir():
        raise InputError(f"data.source: {root} is no folder; training needs several clips, name the folder with them")
    audio, video = folder_named(root, "audio"), folder_named(root, "video")
    if audio.is_dir() and video.is_dir():
        videos = _by_name(video, VIDEO_SUFFIXES)
        sounds = _by_name(audio, (*SOUND_SUFFIXES, *VIDEO_SUFFIXES))
        for one, other, kind in ((videos, sounds, "sound in audio"), (sounds, videos, "pictures in video")):
            for name in sorted(set(one) - set(other)):
                raise InputError(f"{one[name]}: no {kind} has the same name; add it or remove this file")
    else:
        videos = sounds = _by_name(root, VIDEO_SUFFIXES)
    if not videos:
        raise InputError(
            f"data.source: no clip in {root}; looked for video files ({' '.join(VIDEO_SUFFIXES)}), or for folders "
            "audio and video with files of the same names"
        )
    return [Pair(name, videos[name], sounds[name]) for name in sorted(videos, key=natural_key)]


def divide(clips: Sequence[NamedT], validation: float, test: float) -> dict[str, list[NamedT]]:
    """Divide clips into ``train``, ``validation`` and ``test`` by a hash of their names.

    The seed has no part in it: every run on the same clips is tested on the same of them.

    Args:
        clips: all clips.
        validation: share of the clips, at least two.
        test: share of the clips, at least two.

    Raises:
        InputError: if a split would have fewer than two clips.
    """
    ranked = sorted(clips, key=lambda clip: derive_seed("split", clip.name))
    tested = max(_LEAST, round(test * len(ranked)))
    held_out = tested + max(_LEAST, round(validation * len(ranked)))
    if len(ranked) - held_out < _LEAST:
        raise InputError(
            f"data.source: {len(ranked)} usable clips leave {max(0, len(ranked) - held_out)} to train on; each split "
            "needs at least 2: add clips (cut a long one into several files), or lower data.validation_fraction "
            "and data.test_fraction"
        )
    chosen = {"test": ranked[:tested], "validation": ranked[tested:held_out], "train": ranked[held_out:]}
    return {split: sorted(some, key=lambda clip: natural_key(clip.name)) for split, some in chosen.items()}


def _by_name(folder: Path, suffixes: Sequence[str]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in walk(folder, suffixes):
        other = found.setdefault(path.relative_to(folder).with_suffix("").as_posix(), path)
        if other != path:
            raise InputError(f"{other} and {path} have the same name; rename one of them")
    left_out = other_files(folder, suffixes)
    sound = any(path.suffix.lower() in SOUND_SUFFIXES for path in left_out)
    remedy = (
        "; sound belongs into a folder audio, beside a folder video with pictures of the same names" if sound else ""
    )
    tell_left_out(folder, left_out, "video" if sound else "sound or video", remedy)
    return found

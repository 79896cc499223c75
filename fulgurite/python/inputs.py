"""What a program hands over, brought to the one form in which pictures and sound are read from files.

numpy's pictures have their channels last, torch's first; both are bytes. Nothing is scaled, and no value is guessed.
"""

from collections.abc import Iterable, Iterator
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias, TypeGuard

import numpy as np
from PIL import Image
from torch import Tensor

from datamodules.errors import InputError
from datamodules.picture_file import Frame
from datamodules.sound.sound import Sound

PathLikeText: TypeAlias = str | PathLike[str]
Given: TypeAlias = Any
"""A path, an array of numpy or torch, or what yields them one by one."""

_RGB = "give uint8 RGB (height, width, 3) or grey (height, width)"
_BYTES = "give bytes: uint8 from 0 to 255, of values in [0, 1] by (255 * x).round() first"


def is_path(given: Given) -> TypeGuard[PathLikeText]:
    """Whether a file or folder is meant."""
    return isinstance(given, str | PathLike)


def path_of(given: PathLikeText) -> Path:
    """Return the path that is meant.

    Raises:
        InputError: If there is no such file or folder.
    """
    path = Path(given).expanduser()
    if "://" in str(given):
        raise InputError(f"{given}: is an address; name a file, or hand over what is there yourself, frame by frame")
    if not path.exists():
        raise InputError(f"{path}: there is no such file or folder; give one that is there")
    return path


def all_paths(given: Given) -> list[PathLikeText]:
    """Return the paths of a list that holds nothing else, none of anything else."""
    return list(given) if isinstance(given, list | tuple) and all(is_path(one) for one in given) else []


def pictures_of(given: Given) -> Iterator[tuple[str, Path | Frame]]:
    """Yield name and picture of whatever pictures are given, uint8 ``(H, W, 1 or 3)`` or the path of a file.

    Args:
        given: One picture, a stack of them, or an iterable of pictures and paths.

    Raises:
        InputError: If one is no picture.
    """
    for number, one in enumerate(_one_by_one(given)):
        if is_path(one):
            path = path_of(one)
            if path.is_dir():
                raise InputError(f"{path}: is a folder, in a list of pictures; give its files, or the folder alone")
            yield path.name, path
        else:
            yield f"picture {number}", picture_of(one, f"picture {number}")


def frames_of(given: Given) -> Iterator[Frame]:
    """Yield the frames of a video, uint8 RGB ``(H, W, 3)``, one by one.

    Args:
        given: An array uint8 ``(T, H, W, 3)`` or, of grey frames, ``(T, H, W)``, a tensor uint8 ``(T, 3, H, W)``, or an
            iterable of frames.

    Raises:
        InputError: If it is one picture, or something else.
    """
    if _is_array(given) and _is_single(given):
        raise InputError(
            f"{_shown(given)} is one picture; a video has all its frames: give (frames, height, width, 3), or an "
            "iterable of frames"
        )
    for number, one in enumerate(_one_by_one(given)):
        yield rgb_of(one, f"frame {number}")


def rgb_of(given: Given, name: str) -> Frame:
    """Return one picture as uint8 ``(H, W, 3)``; like :func:`picture_of`, grey in three equal channels."""
    picture = picture_of(given, name)
    return picture if picture.shape[2] == 3 else np.repeat(picture, 3, axis=2)


def picture_of(given: Given, name: str) -> Frame:
    """Return one picture as uint8 ``(H, W, 1 or 3)``, which can be written to: torch warns of one that cannot.

    Args:
        given: numpy ``(H, W)``, ``(H, W, 1)`` or ``(H, W, 3)``, torch ``(H, W)``, ``(1, H, W)`` or ``(3, H, W)``, or a
            picture of Pillow.
        name: What messages call it.

    Raises:
        InputError: If it is none of them.
    """
    if isinstance(given, Image.Image) and given.mode not in ("L", "RGB"):
        raise InputError(f'{name}: is of mode {given.mode}; give picture.convert("RGB")')
    first = isinstance(given, Tensor)
    array = _array(given)
    if array.dtype != np.uint8:
        raise InputError(f"{name}: {_shown(given)}; {_BYTES}")
    if array.ndim == 2:
        array = array[..., None]
    elif array.ndim == 3 and first:
        array = array.transpose(1, 2, 0)
    if array.ndim != 3 or array.shape[2] not in (1, 3) or not array.size:
        tensors = "; tensors have their channels first, (3, height, width)" if first else ""
        raise InputError(f"{name}: {_shown(given)} is no picture; {_RGB}{tensors}")
    return np.require(array, requirements=("C_CONTIGUOUS", "WRITEABLE"))


def sound_of(given: Given, rate: int | None) -> tuple[Sound, int]:
    """Return a sound as float32 ``(channels, n)`` in [-1, 1], and its rate.

    Args:
        given: Floats ``(n,)``, or ``(channels, n)`` of at most two.
        rate: Samples per second.

    Raises:
        InputError: If it is no such array, or the rate is missing.
    """
    if not _is_array(given):
        raise InputError(f"{type(given).__name__} is no sound; give a path, or floats (samples,) with their rate")
    if rate is None or rate < 1:
        raise InputError(f"rate: is {rate}; samples alone do not tell how fast they are, give rate=16000 for example")
    array = _array(given)
    if not np.issubdtype(array.dtype, np.floating) or array.ndim not in (1, 2):
        raise InputError(f"{_shown(given)} is no sound; give floats in [-1, 1], (samples,) or (channels, samples)")
    array = np.atleast_2d(array)
    if array.shape[0] > 2:
        raise InputError(f"{_shown(given)} has {array.shape[0]} channels; give (channels, samples) of one or two")
    return array.astype(np.float32), rate


def _one_by_one(given: Given) -> Iterator[Given]:
    if _is_array(given):
        yield from ([given] if _is_single(given) else given)
    elif isinstance(given, Iterable):
        yield from given
    else:
        raise InputError(f"{type(given).__name__} is no picture; {_RGB}, a path, or an iterable of them")


def _is_array(given: Given) -> bool:
    return isinstance(given, np.ndarray | Tensor | Image.Image)


def _is_single(given: Given) -> bool:
    """Whether an array is one picture: of three dimensions the one for the channels tells."""
    if isinstance(given, Image.Image):
        return True
    channels = given.shape[0 if isinstance(given, Tensor) else -1] if given.ndim == 3 else 0
    return given.ndim < 3 or channels in (1, 3)


def _array(given: Given) -> Any:
    return given.detach().cpu().numpy() if isinstance(given, Tensor) else np.asarray(given)


def _shown(given: Given) -> str:
    if isinstance(given, np.ndarray | Tensor):
        return f"{str(given.dtype).removeprefix('torch.')} {tuple(given.shape)}"
    return type(given).__name__

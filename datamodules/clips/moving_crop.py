"""Training windows cut out of the picture, at its full resolution: half of them around something that moves.

Without a detector: what moves is what visibly differs from the clip's background, the median of each pixel over time.
The other half lies anywhere. Whoever has seen only what moves cannot restore a bright wall that stands still, and takes
it for an anomaly in every frame.
"""

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from datamodules.clips.pseudo_anomalies import differs
from datamodules.clips.windows import Frames, Window
from datamodules.errors import InputError
from datamodules.letterbox import Region
from datamodules.picture_file import Frame
from datamodules.ranges import height_and_width

ELSEWHERE = 0.5
"""Share of the windows that are cut out anywhere."""

BACKGROUND_FRAMES = 51
"""Most frames, evenly spaced, whose median is the background: more changes nothing and takes longer."""


class MovingCrop:
    """Cuts windows of the given clips.

    Args:
        clips: whose windows they are, by whose names the backgrounds are found.
        height: of the crop, in pixels; at most that of the frames.
        width: of the crop.
    """

    def __init__(self, clips: Sequence[Frames], height: int, width: int) -> None:
        self._clips = {clip.name: clip for clip in clips}
        self._size = height, width
        self._backgrounds: dict[str, Frame] = {}

    def __call__(self, window: Window, random: Generator) -> None:
        """Cut the frames of a window, all alike, and tell where the picture lies in what is left."""
        moves = differs(window.frames, self._background(window.video))  # (T, H, W)
        place = None if random.random() < ELSEWHERE else _moving(moves, random)
        top, left = (_start(axis, place, self._size, window.region, moves.shape[1:], random) for axis in (0, 1))
        window.frames = window.frames[..., top : top + self._size[0], left : left + self._size[1]]
        window.region = _within(window.region, (top, left, *self._size))

    def _background(self, video: str) -> Frame:
        if video not in self._backgrounds:
            self._backgrounds[video] = background(self._clips[video])
        return self._backgrounds[video]


def crop_size(crop: int | tuple[int, int], height: int, width: int) -> tuple[int, int]:
    """Return height and width of a crop, ``data.train_crop``, out of frames of that height and width.

    Raises:
        InputError: if it is neither one number nor two, less than 8 pixels, or larger than the frames.
    """
    rows, columns = height_and_width("data.train_crop", crop, 8, 4096)
    if rows > height or columns > width:
        raise InputError(
            f"data.train_crop: {rows}x{columns} does not fit into frames of data.image_size, {height}x{width}; give a "
            "smaller one, or null to train on whole frames"
        )
    return rows, columns


def background(clip: Frames) -> Frame:
    """Return the (lower) median of each pixel over the clip, uint8 ``(C, H, W)``."""
    step = -(-clip.length // BACKGROUND_FRAMES)
    shown = clip.frames(slice(0, clip.length, step))
    middle = (len(shown) - 1) // 2
    return np.asarray(np.partition(shown, middle, axis=0)[middle])


def _moving(moves: Frame, random: Generator) -> tuple[int, int] | None:
    """Return row and column of one of the pixels that move in any frame, all alike likely; None where nothing does."""
    places: NDArray[np.int64] = np.flatnonzero(moves)
    if not len(places):
        return None
    row, column = np.unravel_index(places[random.integers(len(places))], moves.shape)[1:]
    return int(row), int(column)


def _start(
    axis: int,
    place: tuple[int, int] | None,
    crop: tuple[int, int],
    region: Region,
    whole: Sequence[int],
    random: Generator,
) -> int:
    """Return where a crop begins along an axis; it leaves the picture last.

    Anywhere, it is drawn from all places that touch the picture and then moved into it, so that the picture's edge is
    seen as often as its middle.

    Args:
        axis: 0 for rows, 1 for columns.
        place: pixel that it holds; None: anywhere.
        crop: its height and width.
        region: of the picture within the frame.
        whole: height and width of the frame, bars included.
        random: the only source of chance.
    """
    side, first, extent = crop[axis], region[axis], region[axis + 2]
    if place is None:
        start = first - side + 1 + int(random.integers(extent + side - 1))
    else:
        start = place[axis] - int(random.integers(side))
    low, high = sorted((first, first + extent - side))  # swapped where the crop is larger than the picture
    return int(np.clip(start, max(low, 0), min(high, whole[axis] - side)))


def _within(region: Region, crop: Region) -> Region:
    """Return the part of the picture that lies in the crop, in the crop's own pixels."""
    edges = []
    for axis in (0, 1):
        start = max(region[axis], crop[axis])
        end = min(region[axis] + region[axis + 2], crop[axis] + crop[axis + 2])
        edges.append((start - crop[axis], end - start))
    (top, height), (left, width) = edges
    return top, left, height, width

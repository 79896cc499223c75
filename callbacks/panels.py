"""Named clips side by side, in one picture or one video."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from callbacks.heat import heat_colours
from callbacks.text import draw_text

Picture = NDArray[np.uint8]
Clips = Mapping[str, Picture]

_SMALLEST = 96  # pixels; smaller frames are enlarged by a whole factor, so that one can see their pixels
_GAP, _LINE = 2, 18
_PAPER = 255


def to_pictures(clips: Mapping[str, Tensor]) -> dict[str, Picture]:
    """Bring clips of floats in [0, 1] to uint8 RGB.

    Args:
        clips: by name ``(B, T, C, H, W)``; C = 1 is shown in colours from black over red to bright yellow.

    Returns:
        By name ``(B, T, k * H, k * W, 3)``, with a whole k >= 1.
    """
    return {name: _enlarge(_colour(clip)) for name, clip in clips.items()}


def panel(clips: Clips, captions: Sequence[str]) -> Picture:
    """Lay out all frames: a row per window and name, a column per frame; name and window's caption above."""
    rows = [
        _titled(f"{name}   {caption}", np.hstack([_framed(frame) for frame in clip[window]]))
        for window, caption in enumerate(captions)
        for name, clip in clips.items()
    ]
    return np.vstack(rows)


def video_frames(clips: Clips) -> Iterator[Picture]:
    """Yield the frames one after another: a row per window, a column per name."""
    windows, length = next(iter(clips.values())).shape[:2]
    for step in range(length):
        columns = [
            _titled(name, np.vstack([_framed(clip[window, step]) for window in range(windows)]))
            for name, clip in clips.items()
        ]
        yield np.hstack(columns)


def _colour(clip: Tensor) -> Picture:
    grey = (clip.detach().float().cpu().clamp(0, 1) * 255).round().byte().movedim(-3, -1).numpy()
    if grey.shape[-1] == 3:
        return grey
    flat = grey.reshape(-1, grey.shape[-2])
    return heat_colours(flat).reshape(*grey.shape[:-1], 3)


def _enlarge(clip: Picture) -> Picture:
    factor = max(1, -(-_SMALLEST // min(clip.shape[2:4])))
    return clip.repeat(factor, axis=2).repeat(factor, axis=3)


def _framed(frame: Picture) -> Picture:
    return np.pad(frame, ((0, _GAP), (0, _GAP), (0, 0)), constant_values=_PAPER)


def _titled(title: str, picture: Picture) -> Picture:
    line = np.full((_LINE, picture.shape[1], 3), _PAPER, np.uint8)
    draw_text(line, title, (2, 2))
    return np.vstack([line, picture])

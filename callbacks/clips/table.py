"""Scores of overlapping windows, of all processes, averaged to one series of frames per video."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from datamodules.batches import FrameScores
from datamodules.gathering import gather_objects

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Places:
    """Where in the picture a video was anomalous, and what the model said of each place.

    Attributes:
        row: int64 ``(M,)``, rows of the series that have a mask.
        heat: float64 ``(M, h, w)``, mean over windows, on a grid that spans the letterboxed H x W picture.
        mask: uint8 ``(M, H * W / 8)``, 1 on anomalous pixels, eight pixels a byte.
        size: H, W.
        region: top, left, height, width of the picture within H x W.
    """

    row: Array
    heat: Array
    mask: Array
    size: tuple[int, int]
    region: tuple[int, int, int, int]

    def __iter__(self) -> Iterator[tuple[Array, Array]]:
        """Yield ``(heat, mask)`` of every frame: float64 and bool ``(height, width)``, bars left out."""
        top, left, height, width = self.region
        rows, columns = slice(top, top + height), slice(left, left + width)
        for heat, bits in zip(self.heat, self.mask, strict=True):
            grid = torch.from_numpy(heat)[None, None]
            full = F.interpolate(grid, self.size, mode="bilinear", align_corners=False)[0, 0]
            mask = np.unpackbits(bits, count=self.size[0] * self.size[1]).reshape(self.size).astype(bool)
            yield full.numpy()[rows, columns], mask[rows, columns]


@dataclass(frozen=True, slots=True)
class VideoSeries:
    """All that is known of one video, by rising frame number.

    Attributes:
        video: its name.
        frame: int64 ``(N,)``, numbers of the frames that were scored.
        score: float64 ``(N,)``, mean over the windows that hold the frame, raw.
        label: int64 ``(N,)``: 1 anomalous, 0 normal, -1 unknown.
        alternatives: named float64 ``(N,)`` scores, averaged in the same way.
        places: the heat maps and masks, None where the source has no masks.
    """

    video: str
    frame: Array
    score: Array
    label: Array
    alternatives: dict[str, Array] = field(default_factory=dict)
    places: Places | None = None


@dataclass(frozen=True, slots=True)
class _Part:
    """One batch on the CPU, one row per (window, frame): B windows of T frames are B*T rows."""

    video: list[str]  # (B,)
    region: Array  # (B, 4)
    window: Array  # (B*T,) row of ``video``
    index: Array  # (B*T,) number of the window in its dataset
    frame: Array  # (B*T,)
    label: Array  # (B*T,)
    scores: dict[str, Array]  # name -> float64 (B*T,)
    places: tuple[Array, Array, tuple[int, int]] | None  # heat (B*T, h, w), packed mask (B*T, H*W/8), (H, W)


class FrameTable:
    """Collects ``FrameScores`` in any order and split; the series that come out are the same to the last bit.

    A score is known by (window, frame), so what a distributed sampler repeated counts once. Rows are sorted
    before they are summed in float64. Heat maps are kept only beside masks, since nothing else reads them.
    """

    def __init__(self) -> None:
        self._parts: list[_Part] = []

    def __len__(self) -> int:
        return len(self._parts)

    def add(self, scores: FrameScores) -> None:
        """Take in a batch of B windows of T frames."""
        windows, length = scores.frame.shape
        named = {"score": scores.score, **scores.alternatives}
        part = _Part(
            video=list(scores.video),
            region=scores.region.cpu().numpy(),
            window=np.repeat(np.arange(windows), length),
            index=np.repeat(scores.index.cpu().numpy(), length),
            frame=scores.frame.cpu().numpy().ravel(),
            label=scores.label.cpu().numpy().ravel(),
            scores={name: value.detach().cpu().double().numpy().ravel() for name, value in named.items()},
            places=None if scores.mask is None else _pack(scores.heat, scores.mask),
        )
        self._parts.append(part)

    def gather(self) -> "FrameTable":
        """Return the table of all processes, the same on each; all of them must call it."""
        whole = FrameTable()
        whole._parts = [part for rank in gather_objects(self._parts) for part in rank]
        return whole

    def series(self) -> list[VideoSeries]:
        """Return one series per video, by name.

        Raises:
            ValueError: if a score is not finite, or batches disagree about a frame's label; the message
                names the video and the frame. Also if they name different scores.
        """
        if len({frozenset(part.scores) for part in self._parts}) > 1:
            raise ValueError("the batches name different scores: every step must return the same alternatives")
        videos = sorted({name for part in self._parts for name in part.video})
        if not videos:
            return []
        number = {name: position for position, name in enumerate(videos)}
        video = np.concatenate([[number[part.video[row]] for row in part.window] for part in self._parts])
        frame = np.concatenate([part.frame for part in self._parts])
        index = np.concatenate([part.index for part in self._parts])
        order = np.lexsort((index, frame, video))  # stable: of equal keys the lowest rank comes first
        order = order[~_repeats(video[order], frame[order], index[order])]
        frame, label = frame[order], np.concatenate([part.label for part in self._parts])[order]
        scores = {
            name: np.concatenate([part.scores[name] for part in self._parts])[order] for name in self._parts[0].scores
        }
        bounds = np.searchsorted(video[order], np.arange(len(videos) + 1))
        result = []
        for name, first, end in zip(videos, bounds[:-1], bounds[1:], strict=True):
            rows = slice(first, end)
            own = {key: values[rows] for key, values in scores.items()}
            places = self._places(name, order[rows], frame[rows])
            result.append(_average(name, frame[rows], label[rows], own, places))
        return result

    def _places(self, video: str, rows: Array, frame: Array) -> Places | None:
        """Average the heat maps of one video; ``rows`` are sorted by frame, which ``frame`` gives."""
        ends = np.cumsum([len(part.frame) for part in self._parts])
        owners = np.searchsorted(ends, rows, side="right")
        frames, heats, masks, size, region = [], [], [], (0, 0), (0, 0, 0, 0)
        for number, row, owner in zip(frame, rows, owners, strict=True):
            part = self._parts[owner]
            if part.places is None:
                continue
            heat, mask, size = part.places
            region = tuple(part.region[part.video.index(video)].tolist())
            frames.append(number)
            heats.append(heat[row - ends[owner]])  # counted from the end of the part
            masks.append(mask[row - ends[owner]])
        if not frames:
            return None
        starts = np.flatnonzero(~_repeats(np.array(frames)))
        count = np.diff(starts, append=len(frames))[:, None, None]
        return Places(
            row=np.searchsorted(np.unique(frame), np.array(frames)[starts]),
            heat=np.add.reduceat(np.stack(heats).astype(np.float64), starts) / count,
            mask=np.stack(masks)[starts],
            size=size,
            region=region,
        )


def _pack(heat: Tensor, mask: Tensor) -> tuple[Array, Array, tuple[int, int]]:
    """Bring ``(B, T, h, w)`` and ``(B, T, H, W)`` to the CPU: a row per frame, the mask 8 pixels a byte."""
    height, width = mask.shape[-2:]
    bits = np.packbits(mask.flatten(0, 1).flatten(1).cpu().numpy(), axis=1)
    return heat.detach().flatten(0, 1).float().cpu().numpy(), bits, (height, width)


def _average(video: str, frame: Array, label: Array, scores: dict[str, Array], places: Places | None) -> VideoSeries:
    """Average rows of one video, sorted by frame, over the windows that hold the same frame."""
    starts = np.flatnonzero(~_repeats(frame))
    lowest, highest = np.minimum.reduceat(label, starts), np.maximum.reduceat(label, starts)
    for clash in np.flatnonzero(lowest != highest)[:1]:
        labels = f"{lowest[clash]} and {highest[clash]}"
        raise ValueError(f"video {video!r}, frame {frame[starts[clash]]}, is labelled both {labels}")
    count = np.diff(starts, append=len(frame))
    for name, values in scores.items():
        for bad in np.flatnonzero(~np.isfinite(values))[:1]:
            raise ValueError(
                f"video {video!r}, frame {frame[bad]}: {name!r} is {values[bad]}; "
                "no ranking exists, the weights or the input have diverged"
            )
    means = {name: np.add.reduceat(values, starts) / count for name, values in scores.items()}
    return VideoSeries(video, frame[starts], means.pop("score"), lowest, means, places)


def _repeats(*columns: Array) -> NDArray[np.bool_]:
    """Say of every row whether it equals the row before it in all columns."""
    return np.append(False, np.all([column[1:] == column[:-1] for column in columns], axis=0))

"""Scores of overlapping windows, of all processes, averaged to one series of frames per video."""

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from callbacks.clips.places import Array, Places, PlaceTable
from datamodules.batches import FrameScores
from datamodules.gathering import gather_objects


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
        masked: number of frames that have a mask, more than ``places`` has where a sample of them is kept.
    """

    video: str
    frame: Array
    score: Array
    label: Array
    alternatives: dict[str, Array] = field(default_factory=dict)
    places: Places | None = None
    masked: int = 0


@dataclass(frozen=True, slots=True)
class _Part:
    """One batch of B windows of T frames on the CPU, as it came: no larger than its numbers are."""

    video: list[str]  # (B,)
    index: Array  # (B,) number of the window in its dataset
    frame: Array  # (B*T,)
    label: Array  # (B*T,)
    scores: dict[str, Array]  # name -> float32, or float64 if they came so, (B*T,)
    masked: bool  # whether its frames have masks

    @property
    def length(self) -> int:
        return len(self.frame) // len(self.video)


class FrameTable:
    """Collects ``FrameScores`` in any order and split; the series that come out are the same to the last bit.

    A score is known by (window, frame), so what a distributed sampler repeated counts once. Rows are sorted
    before they are summed in float64. Heat maps are kept only beside masks, since nothing else reads them, and only of
    as many frames as :class:`~callbacks.clips.places.PlaceTable` has room for.

    Args:
        places: where to keep heat maps and masks; None: an empty table of the usual size.
    """

    def __init__(self, places: PlaceTable | None = None) -> None:
        self._parts: list[_Part] = []
        self._places = PlaceTable() if places is None else places

    def __len__(self) -> int:
        return len(self._parts)

    def add(self, scores: FrameScores) -> None:
        """Take in a batch of B windows of T frames."""
        named = {"score": scores.score, **scores.alternatives}
        part = _Part(
            video=list(scores.video),
            index=scores.index.cpu().numpy(),
            frame=scores.frame.cpu().numpy().ravel(),
            label=scores.label.to(torch.int8).cpu().numpy().ravel(),
            scores={name: _exactly(value) for name, value in named.items()},
            masked=scores.mask is not None,
        )
        self._parts.append(part)
        self._places.add(scores)

    def gather(self) -> "FrameTable":
        """Return the table of all processes, the same on each; all of them must call it."""
        whole = FrameTable(self._places.gather())
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
        video = np.concatenate([np.repeat([number[name] for name in one.video], one.length) for one in self._parts])
        frame = np.concatenate([part.frame for part in self._parts])
        index = np.concatenate([np.repeat(part.index, part.length) for part in self._parts])
        order = np.lexsort((index, frame, video))  # stable: of equal keys the lowest rank comes first
        order = order[~_repeats(video[order], frame[order], index[order])]
        bounds = np.searchsorted(video[order], np.arange(len(videos) + 1))
        del video, index
        frame, label = frame[order], np.concatenate([part.label for part in self._parts])[order]
        masked = np.concatenate([np.repeat(part.masked, len(part.frame)) for part in self._parts])[order]
        scores = {
            name: np.concatenate([part.scores[name] for part in self._parts])[order] for name in self._parts[0].scores
        }
        kept = self._places.by_video()
        result = []
        for name, first, end in zip(videos, bounds[:-1], bounds[1:], strict=True):
            rows = slice(first, end)
            own = {key: values[rows].astype(np.float64) for key, values in scores.items()}
            places = self._places.places(name, kept[name], np.unique(frame[rows])) if name in kept else None
            with_mask = len(np.unique(frame[rows][masked[rows]]))
            result.append(_average(name, frame[rows], label[rows].astype(np.int64), own, places, with_mask))
        return result


def _exactly(values: Tensor) -> Array:
    """Bring scores to the CPU in a type that holds them exactly, half of whose numbers float64 would not need."""
    values = values.detach().cpu()
    return (values if values.dtype == torch.float64 else values.float()).numpy().ravel()


def _average(
    video: str, frame: Array, label: Array, scores: dict[str, Array], places: Places | None, masked: int
) -> VideoSeries:
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
    return VideoSeries(video, frame[starts], means.pop("score"), lowest, means, places, masked)


def _repeats(*columns: Array) -> NDArray[np.bool_]:
    """Say of every row whether it equals the row before it in all columns."""
    return np.append(False, np.all([column[1:] == column[:-1] for column in columns], axis=0))

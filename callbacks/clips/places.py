"""Heat maps beside masks: of all frames, or of an even sample of them where all would not fit in memory."""

import heapq
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from datamodules.batches import FrameScores
from datamodules.gathering import gather_objects
from datamodules.seeding import derive_seed

Array = NDArray[Any]
Frame = tuple[str, int]

MOST_BYTES = 2**30
"""Memory of the heat maps and masks that are kept; judging them takes up to three times as much for a moment."""

LEAST_FRAMES = 2
"""How many are kept however large they are."""

ARRAY_BYTES = 400
"""What a heat map and a mask take beside their numbers."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where in the picture a video was anomalous, and what the model said of each place.

    Attributes:
        row: int64 ``(M,)``, rows of the series whose mask is kept.
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
        for number, heat in enumerate(self.heat):
            grid = torch.from_numpy(heat)[None, None]
            full = F.interpolate(grid, self.size, mode="bilinear", align_corners=False)[0, 0]
            yield full.numpy()[rows, columns], self.masks(slice(number, number + 1))[0, rows, columns]

    def masks(self, which: Array | slice) -> NDArray[np.bool_]:
        """Return the masks of some of the frames, bool ``(m, H, W)``."""
        bits = np.unpackbits(self.mask[which], axis=1, count=self.size[0] * self.size[1])
        return bits.reshape(-1, *self.size).astype(bool)


class _Seen(NamedTuple):
    """A frame as one window showed it: heat float32 ``(h, w)``, and the mask eight pixels a byte."""

    heat: Array
    mask: Array

    @property
    def bytes(self) -> int:
        return self.heat.nbytes + self.mask.nbytes + ARRAY_BYTES


class _Shape(NamedTuple):
    """Of a video: H, W of its frames with bars, and top, left, height, width of the picture within."""

    size: tuple[int, int]
    region: tuple[int, int, int, int]


class PlaceTable:
    """Collects heat maps and masks of windows in any order and split, of as many frames as fit.

    Where not all do, those with the smallest hash of video and number stay, with all the windows that hold them: a
    function of the frames alone, the same for any order and any number of processes.

    Args:
        most_bytes: memory to keep to.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._frames: dict[Frame, dict[int, _Seen]] = {}  # of each the windows by their numbers
        self._shapes: dict[str, _Shape] = {}
        self._heap: list[tuple[int, Frame]] = []  # the largest hash first
        self._limit: int | None = None  # the smallest hash that was dropped
        self._bytes = 0

    def add(self, scores: FrameScores) -> None:
        """Take in a batch of B windows of T frames; nothing where it has no masks."""
        if scores.mask is None:
            return
        heats, masks, size = _pack(scores.heat, scores.mask)
        regions, frames, index = scores.region.tolist(), scores.frame.tolist(), scores.index.tolist()
        for window, video in enumerate(scores.video):
            self._shapes[video] = _Shape(size, tuple(regions[window]))
            for step, number in enumerate(frames[window]):
                self._keep((video, number), index[window], heats[window, step], masks[window, step])

    def gather(self) -> "PlaceTable":
        """Return the table of all processes, the same on each; all of them must call it."""
        own = {frame: {index: one.bytes for index, one in seen.items()} for frame, seen in self._frames.items()}
        tables = gather_objects((own, self._limit, self._shapes))
        windows: defaultdict[Frame, dict[int, int]] = defaultdict(dict)
        whole = PlaceTable(self._most_bytes)
        for sizes, _, shapes in tables:
            whole._shapes |= shapes
            for frame, of_window in sizes.items():
                windows[frame] |= of_window
        # what one process had no room for does not fit among those of all
        limit = min((limit for _, limit, _ in tables if limit is not None), default=None)
        for place, frame in sorted((_place(frame), frame) for frame in windows):
            takes = sum(windows[frame].values())
            full = whole._bytes + takes > self._most_bytes and len(whole._frames) >= LEAST_FRAMES
            if full or (limit is not None and place >= limit):
                break
            whole._bytes += takes
            whole._frames[frame] = {}
        for part in gather_objects({frame: seen for frame, seen in self._frames.items() if frame in whole._frames}):
            for frame, seen in part.items():
                whole._frames[frame] = seen | whole._frames[frame]  # of equal windows the lowest rank counts
        return whole

    def by_video(self) -> dict[str, list[int]]:
        """Return the rising numbers of the frames that are kept, by video."""
        found: defaultdict[str, list[int]] = defaultdict(list)
        for video, number in sorted(self._frames):
            found[video].append(number)
        return found

    def places(self, video: str, numbers: list[int], frame: Array) -> Places:
        """Average the heat maps of a video.

        Args:
            video: its name.
            numbers: which of its frames; rising.
            frame: int64 ``(N,)``, rising numbers of all its frames, those without a mask too.
        """
        windows = [[seen for _, seen in sorted(self._frames[video, number].items())] for number in numbers]
        count = np.array([len(seen) for seen in windows])
        heats = np.stack([one.heat for seen in windows for one in seen]).astype(np.float64)
        return Places(
            row=np.searchsorted(frame, np.array(numbers)),
            heat=np.add.reduceat(heats, np.cumsum(count) - count) / count[:, None, None],
            mask=np.stack([seen[0].mask for seen in windows]),
            size=self._shapes[video].size,
            region=self._shapes[video].region,
        )

    def _keep(self, frame: Frame, index: int, heat: Array, mask: Array) -> None:
        place = _place(frame)
        if self._limit is not None and place >= self._limit:
            return
        if frame not in self._frames:
            self._frames[frame] = {}
            heapq.heappush(self._heap, (-place, frame))
        if index not in self._frames[frame]:
            seen = _Seen(heat.copy(), mask.copy())  # views would hold the whole batch
            self._frames[frame][index] = seen
            self._bytes += seen.bytes
        while self._bytes > self._most_bytes and len(self._frames) > LEAST_FRAMES:
            falling, last = heapq.heappop(self._heap)
            self._limit = -falling
            self._bytes -= sum(one.bytes for one in self._frames.pop(last).values())


def _place(frame: Frame) -> int:
    return derive_seed("places", *frame)


def _pack(heat: Tensor, mask: Tensor) -> tuple[Array, Array, tuple[int, int]]:
    """Bring ``(B, T, h, w)`` and ``(B, T, H, W)`` to the CPU, the mask 8 pixels a byte: ``(B, T, H * W / 8)``."""
    height, width = mask.shape[-2:]
    bits = np.packbits(mask.flatten(2).cpu().numpy(), axis=2)
    return heat.detach().float().cpu().numpy(), bits, (height, width)

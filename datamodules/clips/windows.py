"""Cutting clips into windows of T frames, in an order that is a function of the seed and the epoch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from datamodules.batches import VideoBatch
from datamodules.clips.augmentation import Jitter, cut_paste_and_cut_out
from datamodules.clips.labels import Labels
from datamodules.letterbox import Region
from datamodules.picture_file import Frame
from datamodules.ranges import check_range
from datamodules.seeding import derive_seed

FrameNumbers = slice | NDArray[np.int64]


class Frames(Protocol):
    """A clip that can be read at any frame: a cached one, or one made from it."""

    @property
    def name(self) -> str:
        """Name, unique within the split."""

    @property
    def length(self) -> int:
        """Number of frames."""

    @property
    def region(self) -> Region:
        """Top, left, height, width of the picture within the letterbox."""

    @property
    def label(self) -> Labels:
        """int8 ``(length,)``: 1 anomalous, 0 normal, -1 unknown."""

    def frames(self, numbers: FrameNumbers) -> Frame:
        """Return uint8 ``(T, C, H, W)``, C = 1 or 3."""

    def masks(self, numbers: FrameNumbers) -> Frame:
        """Return uint8 ``(T, H, W)`` of 0 and 1."""


@dataclass(slots=True)
class Window:
    """One row of a ``VideoBatch``, as arrays."""

    frames: Frame
    video: str
    frame: NDArray[np.int64]
    label: NDArray[np.int64]
    region: Region
    index: int
    mask: Frame | None = None
    pseudo: Frame | None = None
    pseudo_mask: Frame | None = None


def training_starts(length: int, num_frames: int, frame_step: int, stride: int) -> range:
    """First frames of the windows that begin every ``stride`` frames and fit into ``length`` frames."""
    return range(0, length - (num_frames - 1) * frame_step, stride)


def check_stride(key: str, stride: object, num_frames: int) -> None:
    """Make sure that evaluation windows of ``num_frames`` frames, so many apart, see every frame.

    Args:
        key: what was set, for the message.
        stride: distance of the windows, counted in window steps.
        num_frames: T.

    Raises:
        InputError: if it is no whole number from 1 to ``num_frames``.
    """
    why = f"data.num_frames is {num_frames}, and windows further apart leave frames out"
    check_range(key, stride, 1, num_frames, why)


def is_regular_start(start: int, frame_step: int, stride: int) -> bool:
    """Whether a window begins here wherever the clip ends; see ``evaluation_starts``."""
    return (start // frame_step) % stride == 0


def evaluation_starts(length: int, num_frames: int, frame_step: int, stride: int) -> list[int]:
    """First frames of windows that together cover every frame, ascending.

    The clip is seen as ``frame_step`` interleaved ones; in each a window begins every ``stride`` of its
    frames, and a last one ends with it. Needs ``stride <= num_frames`` and ``length >= num_frames * frame_step``.
    """
    last = length - (num_frames - 1) * frame_step
    tail = last - frame_step
    return [start for start in range(last) if start >= tail or is_regular_start(start, frame_step, stride)]


class EvaluationWindows(Dataset[Window]):
    """Windows of clips, unchanged, clip by clip in the order of their first frames.

    Args:
        clips: what to cut.
        starts: the first frames of each clip's windows.
        num_frames: T.
        frame_step: distance of a window's frames.
        with_masks: whether windows carry their masks.
    """

    def __init__(
        self,
        clips: Sequence[Frames],
        starts: Sequence[Sequence[int]],
        num_frames: int,
        frame_step: int,
        with_masks: bool = False,
    ) -> None:
        self._clips = clips
        self._starts = starts
        self._ends = np.cumsum([len(chosen) for chosen in starts])
        self._num_frames = num_frames
        self._frame_step = frame_step
        self._with_masks = with_masks

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, index: int) -> Window:
        number = int(np.searchsorted(self._ends, index, side="right"))
        clip, starts = self._clips[number], self._starts[number]
        start = starts[index - int(self._ends[number])]  # counted from the end of the clip's windows
        chosen = slice(start, start + (self._num_frames - 1) * self._frame_step + 1, self._frame_step)
        return Window(
            frames=clip.frames(chosen),
            video=clip.name,
            frame=np.arange(chosen.start, chosen.stop, chosen.step),
            label=clip.label[chosen].astype(np.int64),
            region=clip.region,
            index=index,
            mask=clip.masks(chosen) if self._with_masks else None,
        )


class TrainingWindows(Dataset[Window]):
    """Windows with augmentation and a pseudo-anomalous copy, both functions of (seed, epoch, index).

    Args:
        windows: the windows as they are in the clips.
        jitter: the augmentation.
        seed: of the run.
        crop: cuts a window before all else; None leaves it whole.
    """

    def __init__(
        self,
        windows: EvaluationWindows,
        jitter: Jitter,
        seed: int,
        crop: Callable[[Window, Generator], None] | None = None,
    ) -> None:
        self._windows = windows
        self._jitter = jitter
        self._seed = seed
        self._crop = crop

    def __len__(self) -> int:
        return len(self._windows)

    def __getitem__(self, key: tuple[int, int]) -> Window:
        epoch, index = key
        random = np.random.default_rng(derive_seed(self._seed, "augment", epoch, index))
        window = self._windows[index]
        if self._crop is not None:
            self._crop(window, random)
        window.frames = self._jitter(window.frames, window.region, random)
        window.pseudo, window.pseudo_mask = cut_paste_and_cut_out(window.frames, window.region, random)
        return window


def collate(windows: Sequence[Window]) -> VideoBatch:
    """Stack windows into a batch; grey ones are spread to three channels."""
    frames = _stack([window.frames for window in windows], channels=3)
    assert frames is not None
    return VideoBatch(
        frames=frames,
        video=[window.video for window in windows],
        frame=torch.from_numpy(np.stack([window.frame for window in windows])),
        label=torch.from_numpy(np.stack([window.label for window in windows])),
        region=torch.tensor([window.region for window in windows]),
        index=torch.tensor([window.index for window in windows]),
        mask=_stack([window.mask for window in windows]),
        pseudo=_stack([window.pseudo for window in windows], channels=3),
        pseudo_mask=_stack([window.pseudo_mask for window in windows]),
    )


def _stack(arrays: Sequence[Frame | None], channels: int | None = None) -> Tensor | None:
    """Stack uint8 arrays ``(T, ...)``, spread to ``channels`` in their second dimension; None if one is."""
    present = [array for array in arrays if array is not None]
    if len(present) < len(arrays):
        return None
    length, *size = present[0].shape
    size[:1] = [channels] if channels else size[:1]
    stacked = np.empty((len(present), length, *size), np.uint8)
    for row, array in zip(stacked, present, strict=True):
        row[...] = array  # a hundred times as fast as stacking what broadcast_to returns
    return torch.from_numpy(stacked)

"""What a loaded model answers: plain arrays with their names, units and ranges, on the CPU.

Pictures are ``(height, width, channels)`` as numpy's and matplotlib's are: uint8 0..255, or float32 in [0, 1].
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from callbacks.clips.events import GAP, RELEASE, SHORTEST, Event, EventRule, find_events
from callbacks.clips.overlay import heat_on_frame
from callbacks.parts.boxes import Box
from datamodules.errors import InputError
from datamodules.picture_file import Frame

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False, slots=True)
class FrameScore:
    """The score of one frame of a video, as soon as no later frame can change it.

    Attributes:
        frame: number of the frame, from 0.
        time: when it is shown, in seconds from the first frame.
        score: raw and unbounded, larger is more anomalous: the mean over the windows that hold the frame.
        anomalous: whether the score lies above the model's threshold; None where it has none.
        heat: float32 ``(h, w)``, raw score of every place on a grid that spans the letterboxed picture.
    """

    frame: int
    time: float
    score: float
    anomalous: bool | None
    heat: Singles


@dataclass(frozen=True, eq=False, slots=True)
class VideoScores:
    """The scores of all T frames of a video.

    Attributes:
        name: of the video.
        fps: frames per second.
        score: float64 ``(T,)``, raw and unbounded, larger is more anomalous.
        threshold: raw score above which a frame is anomalous; None where the model was never calibrated.
        heat: float32 ``(T, h, w)``, raw score of every place on a grid that spans the letterboxed picture; None
            unless it was asked for.
        frame_size: height and width of the video's frames, in pixels.
        size: height and width of the letterboxed picture that the model sees.
        region: top, left, height and width of the frame within it.
    """

    name: str
    fps: float
    score: Floats
    threshold: float | None
    heat: Singles | None
    frame_size: tuple[int, int]
    size: tuple[int, int]
    region: tuple[int, int, int, int]

    def __len__(self) -> int:
        return len(self.score)

    @property
    def time(self) -> Floats:
        """When the frames are shown, float64 ``(T,)``, in seconds from the first."""
        return np.arange(len(self.score)) / self.fps

    @property
    def anomalous(self) -> Bools | None:
        """Which frames lie above the threshold, bool ``(T,)``; None where there is no threshold."""
        return None if self.threshold is None else self.score > self.threshold

    def events(self, release: str | float = RELEASE, shortest: float = SHORTEST, gap: float = GAP) -> list[Event]:
        """Return what lasts from one frame to another, as ``events.csv`` of a prediction has it.

        An event begins above the threshold and ends below the release.

        Args:
            release: A share of the threshold such as ``80%``, or a raw score.
            shortest: Seconds that an event lasts at least; 0: one frame is enough.
            gap: Seconds between two events up to which they are one.

        Raises:
            InputError: If there is no threshold, or an argument is out of its range.
        """
        if self.threshold is None:
            raise InputError(
                f"{self.name}: the model was never calibrated, so that nothing tells where an event begins; load a "
                "checkpoint written after a validation, such as best"
            )
        return find_events(self.score, self.time, EventRule.of(self.threshold, release, shortest, gap))

    def heat_on_frame(self, number: int) -> Singles:
        """Return the heat of every pixel of a frame, float32 ``(height, width)``, in the original's size.

        Raises:
            ValueError: If the heat was not asked for.
        """
        if self.heat is None:
            raise ValueError("the heat was not kept: ask for it by score(video, heat=True)")
        return heat_on_frame(self.heat[number], self.size, self.region, self.frame_size)


@dataclass(frozen=True, eq=False, slots=True)
class PartScore:
    """What a model says of one picture of a part, of H x W pixels.

    Attributes:
        name: of the picture.
        group: what is inspected, such as the fabric.
        score: of the whole picture, raw and unbounded, larger is more anomalous: that of its worst tile.
        defective: whether any tile is.
        threshold: raw score above which a tile is defective.
        pixel_threshold: raw score above which a pixel of the heat is.
        heat: float32 ``(H, W)``, raw score of every pixel; NaN left of ``start``.
        mask: bool ``(H, W)``, whether the heat lies above ``pixel_threshold``.
        boxes: connected places of the mask, each with x, y, width, height and area in pixels and its largest heat as
            ``score``; highest first.
        tile: int64 ``(N, 4)``: top, left, height and width of the tiles, in pixels.
        tile_score: float64 ``(N,)``, raw.
        tile_defective: bool ``(N,)``, whether the score lies above ``threshold``.
        start: first column of the part; what lies left of it is not scored.
    """

    name: str
    group: str
    score: float
    defective: bool
    threshold: float
    pixel_threshold: float
    heat: Singles
    mask: Bools
    boxes: tuple[Box, ...]
    tile: NDArray[np.int64]
    tile_score: Floats
    tile_defective: Bools
    start: int


@dataclass(frozen=True, eq=False, slots=True)
class Embeddings:
    """Latent vectors of N pictures; scikit-learn takes the object itself for its array.

    Attributes:
        name: N names.
        vector: float32 ``(N, D)``, means of the posteriors; over many pictures about standard normal.
    """

    name: tuple[str, ...]
    vector: Singles

    def __len__(self) -> int:
        return len(self.vector)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Return ``vector``, for numpy."""
        wanted = self.vector if dtype is None else self.vector.astype(dtype, copy=False)
        return wanted.copy() if copy else wanted


@dataclass(frozen=True, eq=False, slots=True)
class ReconstructedPictures:
    """N pictures as the model has seen and reconstructed them, without noise.

    Attributes:
        name: N names.
        picture: float32 ``(N, H, W, C)`` in [0, 1]: what the model has seen. C is 1 (grey) or 3 (RGB).
        reconstructed: float32 ``(N, H, W, C)`` in [0, 1].
        psnr: float64 ``(N,)``, in decibels; infinite where both are equal.
        vector: float32 ``(N, D)``, means of the posteriors; None of a model that has none for a whole picture.
        kl: float64 ``(N,)``, divergence of the posteriors from the prior, in nats; None where ``vector`` is.
    """

    name: tuple[str, ...]
    picture: Singles
    reconstructed: Singles
    psnr: Floats
    vector: Singles | None = None
    kl: Floats | None = None

    def __len__(self) -> int:
        return len(self.picture)


@dataclass(frozen=True, eq=False, slots=True)
class DrawnSamples:
    """N pictures that never were.

    Attributes:
        picture: float32 ``(N, H, W, C)`` in [0, 1]; C is 1 (grey) or 3 (RGB).
        vector: float32 ``(N, D)``, the latent vectors that they were drawn from. The n-th depends on seed and n alone.
        clip: float32 ``(N, T, H, W, C)`` in [0, 1], a clip of each; None unless it was asked for.
    """

    picture: Singles
    vector: Singles
    clip: Singles | None = None

    def __len__(self) -> int:
        return len(self.picture)


@dataclass(frozen=True, eq=False, slots=True)
class DrawnVideo:
    """The pictures that a model has drawn to a sound.

    Attributes:
        name: of the sound.
        fps: pictures per second; the video lasts as long as the sound, to half a picture.
        frames: uint8 ``(T, H, W, 3)``, RGB.
    """

    name: str
    fps: float
    frames: Frame

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def time(self) -> Floats:
        """When the pictures are shown, float64 ``(T,)``, in seconds from the first."""
        return np.arange(len(self.frames)) / self.fps

"""Scores of the user's own videos as a table, a timeline and an overlay, written while the video is read."""

import csv
import io
from array import array
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_warn

from callbacks.clips.events import (
    COLUMNS,
    EVENTS,
    GAP,
    RELEASE,
    SHORTEST,
    Event,
    EventRule,
    check_durations,
    find_events,
    release_level,
)
from callbacks.clips.overlay import Overlay
from callbacks.clips.places import Array
from callbacks.clips.plots import draw_scores
from callbacks.clips.window_merger import Merged, WindowMerger
from callbacks.figures import clock, figure, several
from callbacks.file_names import cell
from callbacks.plots import name_title, picture
from callbacks.results import write_rows
from callbacks.streamed_writer import StreamedWriter
from callbacks.text import printable
from callbacks.thresholds import threshold_of
from datamodules.atomic_file import atomic_file
from datamodules.batches import FrameScores, VideoBatch
from datamodules.media import VideoWriter, read_frames
from datamodules.pipeline import ahead
from datamodules.protocols import VideoSource

LEAST_FRAMES, NEARLY_ALL = 50, 0.9
"""Where so large a share of so many frames is unusual, the scene is another one."""
_AHEAD = 4  # frames that wait to be drawn in
_CODED = 26, "ultrafast"  # quality and speed of the overlay: a third of the time of 20 and veryfast, 1.3 times the size


class ClipPredictions(StreamedWriter["_Prediction"]):
    """Writes ``predictions/<video>/`` with ``scores.csv``, ``events.csv``, ``timeline.png`` and ``overlay.mp4``.

    The first table has name, frame, time in seconds, raw score, and 0/1 for anomalous where the module has a
    threshold; the second, which needs a threshold, a row for every event, see :mod:`callbacks.clips.events`. The video
    has the original's size; see :class:`~callbacks.clips.overlay.Overlay` for its colours. Everything is written as the
    windows pass: what is held does not grow with the length of a video, but for eight bytes a frame for the timeline
    and the events.

    Args:
        overlay: whether to write ``overlay.mp4``; it means decoding the video a second time.
        release: where an event that has begun above the threshold ends: a share of it, ``80%``, or a raw score.
        shortest: seconds that an event lasts at least; 0: one frame is enough.
        gap: seconds between two events up to which they are one.

    Raises:
        InputError: if one of the last three is out of its range.
    """

    recording, part = "video", "window"

    def __init__(
        self, overlay: bool = True, release: str | float = RELEASE, shortest: float = SHORTEST, gap: float = GAP
    ) -> None:
        super().__init__()
        check_durations(shortest, gap)
        release_level(release, 1.0)  # refused now, not after the first video
        self.overlay, self._event = overlay, (release, shortest, gap)

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Write the frames that no later window can change.

        Raises:
            RuntimeError: if the windows of a video do not come in one piece.
        """
        assert isinstance(outputs, FrameScores)
        assert isinstance(batch, VideoBatch)
        frames, scores = outputs.frame.cpu().numpy(), outputs.score.double().cpu().numpy()
        heats, regions = outputs.heat.float().cpu().numpy(), outputs.region.tolist()
        threshold = threshold_of(pl_module)
        rule = None if threshold is None else EventRule.of(threshold, *self._event)
        size = batch.frames.shape[-2], batch.frames.shape[-1]

        def write() -> None:
            for row, video in enumerate(outputs.video):
                place = _Place(size, tuple(regions[row]))

                def open_files(source: VideoSource, folder: Path, place: _Place = place) -> _Prediction:
                    return _Prediction(source, folder, place, rule, self.overlay)

                self.files_of(video, open_files).add(frames[row], scores[row], heats[row])

        self.later(write)


class _Place(NamedTuple):
    """Where the picture lies: H, W of the letterboxed frames, and top, left, height, width within."""

    size: tuple[int, int]
    region: tuple[int, int, int, int]


class _Prediction:
    """The files of one video, open until all of its frames are written."""

    def __init__(self, source: VideoSource, folder: Path, place: _Place, rule: EventRule | None, overlay: bool) -> None:
        self.source = source
        self._place, self._rule = place, rule
        self._threshold = threshold = None if rule is None else rule.threshold
        self._merger = WindowMerger(source.name)
        self._scores = array("d")
        self._files = ExitStack()  # closing it puts the files in their places, an error leaves them beside
        self._folder = folder
        binary = self._files.enter_context(atomic_file(self._folder / "scores.csv"))
        text = self._files.enter_context(_text(binary))
        self._table = csv.writer(text, lineterminator="\n")
        anomalous = [] if threshold is None else ["anomalous"]
        self._table.writerow(["name", "frame", "time", "score", *anomalous])
        frames = ahead(read_frames(source.path, source.bit_range), _AHEAD)
        self._frames = self._files.enter_context(closing(frames)) if overlay else None
        self._draw = Overlay(threshold)
        self._overlay: VideoWriter | None = None

    def add(self, frame: Array, score: Array, heat: Array) -> None:
        """Take in a window of T frames."""
        for merged in self._merger.add(frame, score, heat):
            self._write(merged)

    def finish(self, whole: bool) -> None:
        """Write the last frames and put the files in their places; ``whole`` if the video was not cut short."""
        with self._files:
            for merged in self._merger.rest():
                self._write(merged)
            if whole and self._frames is not None and next(self._frames, None) is not None:
                raise RuntimeError(f"{self.source.path} has more than the {len(self._scores)} frames that were scored")
            if self._rule is not None:
                events = [[self.source.name, *event.row()] for event in self._events(self._rule)]
                write_rows(self._folder / EVENTS, ["name", *COLUMNS], events)
            self._draw_timeline()

    @property
    def shown(self) -> str:
        """The overlay, or the timeline where none was wanted."""
        return "timeline.png" if self._frames is None else "overlay.mp4"

    def found(self) -> str:
        """Return how many frames lie above the threshold, and which is the most unusual."""
        score = np.frombuffer(self._scores)
        loudest = f"highest score {figure(score.max())} at {clock(float(score.argmax()) / self.source.fps)}"
        if self._rule is None:
            return f"{several(len(score), 'frame')} scored, {loudest}; no threshold is known"
        above = score > self._rule.threshold
        if len(score) >= LEAST_FRAMES and above.mean() > NEARLY_ALL:
            rank_zero_warn(
                f"{printable(self.source.name)}: {above.mean():.0%} of its frames lie above the threshold. Is it "
                "another scene, camera or light than the model was trained on? Then its scores say nothing: train on "
                "that one."
            )
        events = several(len(self._events(self._rule)), "event")
        return f"{int(above.sum()):,} of {several(len(score), 'frame')} above the threshold, in {events}, {loudest}"

    def abandon(self, error: BaseException) -> None:
        """Close the files where they are."""
        self._files.__exit__(type(error), error, error.__traceback__)

    def _events(self, rule: EventRule) -> list[Event]:
        score = np.frombuffer(self._scores)
        return find_events(score, np.arange(len(score)) / self.source.fps, rule)

    def _write(self, merged: Merged) -> None:
        self._scores.append(merged.score)
        anomalous = [] if self._threshold is None else [int(merged.score > self._threshold)]
        time = merged.frame / self.source.fps
        self._table.writerow([cell(self.source.name), merged.frame, f"{time:.3f}", cell(merged.score), *anomalous])
        if self._frames is None:
            return
        frame = next(self._frames, None)
        if frame is None:
            raise RuntimeError(f"{self.source.path} ends before frame {merged.frame}, which was scored")
        if self._overlay is None:
            writer = VideoWriter(self._folder / "overlay.mp4", self.source.fps, frame.shape[:2], *_CODED)
            self._overlay = self._files.enter_context(writer)
        self._overlay.write(self._draw.draw(frame, merged.score, merged.heat, *self._place))

    def _draw_timeline(self) -> None:
        score = np.frombuffer(self._scores)
        time = np.arange(len(score)) / self.source.fps
        above = score > self._threshold if self._threshold is not None else None
        with picture(self._folder / "timeline.png", 11, 3.2) as figure:
            axes = figure.subplots()
            draw_scores(axes, time, score, self._threshold, above)
            known = "shaded: above the dashed threshold" if self._threshold is not None else "no threshold is known"
            name_title(axes, self.source.name)
            axes.set(xlabel=f"time (s), {known}", ylabel="score (raw)")


@contextmanager
def _text(binary: BinaryIO) -> Iterator[io.TextIOWrapper]:
    """Write text into an open binary file, which stays open."""
    text = io.TextIOWrapper(binary, encoding="utf-8", newline="", write_through=False)
    try:
        yield text
    finally:
        text.detach()

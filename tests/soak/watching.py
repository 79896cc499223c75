"""A watch of frames that are made as they are needed: how much memory it takes as it goes on."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from callbacks.clips.events import EventRule
from datamodules.batches import FrameScores, VideoBatch
from datamodules.clips.live_stream import FileStream, Prepare
from datamodules.clips.live_windows import LiveWindows
from datamodules.clips.video_stream import WindowCutter
from datamodules.clips.windows import collate
from datamodules.letterbox import Letterbox
from datamodules.picture_file import Frame
from fulgurite.live.alarms import CLIPS, Alarms
from fulgurite.live.clips import ClipRecorder
from fulgurite.live.scores import LiveScores
from tests.soak.memory import Look

EDGE, FPS = 16, 25
EVENT = 1000
"""Frames from one event to the next."""


def frames(count: int) -> Iterator[tuple[float, Frame]]:
    """Yield dark frames, and bright ones for a second now and then."""
    dark, bright = (np.full((EDGE, EDGE, 3), value, np.uint8) for value in (60, 180))
    for number in range(count):
        yield number / FPS, bright if number % EVENT < FPS else dark


def scored(batch: VideoBatch) -> FrameScores:
    """Score brightness, as no model does so quickly."""
    score = batch.frames.float().mean((2, 3, 4)) / 100
    heat = torch.zeros(*score.shape, 2, 2)
    return FrameScores(batch.video, batch.frame, batch.label, batch.index, score, heat, batch.region)


def watched(count: int, folder: Path, looks: int) -> list[Look]:
    """Watch so many frames, with tables and clips, and look at the process so often."""
    (folder / CLIPS).mkdir(parents=True)
    recorder = ClipRecorder(1.0, 0.0, 60.0, print)
    alarms = Alarms(folder, "made", EventRule(1.0, 0.8), False, 1.0, recorder, None, lambda _: None)
    scores = LiveScores("made", alarms.take)
    stream = FileStream(frames(count), Prepare(Letterbox(EDGE, EDGE), True), lambda: False, real_time=False)
    windows = LiveWindows(stream, lambda name, region: WindowCutter(name, region, 4, 1, 2), 8, collate, scores)
    seen, every = [], count // looks
    for number, batch in enumerate(windows):
        scores.on_predict_batch_end(None, None, scored(batch), batch, number)  # type: ignore[arg-type]  # it reads neither
        if scores.scored >= every * (len(seen) + 1):
            seen.append(Look.now(scores.scored))
    alarms.close()
    alarms.close_tables()
    assert scores.scored == count, scores.scored
    assert alarms.count == -(-count // EVENT), alarms.count
    return seen

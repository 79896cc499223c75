"""Scores of normal video, from which the threshold for a rate of false alarms follows."""

from array import array
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from lightning.pytorch import Callback, LightningModule, Trainer

from callbacks.clips.events import EventRule
from callbacks.clips.false_alarms import AlarmRate, Recording, refuse_too_little, threshold_for
from callbacks.clips.window_merger import WindowMerger
from datamodules.clips.video_stream import PredictSource
from fulgurite.live.scores import refuse_other_answers


class NormalScores(Callback):
    """Collects the scores of a prediction, eight bytes a frame."""

    def __init__(self) -> None:
        self._mergers: dict[str, WindowMerger] = {}
        self._scores: dict[str, array[float]] = {}

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Take in a batch."""
        refuse_other_answers(outputs, pl_module)
        frames, scores = outputs.frame.cpu().numpy(), outputs.score.double().cpu().numpy()
        nothing = np.zeros((frames.shape[1], 0, 0), np.float32)
        for row, name in enumerate(outputs.video):
            merger = self._mergers.setdefault(name, WindowMerger(name))
            final = merger.add(frames[row], scores[row], nothing)
            self._scores.setdefault(name, array("d")).extend(one.score for one in final)

    def recordings(self, sources: Sequence[PredictSource]) -> list[Recording]:
        """Return the scores of the videos that were predicted on, with their times."""
        found = []
        for source in sources:
            scores = self._scores[source.name]
            scores.extend(one.score for one in self._mergers[source.name].rest())
            found.append((np.array(scores), np.arange(len(scores)) / source.fps))
        return found


def refuse_short(sources: Sequence[PredictSource], rate: float, what: str) -> None:
    """Refuse a rate that the videos are too short for, before they are scored, as far as their lengths are known."""
    if all(source.frames is not None for source in sources):
        seconds = sum((source.frames or 0) / source.fps for source in sources)
        refuse_too_little(seconds / 3600, rate, what)


def threshold_of_rate(
    recordings: Sequence[Recording],
    sources: Sequence[PredictSource],
    rate: float,
    what: str,
    rule: Callable[[float], EventRule],
) -> AlarmRate:
    """Return the threshold at which normal video has at most so many events an hour; see ``threshold_for``."""
    pairs = zip(recordings, sources, strict=True)
    hours = sum(len(scores) / source.fps for (scores, _), source in pairs) / 3600
    refuse_too_little(hours, rate, what)
    return threshold_for(recordings, hours, rate, rule)

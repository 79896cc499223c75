"""A loaded model on videos: frames scored as ``predict`` scores them, in memory that does not grow with the length."""

from array import array
from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

import numpy as np
import torch

from callbacks.clips.window_merger import Merged, WindowMerger
from callbacks.images.predictions import decibels
from callbacks.thresholds import threshold_of
from datamodules import VideoSnippetDataModule
from datamodules.batches import FrameScores, VideoBatch
from datamodules.clips.video_stream import PredictSource
from datamodules.errors import InputError
from datamodules.media import FOLDER_FPS
from datamodules.protocols import HasVisuals
from fulgurite.python.answers import FrameScore, ReconstructedPictures, VideoScores
from fulgurite.python.inputs import Given, all_paths, frames_of, is_path, path_of
from fulgurite.python.rooms import Room, check_answer, the_only
from fulgurite.python.runner import Runner


class _View(NamedTuple):
    """A video, and how the model sees it: height and width, and top, left, height, width of the frame within."""

    source: PredictSource
    size: tuple[int, int]
    region: tuple[int, int, int, int]


class ClipRoom(Room):
    """Scores and reconstructs videos.

    Args:
        runner: The model; it answers windows with scores of their frames.
        data: Of its training.
    """

    def __init__(self, runner: Runner, data: VideoSnippetDataModule) -> None:
        super().__init__(runner)
        self._data = data

    def offered(self) -> list[str]:
        """Return what this model answers."""
        return [
            "score",
            "score_each",
            "stream",
            *(["reconstruct"] if isinstance(self.runner.module, HasVisuals) else []),
        ]

    def score(self, given: Given, heat: bool, fps: float | None, group: str | None) -> VideoScores:
        """Score the one video that is given."""
        data = self._opened(given, fps, group)
        the_only(data.predict_sources, lambda source: source.name, "video", "score_each")
        return next(self._scored(data, heat))

    def score_each(self, given: Given, heat: bool, fps: float | None, group: str | None) -> Iterator[VideoScores]:
        """Score one video after another."""
        for one in all_paths(given) or [given]:
            yield from self._scored(self._opened(one, fps, group), heat)

    def stream(self, given: Given, fps: float | None) -> Iterator[FrameScore]:
        """Yield the score of every frame of the one video that is given, as soon as it is final."""
        data = self._opened(given, fps, None)
        the_only(data.predict_sources, lambda source: source.name, "video", "score_each")
        threshold = threshold_of(self.runner.module)
        for view, merged in self._merged(data):
            anomalous = None if threshold is None else merged.score > threshold
            yield FrameScore(merged.frame, merged.frame / view.source.fps, merged.score, anomalous, merged.heat)

    def reconstruct(self, given: Given, fps: float | None) -> ReconstructedPictures:
        """Return the frames of the one video that is given beside what the model makes of them."""
        data = self._opened(given, fps, None)
        video = the_only(data.predict_sources, lambda source: source.name, "video", "score_each")
        merger = WindowMerger(video.name)
        frames: list[Merged] = []
        for batch in data.predict_dataloader():
            shown = self.runner.call("visuals", batch)
            if missing := {"input", "reconstruction"} - shown.keys():
                raise InputError(f"{type(self.runner.module).__name__} shows no {' and no '.join(sorted(missing))}")
            both = torch.stack([shown["input"], shown["reconstruction"]], 2).float().cpu().numpy()  # (B, T, 2, C, H, W)
            for numbers, pictures in zip(batch.frame.numpy(), both, strict=True):
                frames += merger.add(numbers, np.zeros(len(numbers)), pictures)
        frames += merger.rest()
        pairs = np.stack([merged.heat for merged in frames])
        seen, made = pairs[:, 0], pairs[:, 1]
        return ReconstructedPictures(
            name=tuple(f"{video.name}, frame {merged.frame}" for merged in frames),
            picture=np.ascontiguousarray(seen.transpose(0, 2, 3, 1)),
            reconstructed=np.ascontiguousarray(made.transpose(0, 2, 3, 1)),
            psnr=decibels(torch.from_numpy(seen), torch.from_numpy(made)).numpy(),
        )

    def _opened(self, given: Given, fps: float | None, group: str | None) -> VideoSnippetDataModule:
        """Return a data module that predicts on what is given."""
        if group is not None:
            raise InputError(f"group: is {group}, and videos have none; leave it out")
        if not is_path(given):
            return self._data.for_frames(frames_of(given), FOLDER_FPS if fps is None else fps, "frames")
        if fps is not None:
            raise InputError(f"fps: is {fps:g}, and a video file has its own rate; leave it out")
        data = self._data.for_source(str(path_of(given)))
        data.setup("predict")
        return data

    def _scored(self, data: VideoSnippetDataModule, heat: bool) -> Iterator[VideoScores]:
        threshold = threshold_of(self.runner.module)
        for _, frames in groupby(self._merged(data), lambda found: found[0].source.name):
            scores, heats, view = array("d"), [], None
            for view, merged in frames:  # noqa: B007  # used below
                scores.append(merged.score)
                if heat:
                    heats.append(merged.heat)
            assert view is not None  # a group is never empty
            source = view.source
            yield VideoScores(
                name=source.name,
                fps=source.fps,
                score=np.array(scores),
                threshold=threshold,
                heat=np.stack(heats) if heat else None,
                frame_size=(source.height, source.width),
                size=view.size,
                region=view.region,
            )

    def _merged(self, data: VideoSnippetDataModule) -> Iterator[tuple[_View, Merged]]:
        """Yield every frame of all videos with the mean over the windows that hold it."""
        waiting = {source.name: source for source in data.predict_sources}
        view: _View | None = None
        merger = WindowMerger("")
        for batch, answer in self.runner.answers(data.predict_dataloader()):
            check_answer(self.runner.module, answer, FrameScores)
            assert isinstance(batch, VideoBatch)
            frames, scores = answer.frame.cpu().numpy(), answer.score.cpu().double().numpy()
            heats, regions = answer.heat.float().cpu().numpy(), answer.region.tolist()
            for row, video in enumerate(answer.video):
                if view is None or view.source.name != video:
                    if view is not None:
                        yield from ((view, merged) for merged in merger.rest())
                    height, width = batch.frames.shape[-2:]
                    view = _View(waiting.pop(video), (height, width), tuple(regions[row]))
                    merger = WindowMerger(video)
                for merged in merger.add(frames[row], scores[row], heats[row]):
                    yield view, merged
        if view is not None:
            yield from ((view, merged) for merged in merger.rest())

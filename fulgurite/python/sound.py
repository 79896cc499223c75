"""A loaded model on sound: the pictures that it draws, as ``predict`` puts them into its video."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from callbacks.sound.predictions import CrossFade, to_pixels
from datamodules import AudioVideoDataModule
from datamodules.batches import GeneratedClips
from datamodules.errors import InputError
from datamodules.picture_file import Frame
from fulgurite.python.answers import DrawnVideo
from fulgurite.python.inputs import Given, is_path, path_of, rgb_of, sound_of
from fulgurite.python.rooms import Room, check_answer, the_only
from fulgurite.python.runner import Runner


class SoundRoom(Room):
    """Draws to sounds.

    Args:
        runner: The model; it answers pieces of sound with pictures.
        data: Of its training.
    """

    def __init__(self, runner: Runner, data: AudioVideoDataModule) -> None:
        super().__init__(runner)
        self._data = data

    def offered(self) -> list[str]:
        """Return what this model answers."""
        return ["draw", "draw_frames"]

    def draw(self, given: Given, rate: int | None, still: Given) -> DrawnVideo:
        """Return all pictures to the one sound that is given."""
        data = self._opened(given, rate, still)
        source = data.predict_sources[0]
        return DrawnVideo(source.name, source.fps, np.stack([*self._drawn(data)]))

    def draw_frames(self, given: Given, rate: int | None, still: Given) -> Iterator[Frame]:
        """Yield the pictures one by one, as soon as no later sound can change them."""
        yield from self._drawn(self._opened(given, rate, still))

    def _opened(self, given: Given, rate: int | None, still: Given) -> AudioVideoDataModule:
        """Return a data module that predicts on the one sound that is given, drawn on the still picture."""
        data = self._heard(given, rate)
        if still is not None:
            data.still = str(path_of(still)) if is_path(still) else rgb_of(still, "still")
            module: Any = self.runner.module
            module.check_data(data)
        return data

    def _heard(self, given: Given, rate: int | None) -> AudioVideoDataModule:
        if not is_path(given):
            return self._data.for_sound(*sound_of(given, rate), "sound")
        if rate is not None:
            raise InputError(f"rate: is {rate}, and a file has its own; leave it out")
        data = self._data.for_source(str(path_of(given)))
        data.setup("predict")
        the_only(data.predict_sources, lambda source: source.name, "sound", "draw for each of them")
        return data

    def _drawn(self, data: AudioVideoDataModule) -> Iterator[Frame]:
        (source,) = data.predict_sources
        fade = CrossFade()
        for batch, answer in self.runner.answers(data.predict_dataloader()):
            check_answer(self.runner.module, answer, GeneratedClips)
            for row, pictures in enumerate(answer.frames.float().cpu()):
                first, count = round(float(batch.start[row]) * source.fps), int(batch.valid[row].sum())
                yield from map(to_pixels, fade.add(first, pictures, count))
        yield from map(to_pixels, fade.rest())

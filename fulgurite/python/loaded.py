"""A trained model as an object of Python: what it can do are its methods, and each says what comes of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningDataModule, LightningModule

from callbacks.images.drawn import latents
from callbacks.thresholds import pixel_threshold_of, threshold_of
from datamodules import AitexDataModule, AudioVideoDataModule, ImageFolderDataModule, VideoSnippetDataModule
from datamodules.errors import InputError
from datamodules.picture_file import Frame
from datamodules.protocols import Decodes, GeneratesVideo
from fulgurite.python.answers import (
    DrawnSamples,
    DrawnVideo,
    Embeddings,
    FrameScore,
    PartScore,
    ReconstructedPictures,
    VideoScores,
)
from fulgurite.python.clips import ClipRoom
from fulgurite.python.images import ImageRoom
from fulgurite.python.inputs import Given
from fulgurite.python.parts import PartRoom
from fulgurite.python.rooms import Room
from fulgurite.python.runner import Runner
from fulgurite.python.sound import SoundRoom
from fulgurite.sample import AT_ONCE, noise_of, samplers_of

_WHO = {
    "score": "VTAGAN and AitexVAE",
    "score_each": "VTAGAN and AitexVAE",
    "stream": "VTAGAN",
    "embed": "MotorVAEGAN and CNNParamTanh",
    "reconstruct": "all but AudioToVideo",
    "sample": "MotorVAEGAN and CNNParamTanh",
    "draw": "AudioToVideo",
    "draw_frames": "AudioToVideo",
}
"""Which of the systems answer, by the name of the method."""


class NotOffered(InputError, TypeError):
    """A model was asked for what it cannot do; the message says what it can."""


class Loaded:
    """A trained model, ready for use; :func:`fulgurite.load` makes it.

    Every method takes the path of a file or a folder, an array of numpy (channels last) or torch (channels first) of
    bytes, or an iterable of those, and returns arrays of numpy on the CPU. The answers are those of ``lightning
    predict`` and ``lightning sample`` by the same weights, to the last digit on the same device.

    Attributes:
        module: The model, a ``LightningModule`` in evaluation mode with its weights, averaged where an average is kept.
        data: Its data module, with what the checkpoint knows of the training data.
        checkpoint: The file that the weights are from.
        can: Names of the methods that answer.
    """

    def __init__(self, runner: Runner, data: LightningDataModule, checkpoint: Path) -> None:
        self.module: LightningModule = runner.module
        self.data, self.checkpoint = data, checkpoint
        self._runner = runner
        self._room: Any = _room(runner, data)
        self.can: tuple[str, ...] = (*self._room.offered(), *(["sample"] if isinstance(self.module, Decodes) else []))

    def __repr__(self) -> str:
        return f"<{self.system} of {self.checkpoint} on {self.device}: can {', '.join(self.can) or 'nothing'}>"

    @property
    def system(self) -> str:
        """Name of the model's class."""
        return type(self.module).__name__

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self._runner.device

    @property
    def threshold(self) -> float | None:
        """Raw score above which a frame, a tile or a picture counts as anomalous; None where the model has none."""
        return threshold_of(self.module)

    @property
    def pixel_threshold(self) -> float | None:
        """Raw score above which a pixel of a part's heat does; None where the model has none."""
        return pixel_threshold_of(self.module)

    def score(
        self, source: Given, *, heat: bool = False, fps: float | None = None, group: str | None = None
    ) -> VideoScores | PartScore:
        """Score one video frame by frame, or one picture of a part with its tiles and pixels.

        A video is read as it is scored, and never held in memory as a whole.

        Args:
            source: A video file, a folder of its frames, frames uint8 ``(T, H, W, 3)``, or an iterable of frames; for a
                model of parts a picture.
            heat: Whether to keep the heat of every frame of a video; that of a part is always there.
            fps: Frames per second of frames that are no file; None: 25, as of a folder of frames.
            group: What a picture of a part shows that is no file, where the model knows several groups.

        Raises:
            NotOffered: If the model gives no scores.
            InputError: If what is given cannot be used; if it is several videos or pictures.
        """
        return self._room_for("score").score(source, heat, fps, group)

    def score_each(
        self, source: Given, *, heat: bool = False, fps: float | None = None, group: str | None = None
    ) -> Iterator[VideoScores | PartScore]:
        """Score one video, or one picture of a part, after another; each is yielded before the next one is read.

        Args:
            source: A folder, a list of paths, or an iterable of pictures.
            heat: As in ``score``.
            fps: As in ``score``.
            group: As in ``score``.

        Raises:
            NotOffered: If the model gives no scores.
            InputError: If what is given cannot be used.
        """
        return self._room_for("score_each").score_each(source, heat, fps, group)

    def stream(self, source: Given, *, fps: float | None = None) -> Iterator[FrameScore]:
        """Yield the score of every frame of a video as soon as no later frame can change it.

        That is when the last window that holds it was scored; ``data.eval_batch_size`` windows are scored at a time.
        What is held in memory does not grow with the length.

        Args:
            source: As in ``score``; frames of a camera too.
            fps: Frames per second of frames that are no file; None: 25.

        Raises:
            NotOffered: If the model scores no videos.
            InputError: If what is given cannot be used.
        """
        return self._room_for("stream").stream(source, fps)

    def embed(self, pictures: Given) -> Embeddings:
        """Return the latent vectors of pictures, the means of their posteriors.

        Args:
            pictures: A file, a folder at any depth, one picture, a stack, or an iterable of pictures and paths of any
                sizes; they are brought to the model's as in the training.

        Raises:
            NotOffered: If the model has no latent vectors of pictures.
            InputError: If what is given cannot be used.
        """
        return self._room_for("embed").embed(pictures)

    def reconstruct(self, source: Given, *, fps: float | None = None) -> ReconstructedPictures:
        """Return pictures, the frames of a video, or a picture of a part, beside what the model makes of them.

        All of them are held in memory.

        Args:
            source: As for ``embed``, of videos and parts as for ``score``.
            fps: As in ``score``.

        Raises:
            NotOffered: If the model reconstructs nothing.
            InputError: If what is given cannot be used.
        """
        return self._room_for("reconstruct").reconstruct(source, fps)

    def sample(
        self, count: int = 64, *, seed: int = 1, sampler: str | None = None, clips: bool = False
    ) -> DrawnSamples:
        """Draw new pictures.

        Args:
            count: Number of them.
            seed: Of their latent vectors; the n-th sample depends on it and n alone.
            sampler: What these are drawn from: ``prior``, ``gaussian`` or ``mixture``; None leaves it to the model.
            clips: Whether to draw a clip of each as well.

        Raises:
            NotOffered: If the model draws no pictures, or no clips.
            InputError: If there is none to draw.
        """
        self._room_for("sample")
        if count < 1:
            raise InputError(f"count: is {count}; give at least 1")
        if clips and not isinstance(self.module, GeneratesVideo):
            raise NotOffered(f"{self.system} draws pictures and no clips, which CNNParamTanh does; leave clips out")
        module: Any = self.module
        if sampler is not None and sampler not in (known := samplers_of(module)):
            raise InputError(f"sampler: is {sampler}; {self.system} draws from {' | '.join(known)}")
        noise = noise_of(seed, count, module.latent_dim)
        z: list[torch.Tensor] = []
        drawn: dict[str, list[torch.Tensor]] = {"generate_video": [], "decode": []}
        for some in noise.split(AT_ONCE):
            latent = self._runner.apply(latents, some, sampler)
            z.append(latent.float().cpu())
            for method in drawn if clips else ("decode",):
                drawn[method].append(self._runner.call(method, latent).float().cpu())
        pictures = torch.cat(drawn["decode"]).movedim(-3, -1).numpy()
        moving = torch.cat(drawn["generate_video"]).movedim(-3, -1).numpy() if clips else None
        moving = None if moving is None else np.ascontiguousarray(moving)
        return DrawnSamples(np.ascontiguousarray(pictures), torch.cat(z).numpy(), moving)

    def draw(self, sound: Given, *, rate: int | None = None, still: Given = None) -> DrawnVideo:
        """Draw the pictures that follow a sound.

        Args:
            sound: A sound file, a video with sound, or floats ``(samples,)`` or ``(channels, samples)`` in [-1, 1].
            rate: Samples per second of what is no file.
            still: What a model that takes a still picture draws on: a picture, or the file of one or of a video whose
                mean picture is taken. None: the mean picture of the training clips.

        Raises:
            NotOffered: If the model does not draw to sound.
            InputError: If what is given cannot be used.
        """
        return self._room_for("draw").draw(sound, rate, still)

    def draw_frames(self, sound: Given, *, rate: int | None = None, still: Given = None) -> Iterator[Frame]:
        """Yield the pictures of ``draw`` one by one, uint8 ``(H, W, 3)``, in memory that does not grow.

        Args:
            sound: As in ``draw``.
            rate: As in ``draw``.
            still: As in ``draw``.

        Raises:
            NotOffered: If the model does not draw to sound.
            InputError: If what is given cannot be used.
        """
        return self._room_for("draw_frames").draw_frames(sound, rate, still)

    def _room_for(self, verb: str) -> Any:
        if verb not in self.can:
            able = f"it can {', '.join(self.can)}" if self.can else "nothing can be asked of it but its module"
            raise NotOffered(f"{self.system} cannot {verb}: {able}. Of the systems here these can: {_WHO[verb]}")
        return self._room


def _room(runner: Runner, data: LightningDataModule) -> Room:
    """Return what works on the kind of data that the model was trained on."""
    if isinstance(data, VideoSnippetDataModule):
        return ClipRoom(runner, data)
    if isinstance(data, AitexDataModule):
        return PartRoom(runner, data)
    if isinstance(data, ImageFolderDataModule):
        return ImageRoom(runner, data)
    if isinstance(data, AudioVideoDataModule):
        return SoundRoom(runner, data)
    return Room(runner)

r"""AudioToVideoNetStill: a still picture, and what the sound moves in it.

    sound (B, 1, N) -> encoder (B, width, L) -> interpolated to one vector a frame (B, T, width) -> linear (B, T, K)
      -> times K movements (K, 3, H, W) -> added to the still picture (B, 3, H, W) -> frames (B, T, 3, H, W)

The movements are the principal components of how the training pictures differ from the mean picture of their piece,
each of the length of its standard deviation ("eigenfaces": Turk and Pentland 1991). They are found before the first
step, travel in the checkpoint and are not trained: what is learned is when the sound calls for which of them, a few
numbers a frame instead of all of its pixels. A few minutes of clips are enough for that.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn

from datamodules.errors import InputError
from datamodules.protocols import HasMovements
from lightning_models.audio_to_video.encoders import AudioEncoder, EncoderCallable
from lightning_models.audio_to_video.mel_encoder import MelEncoder
from lightning_models.audio_to_video.network import AudioToFrames
from lightning_models.class_path import as_factory


class AudioToVideoNetStill(AudioToFrames):
    """Draws what the sound moves on a still picture.

    Args:
        fps: frames a second.
        sample_rate: samples a second.
        image_size: edge of a frame in pixels.
        width: length of a frame's vector.
        movements: K, ways to move that are combined; the strongest ones of the training pictures.
        encoder: makes what listens, from ``width``; None: :class:`MelEncoder` at this sample rate.
        max_frames: longest clip in frames.
    """

    takes_still: ClassVar[bool] = True
    mean_picture: Tensor
    movements: Tensor

    def __init__(
        self,
        fps: float = 25.0,
        sample_rate: int = 16000,
        image_size: int = 64,
        width: int = 96,
        movements: int = 24,
        encoder: EncoderCallable | None = None,
        max_frames: int = 256,
    ) -> None:
        if image_size < 1 or movements < 1 or width < 1:
            raise InputError(
                f"model.image_size is {image_size}, model.network.movements {movements} and model.network.width "
                f"{width}: give at least 1 of each"
            )
        listens = as_factory(encoder, AudioEncoder)(width) if encoder else MelEncoder(width, sample_rate=sample_rate)
        super().__init__(listens, fps, sample_rate, image_size, max_frames)
        self.amounts = nn.Linear(width, movements)
        nn.init.zeros_(self.amounts.weight)  # who has learned nothing draws the still picture
        nn.init.zeros_(self.amounts.bias)
        self.register_buffer("mean_picture", torch.full((3, image_size, image_size), 0.5))
        self.register_buffer("movements", torch.zeros(movements, 3, image_size, image_size))

    def begin(self, data: object) -> None:
        """Take over the mean picture and the movements of the training clips; of few pictures the last ones stay empty.

        Raises:
            InputError: the data module has none.
        """
        if not isinstance(data, HasMovements):
            raise InputError(
                f"model.network: {type(self).__name__} needs the movements of the training clips, and "
                f"{type(data).__name__} has none; choose AudioToVideoNet"
            )
        found = data.movements(len(self.movements))
        self.movements.zero_()[: len(found)] = found
        self.mean_picture.copy_(data.mean_picture())

    def features(self, audio: Tensor) -> Tensor:
        """Map sound ``(B, 1, N)`` in [-1, 1] to how much of each movement, in standard deviations: ``(B, T, K)``."""
        amounts: Tensor = self.amounts(self._latents(audio)[1])
        return amounts

    def decode(self, features: Tensor) -> Tensor:
        """Add up movements by ``(M, K)`` to changes ``(M, 3, H, W)``."""
        return (features @ self.movements.flatten(1)).unflatten(1, self.movements.shape[1:])

    def finish(self, frames: Tensor, still: Tensor | None) -> Tensor:
        """Add changes ``(B, T, 3, H, W)`` to still pictures ``(B, 3, H, W)``, None: the mean of the training's."""
        ground = self.mean_picture.expand(len(frames), -1, -1, -1) if still is None else still
        return (ground[:, None] + frames).clamp(0, 1)

    def attention(self, audio: Tensor) -> Tensor:
        """Return ``(B, 0, T, T)``: there is no layer of attention."""
        frames = self.num_frames(audio.shape[-1])
        return torch.empty(len(audio), 0, frames, frames, device=audio.device)

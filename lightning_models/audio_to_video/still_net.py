r"""AudioToVideoNetStill: a still picture, and what the sound moves in it.

    sound (B, 1, N) -> encoder (B, width, L) -> interpolated to one vector a frame (B, T, width) -> linear (B, T, K)
      -> times K movements (K, 3, H, W) -> added to the still picture (B, 3, H, W) -> frames (B, T, 3, H, W)

A frame is a few numbers and one sum instead of a network that draws, so that little can be learned by heart, and a few
minutes of clips are enough.

A movement is one of the ``components`` of the training pictures, so that pixels that move together are drawn together,
and all that is learned is how much of each is heard; or it is learned, too: of components, or of pixels, each in shares
of how much it moves in the training pictures. Either way what never moves stays as it is.
"""

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from datamodules.errors import InputError
from datamodules.protocols import HasComponents, HasDeviation, HasMeanPicture
from lightning_models.audio_to_video.encoders import AudioEncoder, EncoderCallable
from lightning_models.audio_to_video.mel_encoder import MelEncoder
from lightning_models.audio_to_video.network import AudioToFrames
from lightning_models.class_path import as_factory

_LEARNED = 24


class AudioToVideoNetStill(AudioToFrames):
    """Draws what the sound moves on a still picture.

    Args:
        fps: frames a second.
        sample_rate: samples a second.
        image_size: edge of a frame in pixels.
        width: length of a frame's vector.
        movements: K, ways to move that are learned and combined; None: every component is one by itself, and without
            components 24 are learned.
        components: principal components of how the training pictures change that movements are made of; 0: of pixels.
        strength: how many times as strongly as learned movements are drawn outside of training: the squared error makes
            them smaller than they are where the sound leaves them uncertain.
        encoder: makes what listens, from ``width``; None: :class:`MelEncoder` at this sample rate.
        max_frames: longest clip in frames.
    """

    takes_still: ClassVar[bool] = True
    mean_picture: Tensor
    deviation: Tensor
    components: Tensor | None
    movements: nn.Parameter | None

    def __init__(
        self,
        fps: float = 25.0,
        sample_rate: int = 16000,
        image_size: int = 64,
        width: int = 96,
        movements: int | None = None,
        components: int = 0,
        strength: float = 1.0,
        encoder: EncoderCallable | None = None,
        max_frames: int = 256,
    ) -> None:
        learned = _LEARNED if movements is None and not components else movements
        if image_size < 1 or width < 1 or (learned is not None and learned < 1):
            raise InputError(
                f"model.image_size is {image_size}, model.network.movements {movements} and model.network.width "
                f"{width}: give at least 1 of each"
            )
        if components < 0:
            raise InputError(f"model.network.components: is {components}; give at least 1, or 0 for pixels")
        if not 0 < strength < math.inf:
            raise InputError(f"model.network.strength: is {strength}; give a factor above 0; 1 draws what was learned")
        listens = as_factory(encoder, AudioEncoder)(width) if encoder else MelEncoder(width, sample_rate=sample_rate)
        super().__init__(listens, fps, sample_rate, image_size, max_frames)
        self.strength = strength
        self.amounts = nn.Linear(width, learned or components)
        shape = 3, image_size, image_size
        # who has learned nothing draws the still picture
        if learned is None:
            nn.init.zeros_(self.amounts.weight)
            nn.init.zeros_(self.amounts.bias)
            self.register_parameter("movements", None)
        else:
            self.movements = nn.Parameter(torch.zeros(learned, *([components] if components else shape)))
        self.register_buffer("components", torch.zeros(components, *shape) if components else None)
        self.register_buffer("mean_picture", torch.full(shape, 0.5))
        self.register_buffer("deviation", torch.ones(image_size, image_size))

    def begin(self, data: object) -> None:
        """Take over the mean of the training pictures and how they move: components, or pixels, of the largest as 1.

        Raises:
            InputError: the data module does not know it.
        """
        if not (isinstance(data, HasDeviation) and isinstance(data, HasMeanPicture)):
            raise InputError(
                f"model.network: {type(self).__name__} needs the mean picture and the deviation of the training clips, "
                f"and {type(data).__name__} does not know them; choose AudioToVideoNet"
            )
        self.mean_picture.copy_(data.mean_picture())
        if self.components is not None:
            if not isinstance(data, HasComponents):
                raise InputError(
                    f"model.network.components: {type(data).__name__} does not know those of its pictures; set it to 0"
                )
            found = data.components(len(self.components))  # fewer where there are few pictures
            self.components[: len(found)] = found.to(self.components)
        deviation = data.deviation()
        if deviation.any():
            self.deviation.copy_(deviation / deviation.max())

    def features(self, audio: Tensor) -> Tensor:
        """Map sound ``(B, 1, N)`` in [-1, 1] to how much of each movement it calls for, ``(B, T, K)``."""
        amounts: Tensor = self.amounts(self._latents(audio)[1])
        return amounts

    def decode(self, features: Tensor) -> Tensor:
        """Add up movements by ``(M, K)`` to changes ``(M, 3, H, W)``."""
        if self.components is None:
            assert self.movements is not None
            return (features @ (self.movements * self.deviation).flatten(1)).unflatten(1, self.movements.shape[1:])
        amounts = features if self.movements is None else features @ self.movements
        return (amounts @ self.components.flatten(1)).unflatten(1, self.components.shape[1:])

    def finish(self, frames: Tensor, still: Tensor | None) -> Tensor:
        """Add changes ``(B, T, 3, H, W)`` to still pictures ``(B, 3, H, W)``, None: the mean of the training's."""
        if not self.training:
            frames = frames * self.strength
        ground = self.mean_picture.expand(len(frames), -1, -1, -1) if still is None else still
        return (ground[:, None] + frames).clamp(0, 1)

    def attention(self, audio: Tensor) -> Tensor:
        """Return ``(B, 0, T, T)``: there is no layer of attention."""
        frames = self.num_frames(audio.shape[-1])
        return torch.empty(len(audio), 0, frames, frames, device=audio.device)

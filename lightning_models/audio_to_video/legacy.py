"""AudioToVideoNetLegacy: the predecessor, kept for comparison."""

from functools import partial

import torch
from torch import Tensor, nn

from datamodules.errors import InputError
from lightning_models.audio_to_video.encoders import AudioEncoder, ConvolutionalEncoder, EncoderCallable
from lightning_models.audio_to_video.network import AudioToFrames
from lightning_models.class_path import as_factory


class AudioToVideoNetLegacy(AudioToFrames):
    """The same encoder with ReLU, then a perceptron that decodes each frame from its own instant of sound.

    No frame knows of another. At its defaults it has 51,213,728 parameters, 98 % of them in the last layer.

    Args:
        fps: frames a second.
        sample_rate: samples a second.
        image_size: edge of a frame in pixels.
        width: length of a frame's vector; the hidden layers are two and four times as wide.
        encoder: makes what listens, from ``width``; None: the convolutions.
        max_frames: longest clip in frames.
    """

    def __init__(
        self,
        fps: float = 30.0,
        sample_rate: int = 16000,
        image_size: int = 128,
        width: int = 256,
        encoder: EncoderCallable | None = None,
        max_frames: int = 256,
    ) -> None:
        make = encoder or partial(ConvolutionalEncoder, activation=nn.ReLU)
        listens: AudioEncoder = as_factory(make, AudioEncoder)(width)
        super().__init__(listens, fps, sample_rate, image_size, max_frames)
        if image_size < 1:
            raise InputError(f"model.image_size: is {image_size}; give a number of pixels")
        self.decoder = nn.Sequential(
            nn.Linear(width, 2 * width),
            nn.ReLU(),
            nn.Linear(2 * width, 4 * width),
            nn.ReLU(),
            nn.Linear(4 * width, 3 * image_size**2),
            nn.Sigmoid(),
        )

    def features(self, audio: Tensor) -> Tensor:
        """Map sound ``(B, 1, N)`` in [-1, 1] to one vector a frame, ``(B, T, width)``."""
        return self._latents(audio)[1]

    def decode(self, features: Tensor) -> Tensor:
        """Decode vectors ``(M, width)`` to frames ``(M, 3, H, W)`` in [0, 1]."""
        pixels: Tensor = self.decoder(features)  # (M, 3 H W)
        return pixels.unflatten(1, (3, self.image_size, self.image_size))

    def attention(self, audio: Tensor) -> Tensor:
        """Return ``(B, 0, T, T)``: there is no layer of attention."""
        frames = self.num_frames(audio.shape[-1])
        return torch.empty(len(audio), 0, frames, frames, device=audio.device)

r"""AudioToVideoNet: sound ``(B, 1, 48000)`` becomes frames ``(B, 90, 3, 128, 128)``.

    sound (B, 1, N) -> convolutions (B, 256, N // 256) -> interpolated to one vector a frame (B, T, 256)
      -> positions -> transformer -> LayerNorm  -+-> linear to 8x8 -> transposed convolutions -> frames
      \------------------- skip ----------------/

A piece of N samples has ``round(N * fps / sample_rate)`` frames; no weight depends on their number. The skip starts
before the positions are added and ends after the final LayerNorm: what is local, such as a beat, passes unchanged.
"""

import math
from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from datamodules.errors import InputError
from lightning_models.audio_to_video.decoder import FrameDecoder
from lightning_models.audio_to_video.encoders import AudioEncoder, ConvolutionalEncoder, EncoderCallable
from lightning_models.class_path import as_factory


class AudioToFrames(nn.Module, ABC):
    """Base of all networks: sound to one feature vector a frame, and each vector to a frame.

    Another one can be given to :class:`AudioToVideo`, whose first arguments are ``fps``, ``sample_rate`` and
    ``image_size``.

    Args:
        encoder: makes a sequence of features of the sound.
        fps: frames a second.
        sample_rate: samples a second.
        image_size: edge of a frame in pixels.
        max_frames: longest clip in frames.

    Attributes:
        takes_still: whether it draws on a still picture.
    """

    takes_still: ClassVar[bool] = False

    def __init__(self, encoder: AudioEncoder, fps: float, sample_rate: int, image_size: int, max_frames: int) -> None:
        super().__init__()
        if not (0 < fps < math.inf and sample_rate > 0):
            raise InputError(f"model.fps is {fps} and model.sample_rate {sample_rate}: give rates above 0")
        if max_frames < 1:
            raise InputError(f"model.network.max_frames: is {max_frames}; give at least 1")
        if encoder.sample_rate not in (None, sample_rate):
            raise InputError(
                f"model.sample_rate: is {sample_rate}, but the encoder listens at {encoder.sample_rate} Hz: set "
                "data.sample_rate to that, or model.network.encoder.sample_rate, where the encoder takes one, to "
                f"{sample_rate}"
            )
        self.encoder, self.fps, self.sample_rate = encoder, fps, sample_rate
        self.image_size, self.max_frames = image_size, max_frames

    @abstractmethod
    def features(self, audio: Tensor) -> Tensor:
        """Map sound ``(B, 1, N)`` in [-1, 1] to one vector a frame, ``(B, T, width)``."""

    @abstractmethod
    def decode(self, features: Tensor) -> Tensor:
        """Decode vectors ``(M, width)`` to frames ``(M, 3, H, W)`` in [0, 1]."""

    @abstractmethod
    def attention(self, audio: Tensor) -> Tensor:
        """Return how much each frame attends to each, ``(B, layers, T, T)``; rows sum to 1."""

    def begin(self, data: object) -> None:
        """Take over what it has to know of the training data before the first step: nothing, unless a net says so."""

    def finish(self, frames: Tensor, still: Tensor | None) -> Tensor:
        """Make pictures of what was decoded, ``(B, T, 3, H, W)``, on still ones ``(B, 3, H, W)`` if it takes them."""
        return frames

    def forward(self, audio: Tensor, still: Tensor | None = None) -> Tensor:
        """Map sound ``(B, 1, N)`` in [-1, 1], and still pictures, to frames ``(B, T, 3, H, W)`` in [0, 1]."""
        features = self.features(audio)  # (B, T, width)
        frames = self.decode(features.flatten(0, 1))  # (B T, 3, H, W)
        return self.finish(frames.unflatten(0, features.shape[:2]), still)  # (B, T, 3, H, W)

    def num_frames(self, samples: int) -> int:
        """Return the number of frames to ``samples`` samples.

        Raises:
            InputError: where there are none, or too many.
        """
        frames = round(samples * self.fps / self.sample_rate)
        if samples < self.encoder.min_samples or frames < 1:
            raise InputError(
                f"a piece of sound has {samples} samples, too few for one frame at {self.fps:g} frames and "
                f"{self.sample_rate} samples a second, and for the encoder, which needs {self.encoder.min_samples}: "
                "choose a longer data.duration"
            )
        if frames > self.max_frames:
            raise InputError(
                f"a piece of sound has {samples} samples, which is {frames} frames, but the model serves "
                f"{self.max_frames}: choose a shorter data.duration, or train with a larger model.network.max_frames"
            )
        return frames

    def _latents(self, audio: Tensor) -> tuple[Tensor, Tensor]:
        """Return the encoder's features ``(B, width, L)`` and their interpolation to frames ``(B, T, width)``."""
        frames = self.num_frames(audio.shape[-1])
        latents: Tensor = self.encoder(audio)  # (B, width, L)
        return latents, F.interpolate(latents, frames, mode="linear").transpose(1, 2)


class AudioToVideoNet(AudioToFrames):
    """The net; its defaults are the published size of 8,236,611 parameters.

    Args:
        fps: frames a second.
        sample_rate: samples a second.
        image_size: edge of a frame in pixels, 8 times a power of two.
        width: length of a frame's vector; a multiple of 8 and of ``heads``.
        layers: layers of the transformer.
        heads: attention heads in each.
        feedforward: width of its hidden layer.
        dropout: share of values dropped in the transformer, training only.
        cross_attention: whether frames also attend to the encoder's features, which are finer than frames.
        encoder: makes what listens, from ``width``; None: the convolutions.
        chunk: frames that are decoded at once; more are decoded in chunks, in half the memory and a fifth more time.
        max_frames: longest clip in frames.
    """

    def __init__(
        self,
        fps: float = 30.0,
        sample_rate: int = 16000,
        image_size: int = 128,
        width: int = 256,
        layers: int = 4,
        heads: int = 8,
        feedforward: int = 1024,
        dropout: float = 0.1,
        cross_attention: bool = False,
        encoder: EncoderCallable | None = None,
        chunk: int = 128,
        max_frames: int = 256,
    ) -> None:
        listens: AudioEncoder = as_factory(encoder or ConvolutionalEncoder, AudioEncoder)(width)
        super().__init__(listens, fps, sample_rate, image_size, max_frames)
        self.transformer = TemporalTransformer(width, layers, heads, feedforward, dropout, cross_attention)
        self.decoder = FrameDecoder(width, image_size, chunk)

    def features(self, audio: Tensor) -> Tensor:
        """Map sound ``(B, 1, N)`` in [-1, 1] to one vector a frame, ``(B, T, width)``."""
        latents, local = self._latents(audio)  # (B, width, L), (B, T, width)
        context: Tensor = self.transformer(local, latents.transpose(1, 2))  # (B, T, width)
        return local + context

    def decode(self, features: Tensor) -> Tensor:
        """Decode vectors ``(M, width)`` to frames ``(M, 3, H, W)`` in [0, 1]."""
        frames: Tensor = self.decoder(features)
        return frames

    def attention(self, audio: Tensor) -> Tensor:
        """Return how much each frame attends to each, ``(B, layers, T, T)``: the mean over heads; rows sum to 1."""
        latents, local = self._latents(audio)
        return self.transformer.attention(local, latents.transpose(1, 2))


class TemporalTransformer(nn.Module):
    """Post-norm layers of self-attention over frames, and a LayerNorm behind them.

    Args:
        width, layers, heads, feedforward, dropout: as in :class:`AudioToVideoNet`.
        cross_attention: whether each layer also attends to the sound's features.
    """

    def __init__(
        self, width: int, layers: int, heads: int, feedforward: int, dropout: float, cross_attention: bool
    ) -> None:
        super().__init__()
        for name, value in {"layers": layers, "heads": heads, "feedforward": feedforward}.items():
            if value < 1:
                raise InputError(f"model.network.{name}: is {value}; give at least 1")
        if not 0 <= dropout < 1:
            raise InputError(f"model.network.dropout: is {dropout}; give a share of at least 0 and below 1")
        if width % heads:
            raise InputError(f"model.network.width: {width} cannot be shared by {heads} heads: give a multiple of that")
        kind = nn.TransformerDecoderLayer if cross_attention else nn.TransformerEncoderLayer
        self.cross_attention = cross_attention
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(
            kind(width, heads, feedforward, dropout, activation="gelu", batch_first=True) for _ in range(layers)
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, frames: Tensor, sound: Tensor) -> Tensor:
        """Map frames ``(B, T, width)``, and the sound's features ``(B, L, width)``, to ``(B, T, width)``."""
        frames, sound = self._with_positions(frames, sound)
        for layer in self.layers:
            frames = layer(frames, sound) if self.cross_attention else layer(frames)  # (B, T, width)
        normalised: Tensor = self.norm(frames)
        return normalised

    def attention(self, frames: Tensor, sound: Tensor) -> Tensor:
        """Return the weights of the self-attention, ``(B, layers, T, T)``, averaged over heads."""
        frames, sound = self._with_positions(frames, sound)
        weights = []
        for layer in self.layers:
            attend = layer.get_submodule("self_attn")  # post-norm: the layer's input is what it attends to
            weights.append(attend(frames, frames, frames)[1])  # (B, T, T)
            frames = layer(frames, sound) if self.cross_attention else layer(frames)
        return torch.stack(weights, 1)

    def _with_positions(self, frames: Tensor, sound: Tensor) -> tuple[Tensor, Tensor]:
        """Add positions; those of the sound are in frames too, so that equal ones are at the same time."""
        when = torch.arange(frames.shape[1], device=frames.device)  # (T,)
        frames = self.dropout(frames + sinusoids(when, frames.shape[2]))
        if self.cross_attention:
            finer = torch.arange(sound.shape[1], device=sound.device)
            when = (finer + 0.5) * (frames.shape[1] / sound.shape[1]) - 0.5  # (L,)
            sound = self.dropout(sound + sinusoids(when, sound.shape[2]))
        return frames, sound


def sinusoids(positions: Tensor, width: int) -> Tensor:
    """Return the positional encoding ``(T, width)`` of ``(T,)`` positions (Vaswani et al. 2017, section 3.5)."""
    rates = torch.exp(torch.arange(0, width, 2, device=positions.device) * (-math.log(10000.0) / width))
    angles = positions[:, None] * rates  # (T, width / 2)
    return torch.stack((angles.sin(), angles.cos()), 2).flatten(1)[:, :width]

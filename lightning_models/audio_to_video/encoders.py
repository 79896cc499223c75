"""Audio encoders: sound ``(B, 1, N)`` to a sequence of features ``(B, width, L)``, coarser than the sound."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn

from datamodules.errors import InputError
from datamodules.private_api import encoder_width, weights_file
from lightning_models.class_path import as_factory

STRIDE = 256  # samples between two features of the convolutional encoder


class AudioEncoder(nn.Module, ABC):
    """Base of the audio encoders; the first argument of another one is ``width``, the number of features.

    Attributes:
        min_samples: shortest sound, in samples, that it makes a feature of.
        sample_rate: the only rate of the sound that it knows, in Hz; None: any.
    """

    min_samples: int
    sample_rate: int | None = None

    @abstractmethod
    def forward(self, audio: Tensor) -> Tensor:
        """Map ``(B, 1, N)`` in [-1, 1] to ``(B, width, L)``."""


EncoderCallable = Callable[[int], AudioEncoder]
"""Makes an encoder of a width."""


class ConvolutionalEncoder(AudioEncoder):
    """Four convolutions, each followed by its activation and BatchNorm, in this order.

    Every one keeps a quarter of the length: 48,000 samples become 12,000, 3,000, 750 and 187 features. The published
    table needs a padding of 38 in the first, which it does not mention.

    Args:
        width: number of features; a multiple of 8. 256 is the published size.
        activation: class of the activation.
    """

    min_samples = STRIDE

    def __init__(self, width: int = 256, activation: type[nn.Module] = nn.GELU) -> None:
        super().__init__()
        if width < 8 or width % 8:
            raise InputError(f"model.network.width: is {width}; give a multiple of 8, as the encoder begins with 1/8")
        layers: list[nn.Module] = []
        channels = [1, width // 8, width // 4, width // 2, width]
        for level, (inputs, outputs) in enumerate(pairwise(channels)):
            kernel, padding = (80, 38) if level == 0 else (4, 0)
            convolution = nn.Conv1d(inputs, outputs, kernel, stride=4, padding=padding)
            layers += [convolution, as_factory(activation, nn.Module)(), nn.BatchNorm1d(outputs)]
        self.layers = nn.Sequential(*layers)

    def forward(self, audio: Tensor) -> Tensor:
        """Map ``(B, 1, N)`` to ``(B, width, N // 256)``, or one feature less."""
        features: Tensor = self.layers(audio)
        return features


class PretrainedEncoder(AudioEncoder):
    """A frozen speech model of torchaudio, and a linear layer that is trained.

    Nothing is downloaded: the weights must lie where torch keeps what it has downloaded. Of an installation
    without network that folder can be copied from another.

    Args:
        width: number of features.
        name: a Wav2Vec2 pipeline of torchaudio such as ``WAV2VEC2_BASE``, ``HUBERT_BASE`` or ``WAVLM_BASE``.

    Raises:
        InputError: for an unknown name, for weights that are not there.
    """

    min_samples = 400  # window of the models' convolutions

    def __init__(self, width: int, name: str) -> None:
        super().__init__()
        from torchaudio import pipelines  # takes a moment, and only this class needs it

        known = [key for key in pipelines.__all__ if isinstance(getattr(pipelines, key), pipelines.Wav2Vec2Bundle)]
        if name not in known:
            raise InputError(f"model.network.encoder.name: {name} is none of {', '.join(known)}")
        bundle = getattr(pipelines, name)
        self.sample_rate = int(bundle.sample_rate)
        folder = Path(torch.hub.get_dir()) / "checkpoints"
        weights = folder / Path(weights_file(bundle)).name  # where torch.hub puts it
        if not weights.is_file():
            raise InputError(
                f"model.network.encoder.name: the weights of {name} are not at {weights}. Copy them there, or let "
                f"torchaudio fetch them: python -c 'import torchaudio; torchaudio.pipelines.{name}.get_model()'"
            )
        self.pretrained = bundle.get_model(dl_kwargs={"model_dir": str(folder), "weights_only": True})
        self.pretrained.requires_grad_(False)
        self.projection = nn.Linear(encoder_width(bundle), width)

    def train(self, mode: bool = True) -> "PretrainedEncoder":
        """Switch the trained part only: dropout would make noise of what is frozen."""
        super().train(mode)
        self.pretrained.eval()
        return self

    def forward(self, audio: Tensor) -> Tensor:
        """Map ``(B, 1, N)`` to ``(B, width, L)``: the last layer of the pretrained model, about 50 features/s."""
        with torch.no_grad():
            layers, _ = self.pretrained.extract_features(audio[:, 0])
        projected: Tensor = self.projection(layers[-1])  # (B, L, width)
        return projected.transpose(1, 2)

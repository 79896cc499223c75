"""What listens: sound ``(B, 1, N)`` becomes a sequence of features ``(B, width, L)``, coarser than the sound."""

from abc import ABC, abstractmethod
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn

from datamodules.errors import InputError

STRIDE = 256  # samples between two features of the convolutional encoder


class AudioEncoder(nn.Module, ABC):
    """The place where another encoder can be plugged in.

    Attributes:
        min_samples: shortest sound, in samples, that it makes a feature of.
    """

    min_samples: int

    @abstractmethod
    def forward(self, audio: Tensor) -> Tensor:
        """Map ``(B, 1, N)`` in [-1, 1] to ``(B, width, L)``."""


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
            raise InputError(f"model.width: is {width}; give a multiple of 8, as the encoder starts with an eighth")
        layers: list[nn.Module] = []
        channels = [1, width // 8, width // 4, width // 2, width]
        for level, (inputs, outputs) in enumerate(pairwise(channels)):
            kernel, padding = (80, 38) if level == 0 else (4, 0)
            convolution = nn.Conv1d(inputs, outputs, kernel, stride=4, padding=padding)
            layers += [convolution, activation(), nn.BatchNorm1d(outputs)]
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
        name: a Wav2Vec2 pipeline of torchaudio such as ``WAV2VEC2_BASE``, ``HUBERT_BASE`` or ``WAVLM_BASE``.
        width: number of features.
        sample_rate: rate of the sound, in Hz.

    Raises:
        InputError: for an unknown name, for weights that are not there, for a rate that the model does not know.
    """

    min_samples = 400  # window of the models' convolutions

    def __init__(self, name: str, width: int, sample_rate: int) -> None:
        super().__init__()
        from torchaudio import pipelines  # takes a moment, and only this class needs it

        known = [key for key in pipelines.__all__ if isinstance(getattr(pipelines, key), pipelines.Wav2Vec2Bundle)]
        if name not in known:
            raise InputError(f"model.pretrained_encoder: {name} is none of {', '.join(known)}")
        bundle = getattr(pipelines, name)
        if bundle.sample_rate != sample_rate:
            raise InputError(
                f"model.sample_rate: is {sample_rate}, but {name} listens at {bundle.sample_rate:g} Hz: "
                "set data.sample_rate and model.sample_rate to that"
            )
        folder = Path(torch.hub.get_dir()) / "checkpoints"
        # where torch.hub puts it; the bundle says the file's name nowhere else
        weights = folder / Path(bundle._path).name
        if not weights.is_file():
            raise InputError(
                f"model.pretrained_encoder: the weights of {name} are not at {weights}. Copy them there, or let "
                f"torchaudio fetch them: python -c 'import torchaudio; torchaudio.pipelines.{name}.get_model()'"
            )
        self.pretrained = bundle.get_model(dl_kwargs={"model_dir": str(folder), "weights_only": True})
        self.pretrained.requires_grad_(False)
        self.projection = nn.Linear(bundle._params["encoder_embed_dim"], width)

    def train(self, mode: bool = True) -> "PretrainedEncoder":
        """Switch the trained part only: dropout would make noise of what is frozen."""
        super().train(mode)
        self.pretrained.eval()
        return self

    def forward(self, audio: Tensor) -> Tensor:
        """Map ``(B, 1, N)`` to ``(B, width, L)``: the last layer of the pretrained model, about 50 features/s."""
        with torch.no_grad():
            layers, _ = self.pretrained.extract_features(audio[:, 0])
        projected: Tensor = self.projection(layers[-1])
        return projected.transpose(1, 2)

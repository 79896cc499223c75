"""MelEncoder: listens to a log-mel spectrogram instead of the waveform."""

from torch import Tensor, nn

from datamodules.errors import InputError
from datamodules.sound.mel import BANDS, LogMel
from lightning_models.audio_to_video.encoders import AudioEncoder

_KERNEL = 5


class MelEncoder(AudioEncoder):
    """A log-mel spectrogram, 50 times a second, and convolutions over time that hear ever more of what is around.

    Every layer is a convolution, GELU, BatchNorm and dropout. All but the first add to what goes in, and each of them
    reaches twice as far as the one before: with three a feature hears 0.66 seconds.

    Args:
        width: number of features.
        sample_rate: of the sound, in Hz; that of the data.
        layers: convolutions beside the first.
        dropout: share of features dropped behind each layer, each for a whole piece; training only.
    """

    def __init__(self, width: int, sample_rate: int = 16000, layers: int = 3, dropout: float = 0.2) -> None:
        super().__init__()
        if layers < 0 or not 0 <= dropout < 1 or sample_rate < 1000:
            raise InputError(
                f"model.network.encoder: layers is {layers}, dropout {dropout} and sample_rate {sample_rate}; give at "
                "least 0 layers, a share of at least 0 and below 1, and at least 1000 Hz"
            )
        self.sample_rate = sample_rate
        self.mel = LogMel(sample_rate)
        self.min_samples = self.mel.hop
        self.scale = nn.BatchNorm1d(BANDS, affine=False)
        self.first = _layer(BANDS, width, 1, dropout)
        self.layers = nn.ModuleList(_layer(width, width, 1 << level, dropout) for level in range(layers))

    def forward(self, audio: Tensor) -> Tensor:
        """Map ``(B, 1, N)`` in [-1, 1] to ``(B, width, N // hop)``, a feature for every 20 ms."""
        features: Tensor = self.first(self.scale(self.mel(audio)))
        for layer in self.layers:
            features = features + layer(features)
        return features


def _layer(inputs: int, outputs: int, dilation: int, dropout: float) -> nn.Sequential:
    convolution = nn.Conv1d(inputs, outputs, _KERNEL, padding=_KERNEL // 2 * dilation, dilation=dilation)
    return nn.Sequential(convolution, nn.GELU(), nn.BatchNorm1d(outputs), nn.Dropout1d(dropout))

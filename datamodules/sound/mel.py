"""Log-mel spectrograms: how loud each band of hearing is, many times a second."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchaudio.functional import melscale_fbanks

BANDS = 40
PER_SECOND = 50
_WINDOW = 0.032  # seconds
_LEAST_TRANSFORM = 512  # samples; of fewer, low bands would fall between two frequencies
_FLOOR = 1e-5  # power that counts as silence


class LogMel(nn.Module):
    """The log-mel spectrogram of sound: 40 bands from 0 Hz to half the sample rate, 50 times a second.

    The windows of 32 ms (Hann) lie in the middle of the 20 ms that they stand for, so that stretching the result to any
    number of pictures keeps every sound at its time. The transform is a convolution with sines and cosines, which every
    program that reads an exported network knows.

    Args:
        sample_rate: of the sound, in Hz.

    Attributes:
        hop: samples between two windows, the shortest sound that has a spectrum.
    """

    waves: Tensor
    bands: Tensor

    def __init__(self, sample_rate: int) -> None:
        super().__init__()
        self.hop = round(sample_rate / PER_SECOND)
        window = round(_WINDOW * sample_rate)
        size = max(_LEAST_TRANSFORM, 1 << (window - 1).bit_length())
        self._before = (window - self.hop) // 2
        self._behind = window - self.hop - self._before
        turns = torch.outer(torch.arange(size // 2 + 1), torch.arange(window)).double() * (2 * torch.pi / size)
        hann = torch.hann_window(window, dtype=torch.float64)
        waves = torch.cat([turns.cos(), turns.sin()]) * hann  # (2 (size / 2 + 1), window)
        self.register_buffer("waves", waves[:, None].float(), persistent=False)
        bands = melscale_fbanks(size // 2 + 1, 0.0, sample_rate / 2, BANDS, sample_rate)
        self.register_buffer("bands", bands.T[:, :, None].contiguous(), persistent=False)

    def forward(self, audio: Tensor) -> Tensor:
        """Map sound ``(B, 1, N)`` in [-1, 1] to logarithms of power, ``(B, 40, N // hop)``, at least -11.6."""
        # bfloat16 would round quiet bands away beside loud ones, and float16 has no place for the power of loud sound
        with torch.autocast(audio.device.type, enabled=False):
            padded = F.pad(audio.float(), (self._before, self._behind))
            real, imaginary = F.conv1d(padded, self.waves, stride=self.hop).chunk(2, 1)  # (B, size / 2 + 1, N // hop)
            return F.conv1d(real.square() + imaginary.square(), self.bands).add(_FLOOR).log()

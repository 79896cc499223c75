"""The log-mel spectrogram under mixed precision; tests of the ridge rule have its values."""

import numpy as np
import pytest
import torch

from datamodules.sound.mel import BANDS, LogMel
from datamodules.sound.music import RATE, compose


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16])
def test_mixed_precision_changes_nothing(precision):
    music = torch.from_numpy(compose(np.random.default_rng(0), 1.0))[None, None]
    loud = torch.cat([music, torch.ones_like(music)])  # the power of the second is 65,536
    spectrogram = LogMel(RATE)
    expected = spectrogram(loud)
    with torch.autocast("cpu", dtype=precision):
        heard = spectrogram(loud)
    assert heard.shape == (2, BANDS, 50)
    assert heard.isfinite().all()
    torch.testing.assert_close(heard, expected, rtol=0, atol=0)

import numpy as np
import pytest
import torch

from callbacks.enlarged import checked_scale, enlarge, enlarge_all, enlarged_name
from datamodules.errors import InputError


def wave(size, scale):
    """A picture whose brightness is a slow wave, drawn at any size: pixel centres lie at halves."""
    place = (np.arange(size * scale) + 0.5) / scale
    return np.rint(128 + 100 * np.sin(2 * np.pi * place / 16))[None, :, None].repeat(8 * scale, 0).repeat(3, 2)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_between_pixels_lies_what_a_wave_has_there(scale):
    drawn = enlarge(wave(48, 1).astype(np.uint8), scale)
    assert drawn.shape == (8 * scale, 48 * scale, 3)
    inner = slice(8 * scale, -8 * scale)  # nothing is known beyond the edges
    assert np.abs(drawn.astype(float) - wave(48, scale))[:, inner].max() <= 2


def test_batches_are_enlarged_as_pictures_are():
    pictures = torch.rand(2, 3, 5, 6, generator=torch.Generator().manual_seed(0))
    larger = enlarge_all(pictures, 4)
    assert larger.shape == (2, 3, 20, 24)
    pixels = (pictures[1] * 255).round().byte().movedim(0, -1).numpy()
    np.testing.assert_array_equal((larger[1] * 255).round().byte().movedim(0, -1).numpy(), enlarge(pixels, 4))


def test_names_say_what_was_done():
    assert enlarged_name("sheet.png", 4) == "sheet_x4_lanczos.png"
    assert [checked_scale(scale) for scale in (1, 16)] == [1, 16]
    for scale in (0, 17, -1):
        with pytest.raises(InputError, match="scale"):
            checked_scale(scale)

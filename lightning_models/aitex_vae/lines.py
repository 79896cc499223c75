"""Evidence of faint lines: a pick or an end that is missing or lies wrong, from one side of a part to the other.

Such a line is a pixel or two wide and fainter than the weave around it. Smoothing, which all other evidence begins
with, smooths it away; and within a small place the threads beside it are as strong. What sets it apart is its length,
and that nothing of it repeats:

1. The picture is averaged along its columns, and along its rows, over about a tile, and left as fine as it is across.
2. What changes slowly across is taken away: the light, and wide stripes of the cloth.
3. Across, every frequency is brought to the same strength, its mean over the picture. A weave has few frequencies,
   which lose by that; a line has all of them. (A matched filter in coloured noise whitens likewise: Turin, "An
   introduction to matched filters", IRE Transactions on Information Theory 6, 1960.)
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from lightning_models.aitex_vae import in_graphs
from lightning_models.aitex_vae.filters import CELL, FAINTEST, blur, to_cells

LENGTH = 64.0
"""Standard deviation in pixels of the mean along a line: about a tile of 256 pixels counts."""

WIDTH = 8.0
"""Standard deviation in pixels of the mean across that is taken away."""

RARE = 0.1
"""Share of the mean strength that is added to every frequency: of one that is absent only rounding would be raised."""


def line_evidence(picture: Tensor) -> Tensor:
    """Return how much of a line runs through every cell, along columns and along rows.

    Args:
        picture: float32 ``(C, H, W)`` in [0, 1].

    Returns:
        ``(2 C, h, w)``, one value a cell of 4 x 4 pixels, ``h = ceil(H / 4)``: that of the pixel across which differs
        most, above 0 where it is brighter than what repeats, below where it is darker.
    """
    down = _lines_down(picture)
    along = _lines_down(picture.transpose(1, 2)).transpose(1, 2)
    return torch.cat([down, along])


def _lines_down(picture: Tensor) -> Tensor:
    """Return the lines along the columns of ``(C, H, W)``, ``(C, h, w)``."""
    _, height, width = picture.shape
    means = blur(to_cells(picture, (-(-height // CELL), width)), LENGTH / CELL, 0.0)  # (C, h, W)
    return _most_across(_evened(_faded(means - blur(means, 0.0, WIDTH))))


def _faded(values: Tensor) -> Tensor:
    """Let the rows of ``(C, h, W)`` rise from 0 and fall to 0 within two ``WIDTH`` of their ends.

    A weave that ends there, or goes on as its mirror image, is out of step with itself, which looks like a line.
    """
    place = torch.arange(values.shape[2], dtype=values.dtype, device=values.device) + 0.5
    rise = (torch.minimum(place, place.flip(0)) / (2 * WIDTH)).clamp(max=1)
    return values * (3 - 2 * rise) * rise.square()


def _evened(values: Tensor) -> Tensor:
    """Bring all frequencies of the rows of ``(C, h, W)`` to the same mean strength."""
    spectrum = torch.fft.rfft(values)  # (C, h, W / 2 + 1)
    strength = spectrum.abs().mean(1, keepdim=True)
    floor = RARE * strength.mean(2, keepdim=True) + FAINTEST
    return torch.fft.irfft(spectrum / (strength + floor), n=values.shape[2])


def _most_across(values: Tensor) -> Tensor:
    """Return of every ``CELL`` neighbours in a row of ``(C, h, W)`` the one farthest from 0, ``(C, h, w)``."""
    if torch.compiler.is_compiling():
        values = in_graphs.take_blocks(values, CELL, (2,))
    above, below = (F.max_pool2d(side[None], (1, CELL), ceil_mode=True)[0] for side in (values, -values))
    return torch.where(above > below, above, -below)

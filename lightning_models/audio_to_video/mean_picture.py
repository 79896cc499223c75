"""Beginning with the mean picture of the training clips, so that only what differs from it has to be learned.

Before a fixed camera nearly all of a picture is the same in every frame. A net that begins at grey spends its first
thousands of steps on that, and what the sound changes is lost in the rest of the error. With a mean picture ``m`` and
the net's picture ``p``, both in (0, 1), the odds are multiplied: a net whose output is 1/2 everywhere shows ``m``.
"""

import torch
from torch import Tensor

FAINTEST = 0.01
"""The mean picture is kept so far from 0 and 1, from which no gradient would lead away."""


def odds_of(picture: Tensor) -> Tensor:
    """Return ``m / (1 - m)`` of a picture in [0, 1]."""
    inside = picture.clamp(FAINTEST, 1 - FAINTEST)
    return inside / (1 - inside)


def shift(frames: Tensor, odds: Tensor) -> Tensor:
    """Multiply the odds of frames ``(..., 3, H, W)`` in [0, 1] by ``(3, H, W)``; in float32."""
    with torch.autocast(frames.device.type, enabled=False):
        frames = frames.float()
        raised = frames * odds
        return raised / (raised + 1 - frames)

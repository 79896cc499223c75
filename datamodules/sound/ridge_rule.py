"""The best that a straight line can do: what moves in a picture, by ridge regression on the sound around it.

A network that draws to sound has to be better than this rule, which is fitted in seconds. It is given what nobody can
know from the sound, each piece's own mean picture, and tells the change from it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from datamodules.sound.mel import BANDS, LogMel
from datamodules.sound.movements import Pieces, Rows, changes, even, find_movements

COMPONENTS = 24
CONTEXT = 5
"""Pictures before and after one whose sound is heard, too."""
_PICTURES = 20_000  # that are learned from, spread evenly where there are more
_PENALTY = 100.0
"""Of the squared weights. On the validation clips of a GRID talker the moving part's error is least with it: 0.0308, as
with 1,000, and 0.0310 with 10,000."""


class RidgeRule:
    """Ridge regression from log-mel spectra to principal components of the change from the piece's mean picture.

    The sound of a picture is 40 bands at its own time and at that of the 5 pictures before and after it, each of them
    scaled to unit deviation.

    Args:
        pieces: of the training clips; an even sample of 20,000 pictures where there are more.
        sample_rate: of their sound, in Hz.
    """

    def __init__(self, pieces: Pieces, sample_rate: int) -> None:
        from sklearn.linear_model import Ridge  # a second to import, and needed once a test
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        self._mel = LogMel(sample_rate)
        pictures = len(pieces[0].frames)
        chosen = even(len(pieces), max(2, _PICTURES // pictures))
        self._components = find_movements(pieces, chosen, COMPONENTS)
        heard, moved = [], []
        for piece in map(pieces.__getitem__, chosen):  # one at a time: only what is made of them is kept
            heard.append(self._heard(piece.audio[None], pictures)[0][piece.valid])
            moved.append(self._components.transform(changes(piece)))
        ridge = make_pipeline(StandardScaler(), Ridge(_PENALTY))
        self._ridge: Any = ridge.fit(np.concatenate(heard), np.concatenate(moved))

    def changes(self, audio: Tensor, shape: Sequence[int]) -> Tensor:
        """Return how pictures to sound differ from the mean picture of their piece.

        Args:
            audio: float32 ``(B, 1, N)`` in [-1, 1].
            shape: of the pictures, ``(B, T, 3, H, W)``.

        Returns:
            float32 of that shape, on the CPU.
        """
        heard = self._heard(audio.cpu().numpy(), shape[1])
        told = self._components.inverse_transform(self._ridge.predict(heard.reshape(-1, heard.shape[2])))
        return torch.from_numpy(np.asarray(told, np.float32)).view(*shape)

    def _heard(self, audio: NDArray[np.float32], pictures: int) -> Rows:
        """Return the sound around every picture of pieces ``(B, 1, N)``: ``(B, T, 40 * 11)``."""
        spectra = self._mel(torch.from_numpy(audio))  # (B, 40, L)
        at_pictures = F.interpolate(spectra, pictures, mode="linear")  # (B, 40, T)
        around = F.pad(at_pictures, (CONTEXT, CONTEXT), mode="replicate").unfold(2, 2 * CONTEXT + 1, 1)
        rows: Rows = around.transpose(1, 2).reshape(len(audio), pictures, BANDS * (2 * CONTEXT + 1)).numpy()
        return rows

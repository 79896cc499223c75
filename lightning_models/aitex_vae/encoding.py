"""The encoder's maps of overlapping tiles, taken from those of the whole picture: every pixel is encoded once.

A stage halves its map: place i sees the places 2i - 1, 2i and 2i + 1 before it (k3 s2 p1). So where a tile begins at a
multiple of 16 pixels, its maps are pieces of the picture's, but for the first row and column: these see a place beyond
the tile, where the tile alone has zeros. They are computed from the two rows and columns that they are made of. Other
tiles, as the last of a picture that does not divide evenly, are encoded by themselves.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from lightning_models.aitex_vae import in_graphs
from lightning_models.aitex_vae.network import STRIDE, Encoder
from lightning_models.aitex_vae.tiling import Tiling

Corners = Sequence[tuple[int, int]]


class PictureEncoding:
    """The encoder's maps of a picture and of its tiles.

    Args:
        encoder: in evaluation.
        picture: float32 ``(C, H, W)``, in the network's range.
        tiling: of the picture, from its first column on.

    Attributes:
        maps: of the whole picture, ``(1, width * 2^i, H / 2^(i+1), W / 2^(i+1))``, shallow to deep.
    """

    def __init__(self, encoder: Encoder, picture: Tensor, tiling: Tiling) -> None:
        self._encoder, self._picture, self._tiling = encoder, picture, tiling
        self.maps = encoder(picture[None])

    def deepest(self, first: int, last: int) -> Tensor:
        """Return the last map of tiles ``first`` to before ``last`` of the tiling, ``(N, 8 width, S/16, S/16)``."""
        corners = self._tiling.places[first:last]
        pieces = [number for number, corner in enumerate(corners) if self._is_piece(corner)]
        if len(pieces) == len(corners):
            return self._deepest_pieces(corners)
        alone = [number for number in range(len(corners)) if number not in pieces]
        tiles = self._tiling.cut(self._picture, [first + number for number in alone])
        maps = [self._deepest_pieces([corners[number] for number in pieces])] if pieces else []
        found = [*pieces, *alone]
        order = torch.tensor([found.index(number) for number in range(len(corners))], device=tiles.device)
        return torch.cat([*maps, self._encoder(tiles)[-1]])[order]

    def _is_piece(self, corner: tuple[int, int]) -> bool:
        """Return whether a tile begins at multiples of 16 pixels and lies within the picture."""
        (top, left), size = corner, self._tiling.size
        inside = top + size <= self._picture.shape[1] and left + size <= self._picture.shape[2]
        return inside and top % STRIDE == left % STRIDE == 0

    def _deepest_pieces(self, corners: Corners) -> Tensor:
        size, source = self._tiling.size, self._picture
        column, row = _cut(source, corners, size, 1), _cut(source, corners, 1, size)  # (N, C, S, 1), (N, C, 1, S)
        for stage, maps in zip(self._encoder.stages, self.maps, strict=True):
            # what the first column and row see to their right and below: (N, C, S, 2), (N, C, 2, S)
            seen = [_mended(_cut(source, corners, *shape), column, row) for shape in ((size, 2), (2, size))]
            column, row = map(stage, seen)  # (N, C', S/2, 1), (N, C', 1, S/2)
            size, source, corners = size // 2, maps[0], [(top // 2, left // 2) for top, left in corners]
        return _mended(_cut(source, corners, size, size), column, row)


def _cut(maps: Tensor, corners: Corners, height: int, width: int) -> Tensor:
    """Return pieces ``(N, C, height, width)`` of maps ``(C, H, W)``."""
    if torch.compiler.is_compiling():  # one by one they would be thousands of steps
        return in_graphs.cut(maps, corners, height, width)
    return torch.stack([maps[:, top : top + height, left : left + width] for top, left in corners])


def _mended(pieces: Tensor, column: Tensor, row: Tensor) -> Tensor:
    """Put the first column ``(N, C, S, 1)`` and row ``(N, C, 1, S)`` of tiles into pieces of them ``(N, C, h, w)``."""
    height, width = pieces.shape[2:]
    inner = torch.cat([column[:, :, 1:height], pieces[:, :, 1:, 1:]], 3)
    return torch.cat([row[:, :, :, :width], inner], 2)

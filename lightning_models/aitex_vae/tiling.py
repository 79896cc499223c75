"""Pictures cut into square tiles that overlap, and maps of tiles joined into one of the whole picture."""

from collections.abc import Sequence

import torch
from torch import Tensor

from datamodules.errors import InputError
from lightning_models.aitex_vae.in_graphs import add_at


class Tiling:
    """Square tiles that cover the part of a picture right of ``start``.

    The last tile of a row or column ends with the picture, so that it overlaps its neighbour by more where the size
    does not divide evenly. A picture smaller than a tile is continued by its mirror image.

    Args:
        height: H of the picture in pixels.
        width: W of the picture in pixels.
        size: S, edge of a tile in pixels.
        overlap: part of a tile that the next one shows again, from 0 to below 1.
        start: first column that is covered.

    Attributes:
        places: top and left of every tile, row after row.
        corners: the same, int64 ``(N, 2)``.

    Raises:
        InputError: nothing is left to cover, or the overlap is out of range.
    """

    def __init__(self, height: int, width: int, size: int, overlap: float = 0.0, start: int = 0) -> None:
        if not 0 <= overlap < 1:
            raise InputError(f"overlap is {overlap}: give a part of a tile, from 0 to below 1")
        if not (0 <= start < width and height > 0):
            raise InputError(f"nothing is left of a picture of {height} x {width} pixels from column {start} on")
        self.height, self.width, self.size, self.start = height, width, size, start
        step = max(round(size * (1 - overlap)), 1)
        lefts = [start + left for left in _corners(width - start, size, step)]
        self.places = [(top, left) for top in _corners(height, size, step) for left in lefts]
        self.corners = torch.tensor(self.places)

    def __len__(self) -> int:
        return len(self.corners)

    def cut(self, picture: Tensor, numbers: Sequence[int] | None = None) -> Tensor:
        """Return the tiles ``(N, C, S, S)`` of a picture ``(C, H, W)``, in its dtype; all, or those of some numbers."""
        corners = self.corners if numbers is None else self.corners[list(numbers)]
        rows = self._mirrored(corners[:, 0], 0, self.height)
        columns = self._mirrored(corners[:, 1], self.start, self.width)
        rows, columns = rows.to(picture.device), columns.to(picture.device)
        return picture[:, rows[:, :, None], columns[:, None, :]].transpose(0, 1)

    def stitch(self, maps: Tensor) -> Tensor:
        """Join maps of all tiles; where tiles overlap, each counts the more the closer its centre is.

        Args:
            maps: ``(N, C, S, S)``, in the order of the tiles.

        Returns:
            ``(C, H, W)``, NaN left of the start.
        """
        ramp = torch.arange(self.size, dtype=maps.dtype, device=maps.device) + 0.5
        ramp = torch.minimum(ramp, ramp.flip(0))
        window = ramp[:, None] * ramp
        if torch.compiler.is_compiling():  # one by one they would be thousands of steps
            return self._stitch_at_once(maps, window)
        joined = maps.new_zeros(maps.shape[1], self.height, self.width)
        weight = maps.new_zeros(self.height, self.width)
        for tile, (top, left) in zip(maps, self.corners.tolist(), strict=True):
            bottom, right = min(top + self.size, self.height), min(left + self.size, self.width)
            seen = window[: bottom - top, : right - left]
            joined[:, top:bottom, left:right] += tile[:, : bottom - top, : right - left] * seen
            weight[top:bottom, left:right] += seen
        joined[:, :, self.start :] /= weight[:, self.start :]
        joined[:, :, : self.start] = float("nan")
        return joined

    def _stitch_at_once(self, maps: Tensor, window: Tensor) -> Tensor:
        """Join maps of a picture no smaller than a tile, that is covered from its first column on."""
        inside = torch.arange(self.size, device=maps.device)
        rows, columns = (corner[:, None] + inside for corner in self.corners.to(maps.device).unbind(1))  # (N, S) each
        places = rows[:, :, None] * self.width + columns[:, None, :]  # (N, S, S)
        weighted = torch.cat([maps * window, window.expand(maps.shape[0], 1, -1, -1)], 1)
        joined = add_at(weighted, places, self.height * self.width)  # (C + 1, H W)
        return (joined[:-1] / joined[-1:]).unflatten(1, (self.height, self.width))

    def _mirrored(self, first: Tensor, low: int, high: int) -> Tensor:
        """Return the places of a tile's pixels, ``(N, S)``, thrown back at the picture's last pixel."""
        length = high - low
        place = (first[:, None] - low + torch.arange(self.size)) % (2 * length)
        return low + torch.where(place < length, place, 2 * length - 1 - place)


def grid(height: int, width: int, size: int, start: int = 0) -> Tensor:
    """Return tiles without overlap that cover the picture right of ``start``.

    Args:
        height: H of the picture in pixels.
        width: W of the picture in pixels.
        size: edge of a tile in pixels; the last of a row or column is smaller where the size does not divide evenly.
        start: first column that is covered.

    Returns:
        int64 ``(N, 4)``: top, left, height, width, row after row.
    """
    return torch.tensor(
        [
            (top, left, min(size, height - top), min(size, width - left))
            for top in range(0, height, size)
            for left in range(start, width, size)
        ]
    )


def _corners(length: int, size: int, step: int) -> list[int]:
    last = max(length - size, 0)
    return [min(first, last) for first in range(0, last + step, step)]

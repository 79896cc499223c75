"""Operations on pictures as they are captured in an exported graph.

torch's own are quicker, but other programs do not know them, as medians and means over places that share pixels, or
they depend on how many values there are. Those here have the same results.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def take_blocks(picture: Tensor, edge: int, dims: Sequence[int] = (1, 2)) -> Tensor:
    """Continue ``(C, H, W)`` by its last row and column, or one of them, to whole blocks of ``edge`` pixels."""
    for dim in dims:
        length = picture.shape[dim]
        if missing := -length % edge:
            picture = torch.cat([picture, *[picture.narrow(dim, length - 1, 1)] * missing], dim)
    return picture


def cut(maps: Tensor, corners: Sequence[tuple[int, int]], height: int, width: int) -> Tensor:
    """Return pieces ``(N, C, height, width)`` of maps ``(C, H, W)``, at tops and lefts of theirs."""
    tops, lefts = torch.tensor(corners, device=maps.device).unbind(1)
    rows = tops[:, None] + torch.arange(height, device=maps.device)  # (N, height)
    columns = lefts[:, None] + torch.arange(width, device=maps.device)
    return maps[:, rows[:, :, None], columns[:, None, :]].transpose(0, 1)


def adaptive_mean(values: Tensor, size: tuple[int, int]) -> Tensor:
    """Average ``(C, H, W)`` over ``size`` places, which share pixels where they do not divide evenly."""
    for dim, count in enumerate(size, start=1):
        length = values.shape[dim]
        if length % count == 0:
            ratio = length // count
            values = F.avg_pool2d(values[None], (ratio, 1) if dim == 1 else (1, ratio))[0]
            continue
        spans = [(place * length // count, -(-(place + 1) * length // count)) for place in range(count)]
        most = max(end - first for first, end in spans)
        pixels = [min(first + offset, end - 1) for first, end in spans for offset in range(most)]
        shares = [[(offset < end - first) / (end - first) for offset in range(most)] for first, end in spans]
        shape = (count, most, 1) if dim == 1 else (count, most)
        seen = values.index_select(dim, torch.tensor(pixels, device=values.device)).unflatten(dim, (count, most))
        values = (seen * torch.tensor(shares, dtype=values.dtype, device=values.device).view(shape)).sum(dim + 1)
    return values


def lower_median(values: Tensor, counted: Tensor) -> Tensor:
    """Return the median of the counted places of every row, the lower of two, ``(K, 1)``.

    Args:
        values: ``(K, N)``, finite.
        counted: bool ``(N,)``, True somewhere.
    """
    ranked = values.masked_fill(~counted, torch.inf).sort(1).values
    middle = (counted.to(torch.int64).sum() - 1) // 2
    return ranked.index_select(1, middle.view(1))


def add_at(maps: Tensor, places: Tensor, size: int) -> Tensor:
    """Add up maps at their places, ``(C, size)``.

    Args:
        maps: ``(N, C, S, S)``.
        places: int64 ``(N, S, S)``, where each pixel comes, from 0 to below ``size``.
        size: number of places.
    """
    values = maps.permute(0, 2, 3, 1).flatten(0, 2)  # (N S S, C)
    return values.new_zeros(size, maps.shape[1]).index_put((places.flatten(),), values, accumulate=True).T


def largest_by_tile(cells: Tensor, edge: int, count: int) -> Tensor:
    """Return the mean of the ``count`` largest cells of every tile, of as many as there are, ``(N,)``.

    Args:
        cells: ``(h, w)``.
        edge: of a tile in cells; the last of a row or column is smaller where it does not divide evenly.
        count: at least 1.
    """
    height, width = cells.shape
    whole = F.pad(cells, (0, -width % edge, 0, -height % edge), value=-torch.inf)
    rows, columns = whole.shape[0] // edge, whole.shape[1] // edge
    tiles = whole.view(rows, edge, columns, edge).transpose(1, 2).reshape(rows * columns, edge * edge)
    largest = tiles.topk(min(count, edge * edge), dim=1).values  # (N, count), -inf where there are fewer
    is_cell = largest > -torch.inf
    return largest.masked_fill(~is_cell, 0).sum(1) / is_cell.sum(1)

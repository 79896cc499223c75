"""Operations on pictures as they are captured in an exported graph.

torch's own are quicker, but other programs do not know them, as medians and means over places that share pixels, or
they depend on how many values there are. Those here have the same results.
"""

import torch
from torch import Tensor


def up_to(length: int, edge: int) -> int:
    """Return how many pieces of an edge cover a length; written as torch.export understands it best."""
    return (length + edge - 1) // edge


def take_blocks(picture: Tensor, edge: int) -> Tensor:
    """Continue ``(C, H, W)`` by its last row and column to whole blocks of ``edge`` pixels."""
    for dim in (1, 2):
        whole = up_to(picture.shape[dim], edge) * edge
        places = torch.arange(whole, device=picture.device).clamp(max=picture.shape[dim] - 1)
        picture = picture.index_select(dim, places)
    return picture


def adaptive_mean(values: Tensor, size: tuple[int, int], most: int) -> Tensor:
    """Average ``(C, H, W)`` over ``size`` places, which share pixels where they do not divide evenly.

    Args:
        values: what is averaged.
        size: h and w of the result.
        most: pixels along an edge for one place, rounded up.
    """
    for dim, count in enumerate(size, start=1):
        length = values.shape[dim]
        place = torch.arange(count, device=values.device)
        first, end = place * length // count, ((place + 1) * length + count - 1) // count
        total = torch.zeros_like(values.index_select(dim, first))
        shape = (1, -1, 1) if dim == 1 else (1, 1, -1)
        for offset in range(most + 1):  # one more than that where a place shares a pixel at each end
            there = (first + offset < end).to(values.dtype).view(shape)
            total = total + there * values.index_select(dim, (first + offset).clamp(max=length - 1))
        values = total / (end - first).to(values.dtype).view(shape)
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
    rows, columns = up_to(height, edge), up_to(width, edge)
    there = (torch.arange(rows * edge, device=cells.device) < height)[:, None] & (
        torch.arange(columns * edge, device=cells.device) < width
    )
    whole = take_blocks(cells[None], edge)[0].masked_fill(~there, -torch.inf)
    tiles = whole.view(rows, edge, columns, edge).transpose(1, 2).reshape(rows * columns, edge * edge)
    largest = tiles.topk(min(count, edge * edge), dim=1).values  # (N, count), -inf where there are fewer
    is_cell = largest > -torch.inf
    return largest.masked_fill(~is_cell, 0).sum(1) / is_cell.sum(1)

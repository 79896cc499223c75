"""Evidence of a defect, cell by cell: local statistics of a picture, and of what the model cannot reconstruct.

The weave repeats, a defect does not: every channel of evidence is a local statistic that is about the same all over a
faultless part. The model's part in it is the residual, what it cannot reconstruct, seen at several scales. A channel is
measured against its own median and spread over the picture, because recordings differ in light and contrast, and then
(``groups.py``) against what tiles of normal pictures of the same group reach. The maximum over the channels decides: a
small defect that only one channel sees would drown in their sum.
"""

from collections.abc import Callable, Collection, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from lightning_models.aitex_vae import in_graphs
from lightning_models.aitex_vae.compatibility import DataRange
from lightning_models.aitex_vae.filters import CELL, FAINTEST, blur, halved, to_cells
from lightning_models.aitex_vae.lines import line_evidence
from lightning_models.aitex_vae.pictures import to_unit

LEVELS = 4
"""Octaves of the pyramid: details of about 1, 2, 4 and 8 pixels."""

THREAD = 8.0
"""Standard deviation in pixels of the mean along threads."""

SHALLOW_STAGES = 3
"""Stages of the encoder whose features are evidence: the deepest sees too much at once to locate a defect."""

MEDIAN_DEVIATION = 1.4826
"""Standard deviation of a normal distribution in units of its median absolute deviation."""


def all_evidence(
    encoder: Callable[[Tensor, int], Sequence[Tensor]],
    part: Tensor,
    part_maps: Sequence[Tensor],
    reconstructed: Tensor,
    divergence: Tensor,
    kinds: Collection[str],
    data_range: DataRange,
) -> dict[str, Tensor]:
    """Return evidence ``(K_i, h, w)`` of every kind i that is wanted, and perhaps of others.

    That of picture and residual is computed in [0, 1], whatever the network sees: ``FAINTEST`` is then the same share
    of all grey levels, and evidence of the picture alone the same for every network.

    Args:
        encoder: of the network: the maps of its first stages, of pictures ``(1, C, H, W)``.
        part: float32 ``(C, H, W)``, in the network's range.
        part_maps: the encoder's maps of it, at least of its first stages.
        reconstructed: the shape of ``part``.
        divergence: ``(1, H, W)``, of the tiles around every pixel.
        kinds: that are wanted.
        data_range: the network's range.
    """
    picture = to_unit(part, data_range)
    maps = texture_evidence(picture - to_unit(reconstructed, data_range))
    cells = (maps["energy"].shape[1], maps["energy"].shape[2])
    if "texture" in kinds or "shade" in kinds:
        own = texture_evidence(picture)
        maps["texture"] = torch.cat([own["energy"], own["orientation"]])
        maps["shade"] = torch.cat([own["brightness"], own["threads"]])
    if "features" in kinds:
        maps["features"] = feature_evidence(
            part_maps[:SHALLOW_STAGES], encoder(reconstructed[None], SHALLOW_STAGES), cells
        )
    if "lines" in kinds:
        maps["lines"] = line_evidence(picture)
    if "kl" in kinds:
        maps["kl"] = to_cells(divergence, cells)
    return maps


def texture_evidence(picture: Tensor) -> dict[str, Tensor]:
    """Describe the surroundings of every cell of a picture, or of a residual.

    - ``brightness``: mean at each of four scales.
    - ``threads``: mean along a row and along a column, thin and thick: yarns lie that way.
    - ``energy``: logarithm of the energy in each of four octaves.
    - ``orientation``: for three octaves how far the gradient prefers rows to columns, and one diagonal to the other.

    Args:
        picture: float32 ``(C, H, W)`` in [0, 1], or the difference of two.

    Returns:
        By kind ``(K, h, w)``, one value a cell of 4 x 4 pixels, ``h = ceil(H / 4)``.
    """
    cells = (-(-picture.shape[1] // CELL), -(-picture.shape[2] // CELL))
    parts: dict[str, list[Tensor]] = {"brightness": [], "threads": [], "energy": [], "orientation": []}
    fine = picture
    for level in range(LEVELS):
        smooth = blur(fine, 1.0, 1.0)
        parts["brightness"].append(to_cells(smooth, cells))
        parts["energy"].append(_local_mean((fine - smooth).square(), cells).add(FAINTEST).log())
        if level < LEVELS - 1:
            parts["orientation"] += _orientation(smooth, cells)
        if level in (0, 1):
            parts["threads"] += [_mean_along(smooth, dim, cells) for dim in (2, 1)]
        fine = halved(smooth)
    return {kind: torch.cat(channels) for kind, channels in parts.items()}


def feature_evidence(real: Sequence[Tensor], reconstructed: Sequence[Tensor], cells: tuple[int, int]) -> Tensor:
    """Logarithm of the squared distance between feature maps of a picture and of its reconstruction.

    Args:
        real: maps ``(1, C_i, h_i, w_i)`` of the picture, one a stage.
        reconstructed: the same of the reconstruction.
        cells: h and w of the result.

    Returns:
        ``(stages, h, w)``.
    """
    pairs = zip(real, reconstructed, strict=True)
    distances = [torch.linalg.vector_norm(one - two, dim=1).square() / one.shape[1] for one, two in pairs]
    return torch.cat([_local_mean(distance, cells).add(FAINTEST).log() for distance in distances])


def robust_z_scores(channels: Tensor, blank: Tensor) -> Tensor:
    """Return how many robust standard deviations every place is away from its channel's median, at least 0.

    Median and deviation (by the median absolute deviation) are those of the places that are not blank: all blank places
    have the same values, and a large hole would pull the median to itself, or shrink the deviation until all fabric
    looked unusual.

    Args:
        channels: ``(K, h, w)``.
        blank: bool ``(h, w)``; where every place is, all count.
    """
    flat = channels.flatten(1)
    if torch.compiler.is_compiling():
        places = (~blank | blank.all()).flatten()
        median = in_graphs.lower_median(flat, places)
        spread = MEDIAN_DEVIATION * in_graphs.lower_median((flat - median).abs(), places)
    else:
        counted = flat if blank.all() else flat[:, ~blank.flatten()]
        median = counted.median(1, keepdim=True).values
        spread = MEDIAN_DEVIATION * (counted - median).abs().median(1, keepdim=True).values
    return ((flat - median).abs() / (spread + FAINTEST)).view_as(channels)


def blank_cells(picture: Tensor) -> Tensor:
    """Return bool ``(h, w)``: whether a cell of a picture ``(C, H, W)`` is of one colour, which no fabric is."""
    if torch.compiler.is_compiling():
        picture = in_graphs.take_blocks(picture, CELL)
    highest, lowest = (sign * F.max_pool2d(sign * picture[None], CELL, ceil_mode=True)[0] for sign in (1, -1))
    return (highest == lowest).all(0)


def _mean_along(picture: Tensor, dim: int, cells: tuple[int, int]) -> Tensor:
    """Average along the columns (1) or rows (2) of ``(C, H, W)``, in cells.

    Averaged across first, which changes nothing: a quarter of the lines is left to be blurred.
    """
    across = (cells[0], picture.shape[2]) if dim == 2 else (picture.shape[1], cells[1])
    sigmas = (0.0, THREAD) if dim == 2 else (THREAD, 0.0)
    return to_cells(blur(to_cells(picture, across), *sigmas), cells)


def _orientation(picture: Tensor, cells: tuple[int, int]) -> list[Tensor]:
    down = torch.diff(picture, dim=1, append=picture[:, -1:])
    right = torch.diff(picture, dim=2, append=picture[:, :, -1:])
    rows, columns, diagonal = (_local_mean(product, cells) for product in (down.square(), right.square(), down * right))
    rows, columns = rows + FAINTEST, columns + FAINTEST
    return [rows.log() - columns.log(), diagonal / (rows * columns).sqrt()]


def _local_mean(values: Tensor, cells: tuple[int, int]) -> Tensor:
    return blur(to_cells(values, cells), 1.2, 1.2)

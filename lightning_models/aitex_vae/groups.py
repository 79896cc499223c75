"""Statistics of normal tiles by group, fitted in the calibration and kept in the checkpoint."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from datamodules.errors import InputError

POOLED = "(all groups)"
"""Name under which the statistics over all groups stand, for pictures of a group that was never calibrated."""

SMALLEST = 1e-6
"""What normal tiles vary at least, so that a channel without any variation can be divided by it."""


class GroupStatistics(nn.Module):
    """Base of statistics of N tiles with K values each, by group; subclasses fit and use them.

    Args:
        channels: K.

    Attributes:
        groups: names, first that of all groups together.
    """

    def __init__(self, channels: int, **shapes: tuple[int, ...]) -> None:
        super().__init__()
        self.channels, self._shapes = channels, shapes
        self.groups: list[str] = []
        for name in shapes:
            self.register_buffer(name, torch.empty(0))
        self.regroup([])

    def regroup(self, groups: Sequence[str]) -> None:
        """Forget all statistics and make room for those of these groups."""
        self.groups = [POOLED, *groups]
        for name, shape in self._shapes.items():
            device = self.get_buffer(name).device
            self.register_buffer(name, torch.full((len(self.groups), *shape), torch.nan, device=device))

    def row(self, group: str) -> int:
        """Return the number of a group; that of all groups together where it was never seen."""
        return self.groups.index(group) if group in self.groups else 0

    def fit(self, values: Tensor, group: Sequence[str]) -> None:
        """Fit the statistics to normal tiles.

        Args:
            values: ``(N, K)``, of N tiles.
            group: N names.

        Raises:
            InputError: fewer than two tiles of a group.
            ValueError: a value that is not finite.
        """
        if not torch.isfinite(values).all():
            raise ValueError("the evidence on normal tiles is not finite, so that nothing can be fitted to it")
        self.regroup(sorted(set(group)))
        number = {name: row for row, name in enumerate(self.groups)}
        member = torch.tensor([number[name] for name in group], device=values.device)  # (N,)
        for row, name in enumerate(self.groups):
            own = (values if name == POOLED else values[member == row]).double()
            if len(own) < 2:
                raise InputError(
                    f"the calibration needs at least two normal tiles of group {name!r}, not {len(own)}: give more "
                    "faultless pictures, or leave out trainer.fast_dev_run and trainer.limit_val_batches"
                )
            self._fit_row(row, own)

    def _fit_row(self, row: int, values: Tensor) -> None:
        """Keep what a subclass keeps of a group, from its float64 values, in this row of the buffers."""
        raise NotImplementedError


class GroupScale(GroupStatistics):
    """For every channel mean ``location`` and standard deviation ``scale`` over normal tiles, each ``(G, K)``."""

    location: Tensor
    scale: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__(channels, location=(channels,), scale=(channels,))

    def _fit_row(self, row: int, values: Tensor) -> None:
        self.location[row], self.scale[row] = values.mean(0), values.std(0) + SMALLEST

    def forward(self, maps: Tensor, group: str, channels: Sequence[int] | None = None) -> Tensor:
        """Bring maps ``(K, ...)`` to the level of normal tiles: 0 is their mean, 1 a standard deviation more.

        Args:
            maps: of all channels, or of those alone that are named.
            group: name of the picture's group.
            channels: numbers of the maps' channels.
        """
        row, of = self.row(group), slice(None) if channels is None else list(channels)
        return level(maps, self.location[row, of], self.scale[row, of])


def level(maps: Tensor, location: Tensor, scale: Tensor) -> Tensor:
    """Measure maps ``(K, ...)`` from a location in units of a scale, each ``(K,)``."""
    shape = (-1,) + (1,) * (maps.dim() - 1)
    return (maps - location.view(shape)) / scale.view(shape)


class GroupGaussian(GroupStatistics):
    """Mean ``(G, K)`` and inverse covariance ``(G, K, K)`` of normal tiles."""

    mean: Tensor
    precision: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__(channels, mean=(channels,), precision=(channels, channels))

    def _fit_row(self, row: int, values: Tensor) -> None:
        spread = values.std(0) + SMALLEST
        # directions in which normal tiles do not vary are left out: their variance is unknown
        inverse = torch.linalg.pinv(torch.cov((values / spread).T), rtol=1e-6, hermitian=True)
        self.mean[row], self.precision[row] = values.mean(0), inverse / spread / spread[:, None]

    def forward(self, values: Tensor, group: str) -> Tensor:
        """Return the Mahalanobis distance ``(N,)`` of values ``(N, K)`` from the normal tiles of a group."""
        row = self.row(group)
        away = values - self.mean[row]
        with torch.autocast(away.device.type, enabled=False):
            return torch.einsum("nd,de,ne->n", away, self.precision[row], away).clamp_min(0).sqrt()

"""From maps of evidence to one anomaly score a frame, on a scale fitted on normal data.

A mean over the picture hides a small anomaly among many quiet pixels, and kinds of evidence differ in unit and in
how much they vary without any anomaly. So every kind is pooled over patches, divided by the scale it has on normal
data in that row of the picture (things look larger and faster near the camera), reduced to its few largest
patches, and only then compared with what normal windows reach.

All kinds together are as unusual as the one that exceeds normal windows most. Or, as a density has it, as their
distance from normal windows in the measure of these: the Mahalanobis distance of the roots of their largest patches,
with the correlations shrunk as by Ledoit and Wolf, "A well-conditioned estimator for large-dimensional covariance
matrices", Journal of Multivariate Analysis 88 (2004). There a combination counts that no kind shows alone, such as
nothing that moves where something always does.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from datamodules.errors import InputError
from lightning_models.training.quantile import quantile

# A row's scale never falls below this part of the mean over the rows: where nothing moves on normal data the fitted
# line may reach zero, and noise divided by zero would outvote everything else.
SMALLEST_RELATIVE_SCALE = 0.1

AT_ONCE = 256
"""Windows that are put side by side for a moment while a scale is fitted."""

LEAST_SHRINKAGE = 0.01
"""Of the correlations towards none, where few windows seem to tie one kind wholly to another."""

OF_COMBINED = ("centre", "whitening", "distances")
"""Buffers of the combined kinds; the others are of all kinds."""

HIGH_NORMAL = 0.99
"""Quantile over normal windows that a part is measured by."""


Joint = Literal["largest", "density"]


class PatchScores(NamedTuple):
    """Scores of B windows of T frames.

    Attributes:
        score: ``(B, T)``, unbounded, 0 for an average normal window, 1 for one that is higher than 99 % of the normal
            ones; where the largest part decides, in some part.
        heat: ``(B, T, h, w)``, at least 0; 1 is what the largest patches of such a high normal window reach.
        parts: ``(B, T, K)``, every kind of evidence alone, in the unit of the score.
    """

    score: Tensor
    heat: Tensor
    parts: Tensor


class PatchSummary(NamedTuple):
    """All that the calibration needs of the patches ``(T, K, h, w)`` of a window; of a wide picture it is far less.

    Attributes:
        total: float64 ``(K, h)``, sum over the patches of a row of the picture and over time.
        squares: float64 ``(K, h)``, sum of their squares.
        largest: ``(T, K, h, top_k)``, the largest patches of every row: the scale is one for a row, so that the largest
            of the picture are among them whatever it will be.
    """

    total: Tensor
    squares: Tensor
    largest: Tensor


class PatchScorer(nn.Module):
    """Scores K kinds of evidence over patches; its calibration is fitted on normal data and kept as buffers.

    Args:
        names: the K kinds of evidence, in the order of the maps.
        combined: the kinds that make up the score; the others are scored only as references beside it.
        patch: edge of a patch in pixels; patches do not overlap.
        top_k: number of largest patches whose mean stands for a frame.
        joint: what the combined kinds come to: ``largest``, the part that exceeds normal windows most, or ``density``,
            their distance from normal windows.
    """

    line: Tensor
    location: Tensor
    scale: Tensor
    centre: Tensor
    whitening: Tensor
    distances: Tensor

    def __init__(
        self,
        names: Sequence[str],
        combined: Sequence[str],
        patch: int = 8,
        top_k: int = 3,
        joint: Joint = "largest",
    ) -> None:
        super().__init__()
        if unknown := set(combined) - set(names):
            raise ValueError(f"combined names {sorted(unknown)}, which are not among the evidence {list(names)}")
        self.names, self.patch, self.top_k, self.joint = tuple(names), patch, top_k, joint
        self.chosen = [self.names.index(name) for name in combined]
        # scale of row r in [-1, 1]: line[:, 0] + line[:, 1] * r
        self.register_buffer("line", torch.tensor([1.0, 0.0]).repeat(len(names), 1))
        self.register_buffer("location", torch.zeros(len(names)))
        self.register_buffer("scale", torch.ones(len(names)))
        # of the C combined kinds: mean root (C,), what turns deviations into independent ones of variance 1 (C, C), and
        # mean and 0.99 quantile of the distances of normal windows
        self.register_buffer("centre", torch.zeros(len(self.chosen)))
        self.register_buffer("whitening", torch.eye(len(self.chosen)))
        self.register_buffer("distances", torch.tensor([0.0, 1.0]))

    def without(self, name: str) -> "PatchScorer":
        """Return a scorer of the same calibration that leaves out a kind of evidence, which is no part of the score."""
        kept = [place for place, own in enumerate(self.names) if own != name]
        names = [self.names[place] for place in kept]
        combined = [self.names[place] for place in self.chosen]
        fewer = PatchScorer(names, combined, self.patch, self.top_k, self.joint)
        for own, buffer in self.named_buffers():
            fewer.register_buffer(own, (buffer if own in OF_COMBINED else buffer[kept]).clone())
        return fewer

    def in_order(self, evidence: Mapping[str, Tensor]) -> Tensor:
        """Stack evidence ``(B, T, H, W)`` of every kind, by its name, to ``(B, T, K, H, W)``."""
        return torch.stack([evidence[name].float() for name in self.names], dim=2)

    def pool(self, maps: Tensor, region: Tensor) -> Tensor:
        """Average evidence over patches; patches outside the picture count as zero.

        Args:
            maps: ``(B, T, K, H, W)``, at least 0.
            region: ``(B, 4)`` top, left, height, width of the picture within the letterbox, in pixels.

        Returns:
            ``(B, T, K, H // patch, W // patch)``, float32.
        """
        height, width = maps.shape[-2:]
        inside = picture_mask(region, height, width).to(maps.device)
        weighted = (maps.float() * inside[:, None, None]).flatten(0, 1)
        area = F.avg_pool2d(inside[:, None], self.patch)[:, None]
        pooled = F.avg_pool2d(weighted, self.patch).unflatten(0, maps.shape[:2])
        return torch.where(area > 0.5, pooled / area.clamp_min(0.5), 0.0)

    def summarise(self, patches: Tensor) -> list[PatchSummary]:
        """Reduce the evidence ``(B, T, K, h, w)`` on normal windows to what the scale is fitted to."""
        exact = patches.double()
        total, squares = exact.sum((1, 4)), exact.square().sum((1, 4))  # (B, K, h)
        largest = patches.topk(min(self.top_k, patches.shape[-1]), dim=-1).values
        return [PatchSummary(*window) for window in zip(total, squares, largest, strict=True)]

    @torch.no_grad()
    def fit(self, windows: Sequence[PatchSummary]) -> None:
        """Fit the scale of every row and the level of normal windows on N windows of normal video.

        The line of a kind minimises ``sum x (x - a - b r)^2`` over all patches x >= 0 at row r: a patch counts by its
        own evidence, so that the empty part of the scene does not pull the scale of the busy part down.

        Raises:
            InputError: fewer than two windows.
            ValueError: a value that is not finite.
        """
        if len(windows) < 2:
            raise InputError(
                f"the calibration needs at least two normal windows, not {len(windows)}: give more normal video, or "
                "leave out trainer.fast_dev_run and trainer.limit_val_batches"
            )
        total = torch.stack([window.total for window in windows]).sum(0)  # (K, h)
        squares = torch.stack([window.squares for window in windows]).sum(0)
        if not torch.isfinite(squares).all():
            raise ValueError("the evidence on normal data is not finite, so that no calibration can be fitted")
        self.line.copy_(_row_lines(total, squares))
        parts = [windows[first : first + AT_ONCE] for first in range(0, len(windows), AT_ONCE)]
        tops = torch.cat([self._tops(torch.stack([one.largest for one in part])).mean(1) for part in parts])  # (N, K)
        self.location.copy_(tops.mean(0))
        high = torch.stack([quantile(values, HIGH_NORMAL) for values in tops.T])
        self.scale.copy_((high - self.location).clamp_min(torch.finfo(tops.dtype).eps))
        self._fit_distance(tops[:, self.chosen].sqrt())

    def forward(self, patches: Tensor) -> PatchScores:
        """Score patches of evidence ``(B, T, K, h, w)``; the frames of a window share their mean.

        The mean over the window, and the mean over overlapping windows afterwards, smooth the score over time.
        """
        tops = self._tops(patches).mean(1, keepdim=True)  # (B, 1, K)
        parts = ((tops - self.location) / self.scale).expand(-1, patches.shape[1], -1)  # (B, T, K)
        high = (self.location + self.scale)[:, None, None]  # (K, 1, 1)
        heat = (self._rescale(patches) / high)[:, :, self.chosen].amax(2)  # (B, T, h, w)
        if self.joint == "largest":
            return PatchScores(parts[..., self.chosen].amax(-1), heat, parts)
        usual, much = self.distances.unbind()
        score = (self._distance(tops[..., self.chosen].sqrt()) - usual) / (much - usual)  # (B, 1)
        return PatchScores(score.expand(-1, patches.shape[1]), heat, parts)

    def _fit_distance(self, roots: Tensor) -> None:
        """Fit the distance to the roots ``(N, C)`` of the combined kinds on normal windows."""
        from sklearn.covariance import ledoit_wolf  # slow to import, and needed at a calibration alone

        exact = roots.double().cpu()
        centre, spread = exact.mean(0), exact.std(0, correction=0).clamp_min(torch.finfo(roots.dtype).eps)
        correlation, _ = ledoit_wolf(((exact - centre) / spread).numpy(), assume_centered=True)
        # x' R^-1 x = |L^-1 x|^2 where R = L L'
        shrunk = torch.from_numpy(correlation).lerp(torch.eye(len(centre)).double(), LEAST_SHRINKAGE)
        root = torch.linalg.cholesky(shrunk)
        whitening = torch.linalg.solve_triangular(root, torch.diag(1 / spread), upper=False)
        self.centre.copy_(centre)
        self.whitening.copy_(whitening)
        distance = self._distance(roots)
        usual, much = distance.mean(), quantile(distance, HIGH_NORMAL)
        self.distances.copy_(torch.stack([usual, torch.maximum(much, usual + torch.finfo(roots.dtype).eps)]))

    def _distance(self, roots: Tensor) -> Tensor:
        """Return the distance ``(...)`` of roots ``(..., C)`` from those of normal windows."""
        deviation = roots - self.centre
        # no matrix product, which automatic mixed precision would round
        return torch.linalg.vector_norm((deviation[..., None, :] * self.whitening).sum(-1), dim=-1)

    def _rescale(self, patches: Tensor) -> Tensor:
        row = _rows(patches.shape[-2], self.line.dtype).to(self.line.device)  # (h,)
        scale = self.line[:, :1] + self.line[:, 1:] * row  # (K, h)
        scale = torch.maximum(scale, SMALLEST_RELATIVE_SCALE * self.line[:, :1].abs()).clamp_min(1e-12)
        return patches / scale[:, :, None]

    def _tops(self, patches: Tensor) -> Tensor:
        flat = self._rescale(patches).flatten(-2)  # (B, T, K, h w)
        return flat.topk(min(self.top_k, flat.shape[-1]), dim=-1).values.mean(-1)  # (B, T, K)


def picture_mask(region: Tensor, height: int, width: int) -> Tensor:
    """Return float ``(B, height, width)``, 1 inside the region (top, left, height, width) of every window."""
    top, left, rows, columns = (edge[:, None] for edge in region.unbind(1))
    y = torch.arange(height, device=region.device)
    x = torch.arange(width, device=region.device)
    inside_rows = (y >= top) & (y < top + rows)
    inside_columns = (x >= left) & (x < left + columns)
    return (inside_rows[:, :, None] & inside_columns[:, None, :]).float()


def _rows(count: int, dtype: torch.dtype) -> Tensor:
    return torch.linspace(-1, 1, count, dtype=dtype) if count > 1 else torch.zeros(1, dtype=dtype)


def _row_lines(first: Tensor, second: Tensor) -> Tensor:
    """Self-weighted least-squares line over the rows: ``(K, 2)`` intercept and slope.

    Args:
        first: ``(K, h)``, sum of all patches of a row.
        second: ``(K, h)``, sum of their squares.
    """
    row = _rows(first.shape[-1], first.dtype).to(first.device)
    s0, s1, s2 = (torch.stack([(first * row**power).sum(1) for power in range(3)])).unbind(0)
    t0, t1 = second.sum(1), (second * row).sum(1)
    determinant = s0 * s2 - s1 * s1
    mean = t0 / s0.clamp_min(1e-12)
    solvable = determinant > 1e-9 * s0.square()
    safe = torch.where(solvable, determinant, 1.0)
    intercept = torch.where(solvable, (t0 * s2 - t1 * s1) / safe, mean)
    slope = torch.where(solvable, (t1 * s0 - t0 * s1) / safe, 0.0)
    return torch.stack([intercept, slope], 1)

"""Posteriors of variational autoencoders and their divergence from the standard normal.

One convention everywhere: sum over the dimensions of a sample, in nats; its mean over the batch is a loss term.
Distributions and divergences are float32 even under autocast, where a small variance would be lost.
"""

from abc import ABC, abstractmethod
from typing import Literal

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, LowRankMultivariateNormal, MultivariateNormal, Normal

from datamodules.errors import InputError
from lightning_models.all_processes import mean_over_processes
from lightning_models.effective import effective

PosteriorKind = Literal["diagonal", "full", "low_rank"]

_CERTAIN = -6.0
"""Logarithm of the variance with which a map of latent dimensions begins."""


class Posterior(nn.Module, ABC):
    """Head of an encoder: turns features into q(z | x), a distribution over the D latent dimensions.

    Attributes:
        mean: features ``(B, F)`` to the mean alone, ``(B, D)``.
    """

    mean: nn.Linear

    @abstractmethod
    def forward(self, features: Tensor) -> Distribution:
        """Return q(z | x) with batch shape ``(B,)`` and event shape ``(D,)`` from features ``(B, F)``."""


class DiagonalPosterior(Posterior):
    """Independent dimensions, N(mu, diag(sigma^2)) (Kingma and Welling 2013).

    Args:
        in_features: F, width of the features.
        latent_dim: D, number of latent dimensions.
    """

    def __init__(self, in_features: int, latent_dim: int) -> None:
        super().__init__()
        self.mean = nn.Linear(in_features, latent_dim)
        self.log_variance = nn.Linear(in_features, latent_dim)

    def forward(self, features: Tensor) -> Distribution:
        """Return N(mu, diag(exp(log_variance)))."""
        deviation = (0.5 * self.log_variance(features).float()).exp()
        return Independent(Normal(self.mean(features).float(), deviation, validate_args=False), 1, validate_args=False)


class FullPosterior(Posterior):
    """Any covariance, N(mu, L L^T), by its Cholesky factor: D (D + 1) / 2 numbers beside the mean.

    The diagonal of L is ``exp`` of half a head's output, as the deviation of :class:`DiagonalPosterior` is.

    Args:
        in_features: F, width of the features.
        latent_dim: D, number of latent dimensions.
    """

    def __init__(self, in_features: int, latent_dim: int) -> None:
        super().__init__()
        self.mean = nn.Linear(in_features, latent_dim)
        self.log_variance = nn.Linear(in_features, latent_dim)
        self.below_diagonal = nn.Linear(in_features, latent_dim * (latent_dim - 1) // 2)

    def forward(self, features: Tensor) -> MultivariateNormal:
        """Return N(mu, L L^T)."""
        mean = self.mean(features).float()
        factor = torch.diag_embed((0.5 * self.log_variance(features).float()).exp())
        row, column = torch.tril_indices(mean.shape[1], mean.shape[1], offset=-1, device=mean.device)
        factor[:, row, column] = self.below_diagonal(features).float()
        return MultivariateNormal(mean, scale_tril=factor, validate_args=False)


class LowRankPosterior(Posterior):
    """Correlations of low rank, N(mu, diag(d) + U U^T): D (rank + 1) numbers beside the mean.

    Args:
        in_features: F, width of the features.
        latent_dim: D, number of latent dimensions.
        rank: columns of U, from 1 to D.

    Raises:
        InputError: ``rank`` out of range.
    """

    def __init__(self, in_features: int, latent_dim: int, rank: int) -> None:
        super().__init__()
        if not 1 <= rank <= latent_dim:
            raise InputError(f"rank is {rank}: give a whole number from 1 to the latent size, {latent_dim}")
        self.mean = nn.Linear(in_features, latent_dim)
        self.log_variance = nn.Linear(in_features, latent_dim)
        self.factor = nn.Linear(in_features, latent_dim * rank)

    def forward(self, features: Tensor) -> LowRankMultivariateNormal:
        """Return N(mu, diag(exp(log_variance)) + U U^T)."""
        mean = self.mean(features).float()
        diagonal = self.log_variance(features).float().exp()
        factor = self.factor(features).float().unflatten(1, (mean.shape[1], -1))
        with torch.autocast(mean.device.type, enabled=False):
            return LowRankMultivariateNormal(mean, factor, diagonal, validate_args=False)


class MapPosterior(nn.Module):
    """Independent dimensions at every place of a map, each from the features of its place alone.

    It begins nearly certain, with a deviation of about 0.05: beside noise of the strength of z nothing is learned for
    long of the few pixels of a place.

    Args:
        in_features: F, channels of the features.
        latent_dim: D, number of latent dimensions of a place.

    Attributes:
        mean: features ``(B, F, h, w)`` to the mean alone, ``(B, D, h, w)``.
    """

    def __init__(self, in_features: int, latent_dim: int) -> None:
        super().__init__()
        self.mean = nn.Conv2d(in_features, latent_dim, 1)
        self.log_variance = nn.Conv2d(in_features, latent_dim, 1)

    def forward(self, features: Tensor) -> Distribution:
        """Return q(z | x) with batch shape ``(B,)`` and event shape ``(D h w,)`` from features ``(B, F, h, w)``."""
        deviation = (0.5 * (self.log_variance(features).float() + _CERTAIN)).exp().flatten(1)
        mean = self.mean(features).float().flatten(1)
        return Independent(Normal(mean, deviation, validate_args=False), 1, validate_args=False)


def make_posterior(kind: PosteriorKind, in_features: int, latent_dim: int, rank: int | None = None) -> Posterior:
    """Return the posterior of that kind; only ``low_rank`` has a rank, of 4 where None is given."""
    rank = effective("rank", rank, 4, kind == "low_rank", "posterior low_rank")
    if kind == "diagonal":
        return DiagonalPosterior(in_features, latent_dim)
    return FullPosterior(in_features, latent_dim) if kind == "full" else LowRankPosterior(in_features, latent_dim, rank)


def kl_divergence(posterior: Distribution, free_bits: float = 0.0) -> Tensor:
    """Return KL(q || N(0, I)) in closed form: ``(tr S + mu^T mu - D - ln det S) / 2``.

    With ``free_bits``, a dimension whose divergence, averaged over the batch of all processes, lies below that many
    nats counts as that many and is not pushed further (Kingma et al. 2016, "free bits").

    Args:
        posterior: with batch shape ``(B,)`` and event shape ``(D,)``.
        free_bits: nats of every dimension that cost nothing more, at least 0; of a diagonal posterior only, because
            the divergence of the others is no sum over dimensions.

    Returns:
        float32 ``(B,)``, in nats, summed over the dimensions.

    Raises:
        TypeError: a distribution of another family than the three posteriors here.
        InputError: free bits of a posterior that is not diagonal.
    """
    if isinstance(posterior, Independent):
        by_dimension = kl_per_dimension(posterior)
        if free_bits > 0:
            by_dimension = torch.where(mean_over_processes(by_dimension.mean(0)) < free_bits, free_bits, by_dimension)
        return by_dimension.sum(1)
    if free_bits > 0:
        raise InputError(f"free_bits is {free_bits}: only a diagonal posterior has them, set it to 0")
    log_determinant, mean = _log_determinant(posterior), posterior.mean
    return 0.5 * ((posterior.variance + mean.square() - 1).sum(1) - log_determinant)


def kl_per_dimension(posterior: Distribution) -> Tensor:
    """Return KL of every dimension's marginal from N(0, 1): float32 ``(B, D)``, in nats.

    Their sum is the whole divergence where dimensions are independent, and less where they are not.
    """
    # A diagonal posterior has its deviation at hand, whose logarithm is finite over twice the range of the variance's.
    deviation = posterior.base_dist.stddev if isinstance(posterior, Independent) else posterior.stddev
    return 0.5 * (deviation.square() + posterior.mean.square() - 1) - deviation.log()


def _log_determinant(posterior: Distribution) -> Tensor:
    """Return the logarithm of the covariance's determinant, ``(B,)``."""
    if isinstance(posterior, MultivariateNormal):
        return 2 * posterior.scale_tril.diagonal(dim1=1, dim2=2).log().sum(1)
    if isinstance(posterior, LowRankMultivariateNormal):  # det(D + U U^T) = det(D) det(I + U^T D^-1 U)
        factor, diagonal = posterior.cov_factor, posterior.cov_diag
        with torch.autocast(factor.device.type, enabled=False):
            inner = (factor / diagonal[:, :, None]).mT @ factor
            root = torch.linalg.cholesky(inner + torch.eye(inner.shape[1], device=inner.device))
        return diagonal.log().sum(1) + 2 * root.diagonal(dim1=1, dim2=2).log().sum(1)
    raise TypeError(f"no closed form is known here for {type(posterior).__name__}")

"""Where the samples of an autoencoder come from: its prior, or what its encoder makes of the training pictures.

The decoder knows the latent vectors that the encoder gives it, and these rarely fill the prior: a sample of the prior
may lie where it has never been. A second stage is fitted to them instead (Ghosh et al. 2020, arXiv 1903.12436): a
Gaussian with their mean and covariance, or a mixture of Gaussians.
"""

from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.special import ndtr

from datamodules.errors import InputError
from lightning_models.all_processes import joined

Sampler = Literal["prior", "gaussian", "mixture"]
SAMPLERS: tuple[Sampler, ...] = get_args(Sampler)

KEPT = 4096  # latest latent vectors
REFIT = 512  # latent vectors between two fits of the Gaussian
COMPONENTS = 10  # of the mixture at most
EACH = 2  # latent vectors for every dimension that a component of the mixture needs


class LatentSampler(nn.Module):
    """Turns standard normal noise into latent vectors that samples are decoded of.

    The latest latent vectors of the training are kept, those of all processes, and lie in the checkpoint. The Gaussian
    is fitted while the training goes on, so that a discriminator can be shown its samples; the prior counts in it as
    much as D latent vectors. The mixture is fitted when it is asked for.

    Args:
        latent_dim: D.

    Attributes:
        latents: ``(4096, D)``, a ring of the latest ones.
        taken: 0-dim, how many there have been.
        mean: ``(D,)`` of the Gaussian.
        factor: ``(D, D)``, lower triangle whose square is its covariance.
    """

    latents: Tensor
    taken: Tensor
    mean: Tensor
    factor: Tensor

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.register_buffer("latents", torch.zeros(KEPT, latent_dim))
        self.register_buffer("taken", torch.tensor(0))
        self.register_buffer("mean", torch.zeros(latent_dim))
        self.register_buffer("factor", torch.eye(latent_dim))
        self._mixture: tuple[int, tuple[Tensor, Tensor, Tensor]] | None = None
        self.register_load_state_dict_post_hook(LatentSampler._forget_mixture)

    @torch.no_grad()
    def take(self, latents: Tensor) -> None:
        """Keep latent vectors ``(B, D)`` of training pictures; all processes call it together."""
        new = joined(latents).to(self.latents.dtype)[-KEPT:]
        before = int(self.taken)
        places = (before + torch.arange(len(new), device=new.device)) % KEPT
        self.latents[places] = new
        self.taken += len(new)
        if before < REFIT or before // REFIT < int(self.taken) // REFIT:
            self._fit_gaussian()

    def draw(self, noise: Tensor, sampler: Sampler) -> Tensor:
        """Return latent vectors ``(B, D)``, each a function of its own row of standard normal ``noise`` ``(B, D)``.

        Raises:
            InputError: if too few latent vectors were kept for the sampler.
        """
        if sampler == "prior":
            return noise
        if sampler == "gaussian":
            if not self.can_draw(sampler):
                raise InputError(
                    "sampler: this model has kept no latent vectors of training pictures, as one of before version "
                    "0.3: use prior, or train it further"
                )
            return self.mean.to(noise) + noise @ self.factor.to(noise).T
        weights, means, factors = (part.to(noise.device) for part in self._fitted_mixture())
        # The sum of D independent uniform numbers, modulo 1, is uniform whatever D - 1 of them are: it picks the
        # component, and the noise within that is as good as independent of it.
        place = ndtr(noise.double()).sum(1) % 1
        last = len(weights) - 1  # the sum of the weights may be rounded below 1
        of = torch.searchsorted(weights.cumsum(0), place).clamp(max=last)
        return means.to(noise)[of] + torch.einsum("bij,bj->bi", factors.to(noise)[of], noise)

    def can_draw(self, sampler: Sampler) -> bool:
        """Tell whether enough latent vectors were kept for a sampler; a mixture has at least two components."""
        return int(self.taken) > 0 if sampler == "gaussian" else sampler == "prior" or self._num_components() > 1

    def _forget_mixture(self, _: object) -> None:
        self._mixture = None  # it was fitted to other latent vectors

    def _kept(self) -> Tensor:
        return self.latents[: int(self.taken)].double().cpu()

    def _fit_gaussian(self) -> None:
        kept = self._kept()
        centred = kept - kept.mean(0)
        dimensions = kept.shape[1]
        share = len(kept) / (len(kept) + dimensions)
        covariance = share * centred.T @ centred / len(kept) + (1 - share) * torch.eye(dimensions, dtype=kept.dtype)
        self.mean.copy_(share * kept.mean(0))
        self.factor.copy_(torch.linalg.cholesky(covariance))

    def _num_components(self) -> int:
        count, dimensions = min(int(self.taken), KEPT), self.latents.shape[1]
        return min(count // (EACH * dimensions), COMPONENTS)

    def _fitted_mixture(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return weights ``(K,)``, means ``(K, D)`` and Cholesky factors ``(K, D, D)``, fitted once."""
        from sklearn.mixture import GaussianMixture  # a second to import, and rarely needed

        taken, components = int(self.taken), self._num_components()
        if components < 2:
            least = 2 * EACH * self.latents.shape[1]
            raise InputError(
                f"sampler: a mixture needs the latent vectors of at least {least} training pictures, and this model "
                f"has {taken}: train for longer, or use gaussian"
            )
        if self._mixture is None or self._mixture[0] != taken:
            fit = GaussianMixture(components, random_state=0, max_iter=200, reg_covar=1e-4).fit(self._kept().numpy())
            parts = (fit.weights_, fit.means_, fit.covariances_)
            weights, means, covariances = (torch.from_numpy(part).double() for part in parts)
            self._mixture = taken, (weights, means, torch.linalg.cholesky(covariances))
        return self._mixture[1]

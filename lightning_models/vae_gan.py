"""What the generators of pictures share: an autoencoder whose reconstructions and samples a discriminator judges.

While the terms that ask the discriminator have weight 0, as at the start of a schedule, it is an autoencoder alone: no
sample is decoded, the discriminator rests, and the autoencoder learns from every batch.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from lightning.pytorch.utilities import rank_zero_info
from torch import Tensor
from torch.distributions import Distribution

from datamodules.batches import ImageBatch, Reconstructions
from datamodules.errors import InputError
from datamodules.ranges import at_least_zero
from lightning_models.deployed_vae_gan import in_range, to_unit_range
from lightning_models.effective import effective
from lightning_models.latent_sampler import SAMPLERS, LatentSampler, Sampler
from lightning_models.picture_shape import check_picture_shape
from lightning_models.training.adversarial import AdversarialModule
from lightning_models.variational import kl_per_dimension


class VAEGANModule(AdversarialModule):
    """Base of VAE/GANs on pictures; a system says how its networks make a picture of a latent vector (``decode``).

    Attributes:
        vae: has ``encode``, which gives the posterior of pictures in the range of the networks, and ``decode``.
        darkest: what black is for the networks, 0 or -1; white is 1.
        picture_shape: C, S, S that the networks were built for.
        latent_dim: D.
        free_bits: nats of every latent dimension that cost nothing.
        share: r in [0, 1], what reconstructions count among the generated pictures; samples count 1 - r.
        sampler: what samples are drawn from where nobody says.
        samplers: all that they can be drawn from.
        latent_sampler: turns noise into latent vectors.
    """

    shared_with_data: ClassVar[Mapping[str, str]] = {"image_channels": "channels", "image_size": "image_size"}
    free_after_training: ClassVar[tuple[str, ...]] = ("free_bits", "reconstruction_share", "sampler")
    samplers: ClassVar[Sequence[Sampler]] = SAMPLERS
    asks_discriminator: ClassVar[tuple[str, ...]] = ("adversarial",)
    """Terms of the autoencoder that the discriminator is asked for."""
    darkest: ClassVar[float]
    vae: Any
    picture_shape: tuple[int, int, int]
    latent_dim: int
    free_bits: float
    share: float
    sampler: Sampler
    latent_sampler: LatentSampler

    def take_arguments(self, latent_dim: int, free_bits: float, reconstruction_share: float, sampler: Sampler) -> None:
        """Check and keep what both systems are given.

        Raises:
            InputError: if one is out of its range, or there is no KL term for the free bits.
        """
        self.free_bits = at_least_zero("free_bits", free_bits)
        effective("free_bits", free_bits or None, 0.0, self.weights.count("kl"), "weights.kl above 0", "0")
        if not 0 <= reconstruction_share <= 1:
            raise InputError(f"reconstruction_share is {reconstruction_share}: give a number from 0 to 1")
        self.share = reconstruction_share
        self.latent_dim, self.sampler = latent_dim, sampler
        self.latent_sampler = LatentSampler(latent_dim)

    @property
    def discriminator_is_asked(self) -> bool:
        """Whether a term that the discriminator is asked for has a weight at the present batch."""
        return any(self.weights.get(term, 0) for term in self.asks_discriminator)

    def latents_of_step(self, posterior: Distribution, keep: bool = True) -> Tensor:
        """Return latent vectors ``(2B, D)``: of B pictures, then as many of samples for the discriminator to judge.

        ``(B, D)``, those of the pictures alone, while it is not asked.

        With the mixture the discriminator is shown samples of the Gaussian: a mixture is not fitted at every step.

        Args:
            posterior: q(z | x) of the pictures.
            keep: whether samples are drawn from where these are, too.
        """
        count = posterior.batch_shape[0] if self.discriminator_is_asked else 0
        noise = torch.randn(count, self.latent_dim, device=self.device)
        of_pictures = posterior.rsample()
        if keep:
            self.latent_sampler.take(of_pictures)
        if not count:
            return of_pictures
        samples = self.latent_sampler.draw(noise, "prior" if self.sampler == "prior" else "gaussian")
        return torch.cat([of_pictures, samples])

    def unasked_terms(self) -> dict[str, Tensor]:
        """Return 0 for the terms that the discriminator would be asked for now, were their weights above 0 already."""
        return {
            term: torch.zeros((), device=self.device) for term in self.asks_discriminator if self.weights.count(term)
        }

    def latents(self, noise: Tensor, sampler: Sampler | None = None) -> Tensor:
        """Return latent vectors ``(B, D)`` to decode samples of, each a function of its row of standard normal noise.

        Args:
            noise: ``(B, D)``.
            sampler: what to draw from; None takes ``self.sampler``.

        Raises:
            InputError: if the model has kept too few latent vectors for it.
        """
        return self.latent_sampler.draw(noise, sampler or self.sampler)

    def can_draw(self, sampler: Sampler) -> bool:
        """Tell whether there are enough latent vectors for a sampler."""
        return self.latent_sampler.can_draw(sampler)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take over a checkpoint; one of before latent vectors were kept draws from the prior, as in its training."""
        parts = {name.partition(".")[0] for name in checkpoint["state_dict"]}
        if "vae" in parts and "latent_sampler" not in parts:
            none_kept = {f"latent_sampler.{name}": one for name, one in self.latent_sampler.state_dict().items()}
            checkpoint["state_dict"] = checkpoint["state_dict"] | none_kept
            if self.sampler != "prior":
                rank_zero_info(
                    f"sampler: is {self.sampler}, but this checkpoint has kept no latent vectors of training pictures, "
                    "as one of before version 0.3: samples are drawn from the prior, as in its training"
                )
                self.sampler = "prior"
        super().on_load_checkpoint(checkpoint)

    def mixed(self, of_reconstructions: Tensor, of_samples: Tensor) -> Tensor:
        """Return the mean of a term over reconstructions and samples, by their shares."""
        return self.share * of_reconstructions + (1 - self.share) * of_samples

    def from_pixels(self, images: Tensor) -> Tensor:
        """Bring bytes ``(B, C, S, S)`` to the range of the networks."""
        check_picture_shape(images, self.picture_shape)
        return in_range(images, self.darkest)

    def to_unit_range(self, images: Tensor) -> Tensor:
        """Bring pictures in the range of the networks to float32 in [0, 1]."""
        return to_unit_range(images, self.darkest)

    def forward(self, images: Tensor) -> Tensor:
        """Reconstruct pictures of bytes ``(B, C, S, S)``, without noise, in [0, 1]."""
        return self.decode(self.encode(images))

    def encode(self, images: Tensor) -> Tensor:
        """Return the posterior's mean ``(B, D)`` of pictures of bytes ``(B, C, S, S)``."""
        mean: Tensor = self.vae.encode(self.from_pixels(images)).mean
        return mean

    def decode(self, z: Tensor) -> Tensor:
        """Return float32 pictures ``(B, C, S, S)`` in [0, 1] of latent vectors ``(B, D)``."""
        raise NotImplementedError

    # Lightning types a step's outputs as tensors, but hands anything on to the callbacks
    def validation_step(self, batch: ImageBatch, batch_idx: int) -> Reconstructions:  # type: ignore[override]
        """Reconstruct a batch without noise."""
        images = self.from_pixels(batch.images)  # (B, C, S, S)
        posterior = self.vae.encode(images)  # q(z | x), z (B, D)
        return Reconstructions(
            name=batch.name,
            index=batch.index,
            images=self.to_unit_range(images),
            reconstructed=self.decode(posterior.mean),
            mean=posterior.mean,
            kl=kl_per_dimension(posterior),
        )

    test_step = predict_step = validation_step  # type: ignore[assignment]

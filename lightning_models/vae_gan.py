"""What the generators of pictures share: an autoencoder whose reconstructions and samples a discriminator judges."""

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor

from datamodules.batches import ImageBatch, Reconstructions
from datamodules.errors import InputError
from datamodules.ranges import at_least_zero
from lightning_models.effective import effective
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
    """

    shared_with_data: ClassVar[Mapping[str, str]] = {"image_channels": "channels", "image_size": "image_size"}
    free_after_training: ClassVar[tuple[str, ...]] = ("free_bits", "reconstruction_share")
    darkest: ClassVar[float]
    vae: Any
    picture_shape: tuple[int, int, int]
    latent_dim: int
    free_bits: float
    share: float

    def take_arguments(self, free_bits: float, reconstruction_share: float) -> None:
        """Check and keep what both systems are given.

        Raises:
            InputError: if one is out of its range, or there is no KL term for the free bits.
        """
        self.free_bits = at_least_zero("free_bits", free_bits)
        effective("free_bits", free_bits or None, 0.0, self.weights.count("kl"), "weights.kl above 0", "0")
        if not 0 <= reconstruction_share <= 1:
            raise InputError(f"reconstruction_share is {reconstruction_share}: give a number from 0 to 1")
        self.share = reconstruction_share

    def mixed(self, of_reconstructions: Tensor, of_samples: Tensor) -> Tensor:
        """Return the mean of a term over reconstructions and samples, by their shares."""
        return self.share * of_reconstructions + (1 - self.share) * of_samples

    def from_pixels(self, images: Tensor) -> Tensor:
        """Bring bytes ``(B, C, S, S)`` to the range of the networks."""
        check_picture_shape(images, self.picture_shape)
        return images.float() / (255 / (1 - self.darkest)) + self.darkest

    def to_unit_range(self, images: Tensor) -> Tensor:
        """Bring pictures in the range of the networks to float32 in [0, 1]."""
        return (images.float() - self.darkest) / (1 - self.darkest)

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

"""The generators of pictures outside of this project: an encoder from bytes to latent vectors, a decoder from those."""

from typing import Any

from torch import Tensor, nn

from datamodules.batches import ImageBatch, Reconstructions
from lightning_models.deployment import Deployment, Graph, Port, Run
from lightning_models.variational import kl_per_dimension

PICTURES = ("batch", "colours", "height", "width")
CODES = ("batch", "latent")


class PictureEncoder(nn.Module):
    """Finds latent vectors of pictures.

    Args:
        vae: network whose ``encode`` gives q(z | x) of pictures in its range.
        darkest: what black is in it, 0 or -1; white is 1.
    """

    def __init__(self, vae: Any, darkest: float) -> None:
        super().__init__()
        self.vae, self.darkest = vae, darkest

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the posterior's mean and its divergence by dimension, each ``(B, D)``, of bytes ``(B, C, S, S)``."""
        posterior = self.vae.encode(in_range(images, self.darkest))
        return posterior.mean, kl_per_dimension(posterior)


class PictureDecoder(nn.Module):
    """Makes pictures of latent vectors.

    Args:
        vae: network whose ``decode`` makes pictures in its range.
        darkest: what black is in it, 0 or -1; white is 1.
        last: layer behind it, or None.
    """

    def __init__(self, vae: Any, darkest: float, last: nn.Module | None = None) -> None:
        super().__init__()
        self.vae, self.darkest = vae, darkest
        self.last = nn.Identity() if last is None else last

    def forward(self, z: Tensor) -> tuple[Tensor]:
        """Return pictures ``(B, C, S, S)`` in [0, 1] of latent vectors ``(B, D)``."""
        return (to_unit_range(self.last(self.vae.decode(z)), self.darkest),)


class DeployedVAEGAN(Deployment[ImageBatch, Reconstructions]):
    """Base of what encodes and decodes pictures; a system names it, and says what is left outside.

    Args:
        vae: autoencoder with ``encode`` and ``decode``.
        darkest: what black is in its pictures, 0 or -1; white is 1.
        picture_shape: C, S, S.
        latent_dim: D.
        last: layer behind the decoder, or None.
    """

    def __init__(
        self,
        vae: Any,
        darkest: float,
        picture_shape: tuple[int, int, int],
        latent_dim: int,
        last: nn.Module | None = None,
    ) -> None:
        self._darkest = darkest
        self.graphs = {
            "encoder": Graph(
                PictureEncoder(vae, darkest),
                (Port("images", PICTURES, "uint8", "0 to 255", "pictures, grey or RGB"),),
                (
                    Port("mean", CODES, "float32", "unbounded", "latent vectors: means of the posterior"),
                    Port("kl", CODES, "float32", "at least 0", "divergence of each dimension from the prior, in nats"),
                ),
            ),
            "decoder": Graph(
                PictureDecoder(vae, darkest, last),
                (Port("z", CODES, "float32", "standard normal for new pictures", "latent vectors"),),
                (Port("pictures", PICTURES, "float32", "0 to 1", "pictures, grey or RGB"),),
            ),
        }
        self.facts: dict[str, Any] = {
            "picture_shape": list(picture_shape),
            "latent_dim": latent_dim,
            "normalisation": "none: bytes go in, pictures in 0 to 1 come out",
        }

    def answer(self, batch: ImageBatch, run: Run) -> Reconstructions:
        """Reconstruct a batch without noise."""
        encoded = run("encoder", {"images": batch.images})
        decoded = run("decoder", {"z": encoded["mean"]})
        return Reconstructions(
            name=batch.name,
            index=batch.index,
            images=to_unit_range(in_range(batch.images, self._darkest), self._darkest),
            reconstructed=decoded["pictures"],
            mean=encoded["mean"],
            kl=encoded["kl"],
        )


def in_range(images: Tensor, darkest: float) -> Tensor:
    """Bring bytes to float32 in a range from ``darkest`` to 1."""
    return images.float() / (255 / (1 - darkest)) + darkest


def to_unit_range(images: Tensor, darkest: float) -> Tensor:
    """Bring pictures in a range from ``darkest`` to 1 to float32 in [0, 1]."""
    return (images.float() - darkest) / (1 - darkest)

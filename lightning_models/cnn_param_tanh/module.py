"""CNNParamTanh: ``lightning fit --config experiments/cnn_param_tanh.yaml``.

A variational autoencoder with a parametric tanh as its last layer, trained against a Wasserstein critic with gradient
penalty (Gulrajani et al. 2017, arXiv 1704.00028).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor
from torch.distributions import Distribution
from torch.nn import functional as F

from datamodules.batches import ImageBatch
from datamodules.seeding import derive_seed
from lightning_models import losses
from lightning_models.all_processes import sample_before
from lightning_models.cnn_param_tanh.deployed import DeployedCNNParamTanh
from lightning_models.cnn_param_tanh.network import NEAR_IDENTITY, VAE, AlphaHead, Critic, Motion, ParamTanh
from lightning_models.latent_sampler import Sampler
from lightning_models.reconstruction_losses import l1
from lightning_models.training.adversarial import AdversarialModule
from lightning_models.training.schedules import Weight
from lightning_models.training.weights import LossWeights
from lightning_models.vae_gan import VAEGANModule
from lightning_models.variational import kl_divergence

WALK_FRAMES = 48

ADAM = partial(torch.optim.Adam, lr=1e-4, betas=(0.0, 0.9))


class Generated(NamedTuple):
    """Pictures that both phases share, ``(B, C, S, S)`` in [-1, 1].

    Attributes:
        images: photographs.
        posterior: q(z | x) of theirs.
        reconstructed: their reconstructions.
        sampled: as many samples; none while the critic is not asked.
    """

    images: Tensor
    posterior: Distribution
    reconstructed: Tensor
    sampled: Tensor


@dataclass(frozen=True, kw_only=True)
class CNNParamTanhWeights(LossWeights):
    """Weights of the losses: sums over pixels and latent dimensions, means over the batch.

    With ``reconstruction`` and ``kl`` 0 the objective is the description's, Wasserstein distance alone, which leaves
    the latent space without a meaning.

    Args:
        adversarial: raising the critic's score; while it is 0 the critic rests and the autoencoder learns alone.
        reconstruction: absolute error of the pixels in [-1, 1].
        kl: KL divergence in nats.
        penalty: the critic's gradient penalty.
    """

    adversarial: Weight = 1.0
    reconstruction: Weight = 0.01
    kl: Weight = 0.01
    penalty: Weight = 10.0


class CNNParamTanh(VAEGANModule):
    """Autoencoder and generator of pictures and of short clips.

    The critic is trained on every batch, autoencoder and tanh layer together on every ``n_critic``-th; while
    ``weights.adversarial`` is 0, these alone on every batch.

    Args:
        image_channels: C, 1 grey or 3 RGB, as in the data.
        image_size: S, edge of the pictures in pixels, a multiple of 8, as in the data.
        latent_dim: D, dimensions of the latent space.
        num_frames: T, frames of the synthetic video.
        motion: how its frames differ, where there are several: noise | shift | zoom; None: noise.
        alpha_head: how alpha is read off the CNN: ``linear`` as described, 67 million parameters at 128 x 128, or conv.
        alpha_start: alpha before training; the default is closest to the identity.
        clip: what ``generate_video`` shows: a ``walk`` in the latent space, or the ``frames`` of the synthetic video.
        weights: weights of the losses.
        free_bits: nats of every latent dimension that cost nothing, in training; 0 is off.
        reconstruction_share: r in [0, 1]: what reconstructions count among the generated pictures, in both phases;
            samples count 1 - r.
        sampler: what samples are drawn from, in the game too: a ``gaussian`` fitted to the latent vectors of the
            training pictures, a ``mixture`` of them (in the game the Gaussian), or the ``prior``, as published.
        n_critic: steps of the critic for one of the generator, while it is asked.
        training: the other arguments of :class:`AdversarialModule`; the discriminator is the critic.

    Attributes:
        latent_dim: D.
        health: of the latest batch, 0-dim: the critic's mean score of ``real``, ``reconstruction`` and ``sample``, and
            its ``accuracy``: the share of pairs of a photograph and a generated picture that it puts in order.
    """

    phase_modules: ClassVar[dict[str, tuple[str, ...]]] = {
        "discriminator": ("critic",),
        "generator": ("vae", "param_tanh"),
    }
    darkest: ClassVar = -1.0
    published_optimizers: ClassVar = dict.fromkeys(AdversarialModule.phases, ADAM)
    free_after_training: ClassVar[tuple[str, ...]] = ("clip",)
    default_weights: ClassVar = CNNParamTanhWeights()
    loss_terms: ClassVar[Mapping[str, Sequence[str]]] = {
        "discriminator": ("w1", "penalty", "gradient_norm"),
        "generator": ("adversarial", "reconstruction", "kl"),
    }

    def __init__(
        self,
        image_channels: int = 3,
        image_size: int = 128,
        latent_dim: int = 64,
        num_frames: int = 16,
        motion: Motion | None = None,
        alpha_head: AlphaHead = "conv",
        alpha_start: float = NEAR_IDENTITY,
        clip: Literal["walk", "frames"] = "walk",
        weights: CNNParamTanhWeights | None = None,
        free_bits: float = 0.0,
        reconstruction_share: float = 0.5,
        sampler: Sampler = "gaussian",
        n_critic: int = 5,
        **training: Any,
    ) -> None:
        super().__init__(weights=weights, n_critic=n_critic, **training)
        # the critic raises its estimate of the distance; the norm is only watched
        self.weights |= {"w1": -1.0, "gradient_norm": 0.0}
        self.take_arguments(latent_dim, free_bits, reconstruction_share, sampler)
        self.picture_shape = (image_channels, image_size, image_size)
        self.clip = clip
        layout = torch.channels_last  # the faster one of these convolutions, on CPUs as on GPUs
        self.vae = VAE(image_channels, image_size, latent_dim).to(memory_format=layout)
        self.param_tanh = ParamTanh(num_frames, image_channels, image_size, alpha_head, alpha_start, motion)
        self.critic = Critic(image_channels, image_size).to(memory_format=layout)

    # --- training: one loss per phase -------------------------------------------------------------------------

    def prepare(self, batch: ImageBatch) -> Generated:
        """Reconstruct the batch, and decode as many samples."""
        images = self.from_pixels(batch.images)  # (B, C, S, S)
        with torch.set_grad_enabled(self.phase_due("generator")):
            posterior = self.vae.encode(images)
            fakes = self.param_tanh(self.vae.decode(self.latents_of_step(posterior)))
        return Generated(images, posterior, *fakes.tensor_split([len(images)]))

    def discriminator_loss(self, generated: Generated) -> dict[str, Tensor]:
        """Estimate the Wasserstein distance between photographs and generated pictures, with slopes of one."""
        reconstructed, sampled = generated.reconstructed.detach(), generated.sampled.detach()
        real, of_reconstructed, of_sampled = (
            self.critic(torch.cat([generated.images, reconstructed, sampled])).float().chunk(3)
        )
        self.health = _health(real.detach(), of_reconstructed.detach(), of_sampled.detach())
        # Lines from a photograph to a generated picture, each kind as often as it counts; to the reconstruction of
        # another photograph, as independent of it as a sample is.
        takes_reconstructed = torch.rand(len(real), 1, 1, 1, device=self.device) < self.share
        norms = losses.gradient_norms(
            self.critic, generated.images, torch.where(takes_reconstructed, sample_before(reconstructed), sampled)
        )
        return {
            "w1": real.mean() - self.mixed(of_reconstructed.mean(), of_sampled.mean()),
            "penalty": (norms - 1).square().mean(),
            "gradient_norm": norms.detach().mean(),
        }

    def generator_loss(self, generated: Generated) -> dict[str, Tensor]:
        """Raise the critic's scores, reconstruct the photographs, stay close to the prior."""
        terms = {
            "reconstruction": l1(generated.reconstructed, generated.images),
            "kl": kl_divergence(generated.posterior, self.free_bits).mean(),
        }
        if not self.discriminator_is_asked:
            return terms | self.unasked_terms()
        scores = self.critic(torch.cat([generated.reconstructed, generated.sampled])).chunk(2)
        adversarial = (losses.generator_objective("wgan", of_kind) for of_kind in scores)
        return terms | {"adversarial": self.mixed(*adversarial)}

    # --- evaluation -------------------------------------------------------------------------------------------

    def deployed(self) -> DeployedCNNParamTanh:
        """Return what encodes and decodes outside of this project."""
        return DeployedCNNParamTanh(self.vae, self.darkest, self.picture_shape, self.latent_dim, self.param_tanh)

    def decode(self, z: Tensor) -> Tensor:
        """Return float32 pictures ``(B, C, S, S)`` in [0, 1] of latent vectors ``(B, D)``."""
        return self.to_unit_range(self.param_tanh(self.vae.decode(z)))

    def generate_video(self, z: Tensor) -> Tensor:
        """Return clips ``(B, T, C, S, S)`` in [0, 1] that begin with the pictures of latent vectors ``(B, D)``.

        ``frames``: every frame of the picture's synthetic video through the tanh layer, under the alpha of that video.
        ``walk``: 48 pictures along a circle of the latent space, see :func:`latent_circle`.
        """
        if self.clip == "walk":
            return torch.stack([self.decode(place) for place in latent_circle(z, WALK_FRAMES)], dim=1)
        video = self.param_tanh.video(self.vae.decode(z))
        return self.to_unit_range(torch.tanh(self.param_tanh.alpha(video)[:, None] * video))

    visual_scales: ClassVar[Mapping[str, tuple[str, str, str]]] = {"alpha": ("lower", "as at the start", "higher")}

    @torch.no_grad()
    def visuals(self, batch: ImageBatch) -> dict[str, Tensor]:
        """Return the map of ``alpha``, ``(B, 1, S, S)`` in [0, 1]: 0.5 is where it started, 0.88 is 1 above."""
        video = self.param_tanh.video(self.vae.decode(self.encode(batch.images)))
        return {"alpha": self.to_unit_range(torch.tanh(self.param_tanh.alpha(video) - self.param_tanh.alpha_start))}


def latent_circle(z: Tensor, num_frames: int) -> Tensor:
    """Return ``(T, B, D)``: one round on a circle around the origin through each of ``z`` ``(B, D)``.

    The second axis of the circle is drawn once for all, at a right angle to z and of its length: samples of the prior
    lie close to a sphere, and the walk stays on it.
    """
    generator = torch.Generator().manual_seed(derive_seed("latent circle"))
    other = torch.randn(z.shape[1], generator=generator).to(z).expand_as(z)
    along = F.normalize(z)
    across = F.normalize(other - (other * along).sum(1, keepdim=True) * along) * z.norm(dim=1, keepdim=True)
    angle = (2 * torch.pi / num_frames) * torch.arange(num_frames, dtype=z.dtype, device=z.device)[:, None, None]
    return angle.cos() * z + angle.sin() * across


def _health(real: Tensor, reconstructed: Tensor, sampled: Tensor) -> dict[str, Tensor]:
    ordered = real[:, None] > torch.cat([reconstructed, sampled])
    return {
        "real": real.mean(),
        "reconstruction": reconstructed.mean(),
        "sample": sampled.mean(),
        "accuracy": ordered.float().mean(),
    }

"""motorVAEGAN: ``lightning fit --config experiments/motor_vae_gan.yaml``.

A variational autoencoder whose reconstructions and samples a discriminator compares with photographs, after the
VAE/GAN of Larsen et al. 2016 (arXiv 1512.09300).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor
from torch.distributions import Distribution

from datamodules.batches import ImageBatch
from datamodules.errors import InputError
from datamodules.ranges import at_least_zero
from lightning_models import losses
from lightning_models.effective import effective
from lightning_models.latent_sampler import Sampler
from lightning_models.motor_vae_gan.deployed import DeployedMotorVAEGAN
from lightning_models.motor_vae_gan.network import STAGES, VAE, DecoderKernel, Discriminator, Judgement, Norm
from lightning_models.reconstruction_losses import mse
from lightning_models.training.adversarial import AdversarialModule
from lightning_models.training.health import probability_health
from lightning_models.training.schedules import Weight
from lightning_models.training.weights import LossWeights
from lightning_models.vae_gan import VAEGANModule
from lightning_models.variational import kl_divergence

SETTLE = 8  # batches; BatchNorm remembers ten of these, in which the average of the weights has not moved far
ADAM = partial(torch.optim.Adam, lr=2e-4, betas=(0.5, 0.999))


class Generated(NamedTuple):
    """Pictures that both phases share, ``(B, C, S, S)`` in [0, 1].

    Attributes:
        images: photographs.
        posterior: q(z | x) of theirs.
        fakes: ``(2B, C, S, S)``: their reconstructions, then as many samples; ``(B, C, S, S)``, reconstructions alone,
            while the discriminator is not asked.
    """

    images: Tensor
    posterior: Distribution
    fakes: Tensor


@dataclass(frozen=True, kw_only=True)
class MotorVAEGANWeights(LossWeights):
    """Weights of the losses: sums over pixels, features and latent dimensions, means over the batch.

    Args:
        reconstruction: squared error of the pixels in [0, 1].
        kl: KL divergence in nats.
        adversarial: fooling the discriminator; while this and ``feature`` are 0 it rests.
        feature: Larsen's reconstruction, the squared error of the discriminator's features; 0 leaves it out.
        r1: the discriminator's squared gradient on photographs; 0 leaves it out.
    """

    reconstruction: Weight = 1.0
    kl: Weight = 1.0
    adversarial: Weight = 10.0
    feature: Weight = 0.0
    r1: Weight = 0.0


class MotorVAEGAN(VAEGANModule):
    """Autoencoder and generator of pictures.

    In every step the discriminator is trained first, on photographs, reconstructions and samples; then the autoencoder.
    While neither ``weights.adversarial`` nor ``weights.feature`` counts, the autoencoder alone.

    Args:
        image_channels: C, 1 grey or 3 RGB, as in the data.
        image_size: S, edge of the pictures in pixels, a multiple of 32, as in the data.
        latent_dim: D, dimensions of the latent space.
        width: channels of the outermost stage of all three networks; 32 is the published size.
        decoder_kernel: edge of the decoder's kernels that double a map; 3 as described, 4 leaves no pattern of dots.
        discriminator_norm: norm in the discriminator; with ``batch`` the kinds of pictures are judged in separate
            calls, as published, and R1 is not defined.
        adversarial: objective of the game: hinge, or bce (non-saturating).
        weights: weights of the losses.
        free_bits: nats of every latent dimension that cost nothing, in training; 0 is off.
        reconstruction_share: r in [0, 1]: what reconstructions count among the generated pictures, in both phases;
            samples count 1 - r.
        sampler: what samples are drawn from, in the game too: a ``gaussian`` fitted to the latent vectors of the
            training pictures, a ``mixture`` of them (in the game the Gaussian), or the ``prior``, as published.
        feature_layer: stage of the discriminator that the features of that loss are taken from, 1 to 5; None: 3.
        gate_margin: the equilibrium gate (Larsen et al. 2016): the discriminator waits while it is better than
            chance, ln 2 nats of cross-entropy, by more than this, and the autoencoder while the discriminator is
            worse than chance by more than this; below ln 2, since no cross-entropy is below 0. 0: no gate.
        training: the arguments of :class:`AdversarialModule`.

    Attributes:
        latent_dim: D.
    """

    phase_modules: ClassVar[dict[str, tuple[str, ...]]] = {"discriminator": ("discriminator",), "generator": ("vae",)}
    darkest: ClassVar = 0.0
    asks_discriminator: ClassVar[tuple[str, ...]] = ("adversarial", "feature")
    published_optimizers: ClassVar = dict.fromkeys(AdversarialModule.phases, ADAM)
    free_after_training: ClassVar[tuple[str, ...]] = ("feature_layer", "gate_margin")
    default_weights: ClassVar = MotorVAEGANWeights()
    loss_terms: ClassVar[Mapping[str, Sequence[str]]] = {
        "discriminator": ("real", "fake", "r1"),
        "generator": ("reconstruction", "kl", "adversarial", "feature"),
    }

    def __init__(
        self,
        image_channels: int = 1,
        image_size: int = 256,
        latent_dim: int = 128,
        width: int = 32,
        decoder_kernel: DecoderKernel = 3,
        discriminator_norm: Norm = "spectral",
        adversarial: Literal["hinge", "bce"] = "hinge",
        weights: MotorVAEGANWeights | None = None,
        free_bits: float = 0.0,
        reconstruction_share: float = 0.5,
        sampler: Sampler = "gaussian",
        feature_layer: int | None = None,
        gate_margin: float = 0.0,
        **training: Any,
    ) -> None:
        super().__init__(weights=weights, **training)
        self.gate_margin = at_least_zero("gate_margin", gate_margin)
        self.take_arguments(latent_dim, free_bits, reconstruction_share, sampler)
        layer = effective("feature_layer", feature_layer, 3, self.weights.count("feature"), "weights.feature above 0")
        if not 1 <= layer <= STAGES:
            raise InputError(f"feature_layer is {layer}: give a stage of the discriminator, 1 to {STAGES}")
        if self.weights.count("r1") and discriminator_norm == "batch":
            raise InputError(
                "model.weights.r1 is above 0 and discriminator_norm batch, with which no picture has a gradient of its "
                "own: use spectral or none"
            )
        if gate_margin >= math.log(2):
            raise InputError(
                f"gate_margin is {gate_margin}, but no discriminator is better than chance by ln 2 = 0.693 nats: give "
                "less, or 0 for no gate"
            )
        if gate_margin and self.accumulate > 1:
            raise InputError(
                f"gate_margin is {gate_margin} and accumulate {self.accumulate}, but the gate decides anew for every "
                "batch: set accumulate to 1 or gate_margin to 0"
            )
        self.picture_shape = (image_channels, image_size, image_size)
        self.objective = adversarial
        self.separate_calls = discriminator_norm == "batch"
        self.feature_stage = layer - 1
        # channels last is the faster layout of these convolutions, on CPUs as on GPUs
        vae = VAE(image_channels, image_size, latent_dim, width, decoder_kernel)
        self.vae = vae.to(memory_format=torch.channels_last)
        self.discriminator = Discriminator(image_channels, image_size, width, discriminator_norm).to(
            memory_format=torch.channels_last
        )
        self._waiting: str | None = None  # phase that the gate keeps from this batch

    # --- training: one loss per phase -------------------------------------------------------------------------

    def training_step(self, batch: ImageBatch, batch_idx: int) -> None:
        """Train on a batch; now and then let it pass through the averaged weights, for their BatchNorm's statistics."""
        super().training_step(batch, batch_idx)
        if self.batches_seen % SETTLE == 0:
            self.settle_average(partial(self._pass, batch))

    def _pass(self, batch: ImageBatch) -> None:
        posterior = self.vae.encode(self.from_pixels(batch.images))
        self.vae.decode(self.latents_of_step(posterior, keep=False))

    def prepare(self, batch: ImageBatch) -> Generated:
        """Reconstruct the batch and decode the samples that are judged, at once: they share BatchNorm's statistics."""
        images = self.from_pixels(batch.images)  # (B, C, S, S)
        posterior = self.vae.encode(images)
        generated = Generated(images, posterior, self.vae.decode(self.latents_of_step(posterior)))
        self._waiting = self._gated(generated) if self.gate_margin and self.discriminator_is_asked else None
        return generated

    def phase_due(self, phase: str) -> bool:
        """Tell whether the phase is trained on the present batch: the gate may keep one of them from it."""
        return super().phase_due(phase) and phase != self._waiting

    def discriminator_loss(self, generated: Generated) -> dict[str, Tensor]:
        """Photographs against reconstructions and samples."""
        real, reconstructed, sampled = self._judge(generated.images, *generated.fakes.detach().chunk(2))
        self.health = self._health(real.logits, reconstructed.logits, sampled.logits)
        terms = self._objectives(real.logits, reconstructed.logits, sampled.logits)
        if self.weights.count("r1"):
            terms["r1"] = losses.r1_penalty(lambda images: self.discriminator(images).logits, generated.images)
        return terms

    def generator_loss(self, generated: Generated) -> dict[str, Tensor]:
        """Reconstruct the photographs, stay close to the prior, and fool the discriminator."""
        reconstructed_images, sampled_images = generated.fakes.tensor_split([len(generated.images)])
        terms = {
            "reconstruction": mse(reconstructed_images, generated.images),
            "kl": kl_divergence(generated.posterior, self.free_bits).mean(),
        }
        if not self.discriminator_is_asked:
            return terms | self.unasked_terms()
        reconstructed, sampled = self._judge(reconstructed_images, sampled_images)
        terms["adversarial"] = self.mixed(
            losses.generator_objective(self.objective, reconstructed.logits),
            losses.generator_objective(self.objective, sampled.logits),
        )
        if self.weights.count("feature"):
            with torch.no_grad():
                target = self.discriminator(generated.images).maps[self.feature_stage]
            terms["feature"] = mse(reconstructed.maps[self.feature_stage], target)
        return terms

    def _objectives(self, real: Tensor, reconstructed: Tensor, sampled: Tensor) -> dict[str, Tensor]:
        return {
            "real": losses.real_objective(self.objective, real),
            "fake": self.mixed(
                losses.fake_objective(self.objective, reconstructed), losses.fake_objective(self.objective, sampled)
            ),
        }

    def _judge(self, *kinds: Tensor) -> list[Judgement]:
        """Show the discriminator pictures of several kinds: in one call, unless its norm depends on the company."""
        if self.separate_calls:
            return [self.discriminator(images) for images in kinds]
        together = self.discriminator(torch.cat(kinds))
        maps = [stage.chunk(len(kinds)) for stage in together.maps]
        logits = together.logits.chunk(len(kinds))
        return [Judgement(own, [stage[kind] for stage in maps]) for kind, own in enumerate(logits)]

    def _health(self, real: Tensor, reconstructed: Tensor, sampled: Tensor) -> dict[str, Tensor]:
        objective = torch.stack(
            [*self._objectives(real.detach(), reconstructed.detach(), sampled.detach()).values()]
        ).sum()
        return probability_health(objective, real, {"reconstruction": reconstructed, "sample": sampled})

    @torch.no_grad()
    def _gated(self, generated: Generated) -> str | None:
        """Return the phase that waits: the one that is ahead by more than the margin."""
        real, *fakes = (kind.logits for kind in self._judge(generated.images, *generated.fakes.chunk(2)))
        self.health = self._health(real, fakes[0], fakes[1])
        costs = torch.stack(
            [losses.real_objective("bce", real), *(losses.fake_objective("bce", fake) for fake in fakes)]
        )
        costs = self.trainer.strategy.reduce(costs, reduce_op="mean")  # all processes wait for the same
        ahead = bool((costs < math.log(2) - self.gate_margin).any())
        behind = bool((costs > math.log(2) + self.gate_margin).any())
        if ahead == behind:
            return None
        return "discriminator" if ahead else "generator"

    # --- evaluation -------------------------------------------------------------------------------------------

    def deployed(self) -> DeployedMotorVAEGAN:
        """Return what encodes and decodes outside of this project."""
        return DeployedMotorVAEGAN(self.vae, self.darkest, self.picture_shape, self.latent_dim)

    def decode(self, z: Tensor) -> Tensor:
        """Return float32 pictures ``(B, C, S, S)`` in [0, 1] of latent vectors ``(B, D)``."""
        return self.vae.decode(z).float()

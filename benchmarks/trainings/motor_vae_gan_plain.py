r"""What motorVAEGAN's critic is worth: ``MotorVAE``, the same autoencoder without it, at half of the time for a step.

No discriminator is asked and no sample decoded. Train it through the command, as long in passes or in time:

    lightning fit --config experiments/motor_vae_gan.yaml --config experiments/motor_vae_gan/cars.yaml \
        --trust benchmarks --model benchmarks.trainings.motor_vae_gan_plain.MotorVAE \
        --model.weights.adversarial 0 --data.source PATH/TO/cars
"""

from torch import Tensor
from torch.distributions import Distribution

from lightning_models.motor_vae_gan import MotorVAEGAN
from lightning_models.motor_vae_gan.module import Generated
from lightning_models.reconstruction_losses import mse
from lightning_models.variational import kl_divergence


class MotorVAE(MotorVAEGAN):
    """motorVAEGAN that only reconstructs; samples are drawn as there, its ``weights.adversarial`` has to be 0."""

    def phase_due(self, phase: str) -> bool:
        """Leave the discriminator as it is."""
        return phase == "generator" and super().phase_due(phase)

    def latents_of_step(self, posterior: Distribution, keep: bool = True) -> Tensor:
        """Return latent vectors ``(B, D)`` of pictures alone."""
        of_pictures = posterior.rsample()
        if keep:
            self.latent_sampler.take(of_pictures)
        return of_pictures

    def generator_loss(self, generated: Generated) -> dict[str, Tensor]:
        """Reconstruct the photographs and stay close to the prior; the other terms are 0."""
        nothing = generated.images.new_zeros(())
        return {
            "reconstruction": mse(generated.fakes, generated.images),
            "kl": kl_divergence(generated.posterior, self.free_bits).mean(),
            "adversarial": nothing,
        }

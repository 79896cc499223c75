r"""What a critic is worth: the autoencoders of both generators of pictures without theirs, which costs no time then.

No critic is asked and no sample decoded; samples are drawn as ever. Train them through the command, as long in passes
or in time as the whole:

    lightning fit --config experiments/motor_vae_gan.yaml --config experiments/motor_vae_gan/cars.yaml \
        --trust benchmarks --model benchmarks.trainings.without_critic.MotorVAE \
        --model.weights.adversarial 0 --data.source PATH/TO/cars
    lightning fit --config experiments/cnn_param_tanh.yaml \
        --trust benchmarks --model benchmarks.trainings.without_critic.ParamTanhVAE \
        --model.weights.adversarial 0 --model.n_critic 1 --data.source PATH/TO/flowers
"""

from torch import Tensor
from torch.distributions import Distribution

from datamodules.batches import ImageBatch
from lightning_models.cnn_param_tanh import CNNParamTanh
from lightning_models.cnn_param_tanh.module import Generated as ParamTanhGenerated
from lightning_models.motor_vae_gan import MotorVAEGAN
from lightning_models.motor_vae_gan.module import Generated
from lightning_models.reconstruction_losses import l1, mse
from lightning_models.vae_gan import VAEGANModule
from lightning_models.variational import kl_divergence


class WithoutCritic(VAEGANModule):
    """The generator's phase alone; ``weights.adversarial`` has to be 0."""

    def phase_due(self, phase: str) -> bool:
        """Leave the critic as it is."""
        return phase == "generator" and super().phase_due(phase)

    def latents_of_step(self, posterior: Distribution, keep: bool = True) -> Tensor:
        """Return latent vectors ``(B, D)`` of pictures alone."""
        of_pictures = posterior.rsample()
        if keep:
            self.latent_sampler.take(of_pictures)
        return of_pictures

    def reconstruction_and_divergence(self, error: Tensor, posterior: Distribution) -> dict[str, Tensor]:
        """Return the generator's terms; what the critic would say is 0."""
        divergence = kl_divergence(posterior, self.free_bits).mean()
        return {"reconstruction": error, "kl": divergence, "adversarial": error.new_zeros(())}


class MotorVAE(WithoutCritic, MotorVAEGAN):
    """motorVAEGAN that only reconstructs."""

    def generator_loss(self, generated: Generated) -> dict[str, Tensor]:
        """Reconstruct the photographs and stay close to the prior."""
        return self.reconstruction_and_divergence(mse(generated.fakes, generated.images), generated.posterior)


class ParamTanhVAE(WithoutCritic, CNNParamTanh):
    """CNNParamTanh that only reconstructs."""

    def prepare(self, batch: ImageBatch) -> ParamTanhGenerated:
        """Reconstruct the batch; in place of samples stand the reconstructions."""
        images = self.from_pixels(batch.images)  # (B, C, S, S)
        posterior = self.vae.encode(images)
        reconstructed = self.param_tanh(self.vae.decode(self.latents_of_step(posterior)))
        return ParamTanhGenerated(images, posterior, reconstructed, reconstructed)

    def generator_loss(self, generated: ParamTanhGenerated) -> dict[str, Tensor]:
        """Reconstruct the photographs and stay close to the prior."""
        return self.reconstruction_and_divergence(l1(generated.reconstructed, generated.images), generated.posterior)

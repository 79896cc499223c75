"""motorVAEGAN: a variational autoencoder of pictures whose drawings a discriminator judges."""

from lightning_models.motor_vae_gan.module import MotorVAEGAN

__all__ = ["MotorVAEGAN"]

"""motorVAEGAN: a variational autoencoder of pictures with a discriminator."""

from lightning_models.motor_vae_gan.module import MotorVAEGAN

__all__ = ["MotorVAEGAN"]

"""motorVAEGAN outside of this project: its encoder and its decoder; the discriminator has no part."""

from typing import ClassVar

from lightning_models.deployed_vae_gan import DeployedVAEGAN


class DeployedMotorVAEGAN(DeployedVAEGAN):
    """Encodes and decodes pictures in [0, 1]."""

    system: ClassVar[str] = "motor_vae_gan"

"""CNNParamTanh outside of this project: its encoder, and its decoder with the tanh layer; the critic has no part."""

from typing import ClassVar

from lightning_models.deployed_vae_gan import DeployedVAEGAN


class DeployedCNNParamTanh(DeployedVAEGAN):
    """Encodes and decodes pictures in [-1, 1]."""

    system: ClassVar[str] = "cnn_param_tanh"
    outside = (
        "The clips of `lightning sample`: a walk is what the decoder makes of 48 latent vectors, and the synthetic "
        "video is made for the tanh layer.",
    )

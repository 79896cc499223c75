"""What is learned: one folder per system, and the parts that they share."""

from lightning_models.aitex_vae import AitexVAE
from lightning_models.audio_to_video import AudioToVideo
from lightning_models.cnn_param_tanh import CNNParamTanh
from lightning_models.motor_vae_gan import MotorVAEGAN
from lightning_models.vta_gan import VTAGAN

__all__ = ["VTAGAN", "AitexVAE", "AudioToVideo", "CNNParamTanh", "MotorVAEGAN"]

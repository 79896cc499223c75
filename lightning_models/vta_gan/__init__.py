"""VTA-GAN: video anomaly detection with temporal attention and optical flow."""

from lightning_models.vta_gan.module import VTAGAN

__all__ = ["VTAGAN"]

"""What is learned: one folder per system, and the parts that they share."""

from lightning_models.vta_gan import VTAGAN

__all__ = ["VTAGAN"]

"""The check that pictures have the shape a model was built for."""

from torch import Tensor

from datamodules.errors import InputError


def check_picture_shape(images: Tensor, expected: tuple[int, int, int]) -> None:
    """Refuse pictures ``(B, C, H, W)`` whose channels, height and width are not the expected ones.

    Raises:
        InputError: naming both.
    """
    if images.shape[1:] != expected:
        raise InputError(
            f"the pictures are {tuple(images.shape[1:])} (channels, height, width), the model is made for {expected}: "
            "set image_size and the channels of data and model to the same"
        )

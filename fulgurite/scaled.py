"""``lightning predict --scale 4``: pictures that a model draws, enlarged, by the callbacks that write them."""

from collections.abc import Sequence

from lightning.pytorch import Callback

from callbacks.enlarged import checked_scale
from datamodules.errors import InputError
from datamodules.protocols import Enlarges


def set_scale(callbacks: Sequence[Callback], scale: int) -> None:
    """Let the callbacks that write what a model draws write it enlarged, too.

    Raises:
        InputError: if the scale is out of its range, or there is no such callback.
    """
    if scale == 1:
        return
    checked_scale(scale)
    writers = [callback for callback in callbacks if isinstance(callback, Enlarges)]
    if not writers:
        raise InputError(
            f"--scale {scale}: no callback here writes pictures that the model has drawn (SoundPredictions and "
            "ImagePredictions do; heat maps have the size of the original already); leave it out"
        )
    for callback in writers:
        callback.scale = scale

"""Losses of the motion in reconstructed clips: one formula per function; clips are ``(B, T, C, H, W)``."""

from torch import Tensor

from lightning_models.all_processes import mean_where
from lightning_models.precision import at_least_float32
from lightning_models.temporal import change_error


def temporal_consistency(fake: Tensor, real: Tensor) -> Tensor:
    """Return ``mean |(f[t+1] - f[t]) - (x[t+1] - x[t])|``: the clip must change as the real one changes.

    Args:
        fake: ``(B, T, ...)`` with T >= 2.
        real: the same shape.
    """
    return _mean_change_error(fake, real, order=1)


def temporal_smoothness(fake: Tensor, real: Tensor) -> Tensor:
    """Return the mean absolute difference of second differences in time: flicker the real clip has not.

    Args:
        fake: ``(B, T, ...)`` with T >= 3.
        real: the same shape.
    """
    return _mean_change_error(fake, real, order=2)


def flow_consistency(frame: Tensor, warped_next: Tensor, valid: Tensor) -> Tensor:
    """Return ``mean |f[t] - warp(f[t+1], flow[t -> t+1])|`` where the motion stays in the picture.

    Args:
        frame: ``(N, C, H, W)`` generated frames t (any leading dimensions).
        warped_next: the generated frames t+1, warped back to t by the real clip's flow, same shape.
        valid: ``(N, 1, H, W)``, 1 where the warp read from inside the picture, else 0.

    Returns:
        A scalar; 0 where no place is valid.
    """
    frame, warped_next, valid = (at_least_float32(tensor) for tensor in (frame, warped_next, valid))
    return mean_where((frame - warped_next).abs(), valid.expand_as(frame))


def _mean_change_error(fake: Tensor, real: Tensor, order: int) -> Tensor:
    if fake.shape != real.shape or fake.shape[1] <= order:
        raise ValueError(
            f"clips of equal shape and more than {order} frames are needed, "
            f"got {tuple(fake.shape)} and {tuple(real.shape)}"
        )
    return change_error(fake, real, order).mean()

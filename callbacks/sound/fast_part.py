"""What moves fast: whether lips are drawn as lively as they are, and at the same time.

What moves most before a fixed camera is the outline of a head, which is slow. What changes fastest from one picture to
the next are lips and lids, and of these the sound tells the lips.
"""

from torch import Tensor

from callbacks.sound.measures import correlation, most

FAST_SHARE = 0.03  # of the pixels

FAST_FIGURES = ("fast_change", "fast_correlation", "fast_correlation_other_sound")


def fast_part(frames: Tensor) -> Tensor:
    """Return the pixels that change fastest in at least two pictures ``(T, C, H, W)``: bool ``(H, W)``, 3 % of them.

    How fast a pixel changes is the mean square of its change from picture to picture, over pictures and channels.
    """
    return most(frames.float().diff(dim=0).square().mean(dim=(0, 1)), FAST_SHARE)


def fast_figures(real: Tensor, made: Tensor, to_other_sound: Tensor | None) -> dict[str, float | None]:
    """Compare how the fast part of the real pictures changes with how it is drawn, all ``(T, C, H, W)`` in [0, 1].

    Returns:
        ``fast_change``: root mean square of the drawn change from picture to picture, in shares of that of the real
        one; 0 stands still, 1 is as lively. ``fast_correlation``: Pearson's correlation of the two over pixels,
        channels and pictures; ``..._other_sound``: the same of what is drawn to another clip's sound. None where
        nothing changes.
    """
    figures: dict[str, float | None] = dict.fromkeys(FAST_FIGURES)
    if len(real) < 2:
        return figures
    part = fast_part(real)
    happened, drawn = (_changes(frames, part) for frames in (real, made))
    size = float(happened.square().mean().sqrt())
    figures["fast_change"] = float(drawn.square().mean().sqrt()) / size if size else None
    figures["fast_correlation"] = correlation(drawn.numpy(), happened.numpy())
    if to_other_sound is not None:
        other = _changes(to_other_sound, part)
        figures["fast_correlation_other_sound"] = correlation(other.numpy(), happened.numpy())
    return figures


def _changes(frames: Tensor, part: Tensor) -> Tensor:
    return frames.double().diff(dim=0)[..., part].flatten().cpu()

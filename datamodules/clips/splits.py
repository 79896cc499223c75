"""Holding whole clips out of the training."""

from collections.abc import Sequence

from datamodules.errors import InputError
from datamodules.named import NamedT
from datamodules.seeding import derive_seed, global_seed


def hold_out(clips: Sequence[NamedT], fraction: float) -> tuple[list[NamedT], list[NamedT]]:
    """Divide normal clips into those to train on and those to validate on.

    The choice depends on the seed and the clips' names only, so that it does not change when clips are listed
    in another order. At least one clip is held out and at least one is left.

    Raises:
        InputError: if there are fewer than two clips.
    """
    if len(clips) < 2:
        raise InputError(
            f"data.source: {len(clips)} usable training clips found, at least 2 are needed, since whole clips "
            "are held out for validation; cut a long video into several files"
        )
    count = min(max(1, round(fraction * len(clips))), len(clips) - 1)
    ranked = sorted(clips, key=lambda clip: derive_seed(global_seed(), "validation", clip.name))
    held_out = {clip.name for clip in ranked[:count]}
    return (
        [clip for clip in clips if clip.name not in held_out],
        [clip for clip in clips if clip.name in held_out],
    )

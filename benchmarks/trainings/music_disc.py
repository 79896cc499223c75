"""Whether the disc of the generated music follows what is heard: ``python -m benchmarks.trainings.music_disc RUN``.

In the pictures of the embedded music a disc's height and hue are the pitch of the melody, its size is the loudness. The
table has the correlation of each, as it is drawn, with that of the real picture, over all pictures of the test pieces
that show a disc in both; and the same to another clip's sound, which is what no listening at all would reach.
"""

import argparse
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import fulgurite
from benchmarks import common
from datamodules.errors import InputError
from datamodules.sound.audio_video import AudioVideoDataModule
from fulgurite.errors import readable_errors
from lightning_models.audio_to_video import AudioToVideo

Values = NDArray[np.float64]

SKY = 0.75
"""Share of the picture's height above the ground, whose colour is none of the disc's."""
COLOURED = 0.2
"""Largest minus smallest colour from which on a pixel is the disc's; the sky has 0.10."""
LAST_HUE = 320.0
"""Degrees; red may come out as a little less than 360. The highest tone has 280."""
LEAST = 1e-3


class Disc(NamedTuple):
    """What is seen of the disc in T pictures, each ``(T,)``; NaN where there is none."""

    height: Values
    size: Values
    hue: Values


def find_disc(frames: Tensor) -> Disc:
    """Measure the disc in pictures ``(T, 3, H, W)`` in [0, 1].

    Returns:
        Its height in [0, 1] of the sky, the root of its coloured area and its hue in degrees, each ``(T,)``.
    """
    seen = frames[:, :, : round(SKY * frames.shape[2])].double()
    weight = (seen.amax(1) - seen.amin(1) - COLOURED).clamp(min=0)  # (T, h, W)
    total = weight.sum((1, 2))
    shown = (total > LEAST * weight[0].numel()).numpy()
    share = weight / total.clamp(min=LEAST)[:, None, None]
    rows = torch.linspace(1, 0, weight.shape[1], dtype=torch.float64)
    colour = (seen * share[:, None]).sum((2, 3)).float().numpy()  # (T, 3)
    hue = cv2.cvtColor(colour[None], cv2.COLOR_RGB2HSV)[0, :, 0].astype(np.float64)
    values = (share.sum(2) @ rows).numpy(), total.sqrt().numpy(), np.where(hue > LAST_HUE, hue - 360, hue)
    return Disc(*(np.where(shown, value, np.nan) for value in values))


def follows(drawn: Disc, real: Disc) -> list[float]:
    """Return the correlations of height, size and hue where both show a disc, and the share of the real ones drawn."""
    both = ~np.isnan(drawn.height) & ~np.isnan(real.height)
    found = [float(np.corrcoef(one[both], other[both])[0, 1]) for one, other in zip(drawn, real, strict=True)]
    return [*found, float(both.sum() / (~np.isnan(real.height)).sum())]


def joined(discs: list[Disc]) -> Disc:
    """Put the pictures of pieces behind each other."""
    return Disc(*(np.concatenate(values) for values in zip(*discs, strict=True)))


def measured(run: str) -> list[list[float]]:
    """Return what the pictures of the test pieces tell, to their own sound and to another clip's.

    Raises:
        InputError: if it is no run of AudioToVideo, or the checkpoint has learned from what is to be judged.
    """
    loaded = fulgurite.load(run)
    model, data = loaded.module, loaded.data
    if not (isinstance(model, AudioToVideo) and isinstance(data, AudioVideoDataModule)):
        raise InputError(f"{run} is a run of {loaded.system}; give one of AudioToVideo")
    data.setup("test")
    found: dict[str, list[Disc]] = {"real": [], "own": [], "other": []}
    with torch.inference_mode():
        for number, batch in enumerate(data.test_dataloader()):
            clips: Any = model.validation_step(batch.to(model.device), number)
            drawn = {"real": batch.frames.float() / 255, "own": clips.frames, "other": clips.shuffled}
            for name, pieces in drawn.items():
                found[name] += [find_disc(piece[valid].cpu()) for piece, valid in zip(pieces, batch.valid, strict=True)]
    real = joined(found["real"])
    return [follows(joined(found[name]), real) for name in ("own", "other")]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Tell whether the disc of the generated music follows what is heard.")
    parser.add_argument("run", nargs="+", help="run folders of AudioToVideo trained on the embedded music")
    options = parser.parse_args()
    common.print_header("The disc of the music")
    rows = []
    with readable_errors():
        for run in options.run:
            for name, values in zip(("its own sound", "another clip's"), measured(run), strict=True):
                rows.append((run, name, *(f"{value:.3f}" for value in values)))
    common.print_table(("run", "drawn to", "height", "size", "hue", "drawn at all"), rows)


if __name__ == "__main__":
    main()

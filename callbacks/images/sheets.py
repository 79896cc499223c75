"""Sheets of pictures, and interpolations between two latent vectors."""

from collections.abc import Mapping
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from callbacks.panels import panel, to_pictures, video_frames
from callbacks.picture_file import Picture, stacked
from datamodules.atomic_file import atomic_file
from datamodules.media import VideoWriter

COLUMNS = 8
FPS = 8.0


def colour(images: Tensor) -> Tensor:
    """Give grey pictures ``(..., 1, H, W)`` three equal channels on the CPU: one channel is shown as heat."""
    return images.float().cpu().expand(*images.shape[:-3], 3, -1, -1)


def to_picture(image: Tensor) -> Picture:
    """Bring one picture ``(C, H, W)`` in [0, 1] to uint8, pixel by pixel: RGB ``(H, W, 3)``, or grey ``(H, W)``."""
    picture = (image.detach().float().cpu().clamp(0, 1) * 255).round().byte()
    return picture[0].numpy() if len(picture) == 1 else picture.movedim(0, -1).numpy()


def grid(shown: Mapping[str, Tensor]) -> Picture:
    """Lay out named pictures ``(N, C, H, W)`` in [0, 1]: eight columns, the names under each other in every line."""
    count = len(next(iter(shown.values())))
    return stacked(
        [
            panel(to_pictures({name: images[None, first : first + COLUMNS] for name, images in shown.items()}), [""])
            for first in range(0, count, COLUMNS)
        ]
    )


def write_clips(stem: Path, clips: Tensor) -> None:
    """Write clips ``(B, T, C, H, W)`` in [0, 1], one above the other, as ``stem.mp4`` and ``stem.gif``.

    Raises:
        InputError: if the disk is full or cannot be written.
    """
    frames = list(video_frames(to_pictures({"": colour(clips)})))
    with VideoWriter(stem.with_name(f"{stem.name}.mp4"), FPS, frames[0].shape[:2]) as video:
        for frame in frames:
            video.write(frame)
    pictures = [Image.fromarray(frame) for frame in frames]
    with atomic_file(stem.with_name(f"{stem.name}.gif")) as file:
        pictures[0].save(
            file, format="GIF", save_all=True, append_images=pictures[1:], duration=round(1000 / FPS), loop=0
        )


def linear(first: Tensor, second: Tensor, steps: int) -> Tensor:
    """Return ``(steps, D)`` on the straight line between two ``(D,)``, both included."""
    share = torch.linspace(0, 1, steps, device=first.device)[:, None]
    return (1 - share) * first + share * second


def spherical(first: Tensor, second: Tensor, steps: int) -> Tensor:
    """Return ``(steps, D)`` on the arc between two ``(D,)``, both included.

    White 2016, "Sampling Generative Networks": the line passes nearer to the origin than almost all samples of a
    normal distribution lie, the arc does not.
    Between vectors of one direction it is the line.
    """
    cosine = torch.nn.functional.cosine_similarity(first, second, dim=0)
    angle = cosine.clamp(-1, 1).acos()
    if float(angle.sin()) < 1e-4:
        return linear(first, second, steps)
    share = torch.linspace(0, 1, steps, device=first.device)[:, None]
    return (((1 - share) * angle).sin() * first + (share * angle).sin() * second) / angle.sin()

"""Small data under the names that the documents use for the reader's own."""

from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np

from datamodules.media import VideoWriter
from datamodules.sound.music import RATE, compose, write_clip

EDGE, FRAMES = 64, 24


def video(path: Path, seed: int = 0, jumps: bool = False) -> None:
    """A square that moves steadily, or begins to jump half way."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(path, 25, (EDGE, EDGE)) as writer:
        for number in range(FRAMES):
            frame = np.full((EDGE, EDGE, 3), 90, np.uint8)
            place = (5 * seed + (17 if jumps and number >= FRAMES // 2 else 2) * number) % (EDGE - 14)
            frame[24:38, place : place + 14] = (30, 200, 240)
            writer.write(frame)


def videos(folder: Path) -> None:
    for number in range(4):
        video(folder / f"train/{number}.mp4", number)
    for number in range(2):
        video(folder / f"test/{number}.mp4", number, jumps=True)
    rows = "".join(f"{number},{FRAMES // 2},{FRAMES}\n" for number in range(2))
    (folder / "test/labels.csv").write_text("video,start,end\n" + rows)


def cloth(path: Path, seed: int, spot: bool = False) -> None:
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:64, 0:192]
    picture = 100 + 25 * np.sin(x) * np.sin(0.8 * y) + random.normal(0, 4, x.shape)
    picture[20:28, 40:50] += 70 * spot
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), picture.clip(0, 255).astype(np.uint8))


def mask(path: Path) -> None:
    marked = np.zeros((64, 192), np.uint8)
    marked[20:28, 40:50] = 255
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), marked)


def parts(folder: Path) -> None:
    for number in range(14):
        cloth(folder / f"good/{number}.png", number)
    for number in range(2):
        cloth(folder / f"scratch/{number}.png", 100 + number, spot=True)
        mask(folder / f"masks/scratch/{number}.png")


def aitex(folder: Path) -> None:
    for group in (0, 3):
        for number in range(8):
            cloth(folder / f"NODefect_images/{10 * group + number:04d}_000_{group:02d}.png", 10 * group + number)
        for number in range(2):
            name = f"{50 + 10 * group + number:04d}_010_{group:02d}"
            cloth(folder / f"Defect_images/{name}.png", 200 + 10 * group + number, spot=True)
            mask(folder / f"Mask_images/{name}_mask.png")


def strips(folder: Path) -> None:
    for number in range(2):
        cloth(folder / f"{number:04d}_000_03.png", 300 + number, spot=bool(number))


def picture(path: Path, seed: int = 0) -> None:
    random = np.random.default_rng(seed)
    made = np.full((40, 40, 3), 230, np.uint8)
    edge, (top, left) = random.integers(8, 20), random.integers(0, 20, 2)
    made[top : top + edge, left : left + edge] = random.integers(0, 200, 3)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), made)


def pictures(folder: Path) -> None:
    for number in range(60):
        picture(folder / f"{number:02d}.png", number)


def classes(folder: Path) -> None:
    """Two kinds of pictures, dark and light."""
    for number in range(12):
        random = np.random.default_rng(number)
        kind, low = (("daisy", 170), ("rose", 10))[number % 2]
        made = random.integers(low, low + 80, (40, 40, 3), np.uint8)
        path = folder / kind / f"{number:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), made)


def clips(folder: Path) -> None:
    folder.mkdir(parents=True)
    for number in range(8):
        write_clip(folder / f"{number}.mp4", compose(np.random.default_rng(number), 1.6))


def song(path: Path) -> None:
    sound = compose(np.random.default_rng(9), 2.0)
    with av.open(str(path), "w", format="mp3") as file:
        track = file.add_stream("mp3", rate=RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound[None], np.float32), format="fltp", layout="mono")
        frame.sample_rate = RATE
        file.mux(track.encode(frame))
        file.mux(track.encode(None))


WORLDS: dict[str, Callable[[Path], None]] = {
    "my_videos": videos,
    "my_set": videos,
    "today.mp4": video,
    "my.mp4": video,
    "my_parts": parts,
    "aitex": aitex,
    "today": strips,
    "new_strips": strips,
    "my_pictures": pictures,
    "my_flowers": classes,
    "holiday.jpg": picture,
    "my_clips": clips,
    "song.mp3": song,
}
"""What is made by the name that documents give it."""

LEARNED = {
    "vta_gan": "my_videos",
    "aitex_vae": "my_parts",
    "motor_vae_gan": "my_pictures",
    "cnn_param_tanh": "my_pictures",
    "audio_to_video": "my_clips",
}
"""What a run is trained on that a document takes for granted."""

_STREET = ("fit", "--config", "experiments/vta_gan.yaml", "--data.source", "my_videos")
BEFORE: dict[str, tuple[tuple[str, ...], ...]] = {
    "docs/watch.md": (_STREET,),
    "docs/export.md": (_STREET,),
    "docs/report.md": (_STREET, ("test", "--run", "runs/vta_gan")),
    "docs/compare.md": (
        (*_STREET, "--run.name", "plain"),
        ("test", "--run", "runs/vta_gan/plain"),
        (*_STREET, "--run.experiment", "vta_small", "--run.name", "seed1", "--seed_everything", "1"),
        ("test", "--run", "runs/vta_small/seed1"),
    ),
}
"""What was done before, in a document that goes on from there."""

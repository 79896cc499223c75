"""How fast video reaches the model: building the cache, and batches of windows read from it.

Run ``python -m benchmarks.data [--folder CLIPS]``. Without a folder, clips of 360 x 240 JPEG frames are
generated. "Frames" are frames of batches, in which overlapping windows repeat some of a clip's.
"""

import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import torch

from benchmarks.common import Timing, matmul_seconds, measure, parser, print_header, print_table
from datamodules import VideoSnippetDataModule
from datamodules.clips.cache import cache_clips
from datamodules.clips.video_layouts import Clip
from datamodules.letterbox import Letterbox
from datamodules.media import find_videos

SIZES = ((64, 64), (128, 192), (256, 256))


def generate(root: Path, clips: int, frames: int) -> Path:
    """Write clips of grey 360 x 240 JPEG frames, stored in colour as Ped2's are."""
    random = np.random.default_rng(0)
    ground = cv2.GaussianBlur(random.integers(0, 255, (240, 360), np.uint8), (0, 0), 3)
    for clip in range(clips):
        folder = root / "train" / f"{clip:02d}"
        folder.mkdir(parents=True)
        for number in range(frames):
            picture = ground + random.integers(0, 8, ground.shape, np.uint8)
            left = (7 * clip + 2 * number) % 340
            picture[90:130, left : left + 16] = 220
            cv2.imwrite(str(folder / f"{number:03d}.jpg"), cv2.merge([picture] * 3))
    return root


def building(clips: list[Clip], size: tuple[int, int]) -> tuple[int, Timing]:
    """Decode all clips into an empty cache three times; return the number of frames and the time."""
    seconds, frames = [], 0
    for _ in range(3):
        with tempfile.TemporaryDirectory() as cache:
            start = time.perf_counter()
            cached = cache_clips(clips, Letterbox(*size), Path(cache), 1, "error")
            seconds.append(time.perf_counter() - start)
            frames = sum(clip.length for clip in cached)
    return frames, Timing(sorted(seconds)[1], min(seconds), max(seconds), len(seconds))


def main() -> None:
    """Print the table."""
    arguments = parser(__doc__ or "")
    arguments.add_argument("--folder", type=Path, help="folder of clips, e.g. ped2/training/frames")
    options = arguments.parse_args()
    torch.set_num_threads(options.threads)
    print_header("Video data")
    product = matmul_seconds()
    rows = []

    def row(name: str, size: tuple[int, int], frames: int, timing: Timing) -> None:
        rate = frames / timing.median
        rows.append((name, f"{size[0]}x{size[1]}", f"{rate:,.0f}", timing, f"{timing.median / product.median:.3f}"))

    with tempfile.TemporaryDirectory() as scratch:
        made = generate(Path(scratch) / "set", clips=8, frames=150)
        folder = options.folder or made / "train"
        clips = [Clip(path.name, path) for path in find_videos(folder)]
        for size in SIZES:
            row("build the cache", size, *building(clips, size))
            data = VideoSnippetDataModule(str(made), size, cache_dir=f"{scratch}/cache", batch_size=16)
            data.setup("fit")
            for name, loader in (
                ("training batches of 16 x 8, no workers", data.train_dataloader()),
                ("evaluation batches of 16 x 8, no workers", data.val_dataloader()[0]),
            ):
                total = sum(batch.frames.shape[0] * batch.frames.shape[1] for batch in loader)
                row(name, size, total, measure(lambda loader=loader: sum(1 for _ in loader), runs=options.runs))
    print_table(("what", "size", "frames/s", "time (fastest-slowest)", "matrix products"), rows)


if __name__ == "__main__":
    main()

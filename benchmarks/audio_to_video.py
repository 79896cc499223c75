"""What drawing pictures to sound costs: ``python -m benchmarks.audio_to_video``.

The published net, on 2 cores where the matrix product takes 0.13-0.16 s, one clip of 90 frames of 128x128: forward
0.31 s (2.2 products), a step of mean squared error and Adam 0.86 s (6.1); its predecessor 0.10 s (0.7) and 0.53 s
(3.8). A clip of GRID (3 s of 360x288) was decoded in 0.073 s (0.5) for every use; here it is decoded once. Each row
runs in a process of its own, so that its memory is known.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

import numpy as np
import torch

from benchmarks import common
from datamodules import AudioVideoDataModule
from datamodules.batches import AudioVideoBatch
from datamodules.letterbox import Letterbox
from datamodules.sound.audio_video_cache import Settings, cache_pairs
from datamodules.sound.audio_video_sources import find_pairs
from datamodules.sound.music import compose, write_clip
from lightning_models.audio_to_video import AudioToVideo

FRAMES, SAMPLES = 90, 48_000
PUBLISHED = {"l2_weight": 1.0, "l1_weight": 0.0, "change_weight": 0.0, "structure_weight": 0.0, "mismatch_weight": 0.0}
Changes = dict[str, object]
ROWS: dict[str, tuple[str, int, Changes]] = {
    "forward": ("2.2", 1, {}),
    "step, published loss": ("6.1", 1, PUBLISHED),
    "step, published loss, chunks of 16": ("-", 1, {**PUBLISHED, "chunk": 16}),
    "step, all losses": ("-", 1, {"l2_weight": 1.0}),
    "step, published loss, batch of 8": ("-", 8, PUBLISHED),
    "step, all losses, batch of 8": ("-", 8, {"l2_weight": 1.0}),
    "legacy, forward": ("0.7", 1, {"architecture": "legacy"}),
    "legacy, step, published loss": ("3.8", 1, {"architecture": "legacy", **PUBLISHED}),
}


LOADING = {"loading, decode a clip into the cache": "0.5", "loading, batch of 8 from the cache": "-"}


def device() -> torch.device:
    """Return where the nets run."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def noise(clips: int, frames: int, samples: int, size: int) -> AudioVideoBatch:
    """Return a batch to be timed."""
    sound = torch.rand(2, clips, 1, samples) - 0.5
    return AudioVideoBatch(
        audio=sound[0],
        frames=torch.randint(0, 256, (clips, frames, 3, size, size), dtype=torch.uint8),
        valid=torch.ones(clips, frames, dtype=torch.bool),
        other=sound[1],
        name=[""] * clips,
        start=torch.zeros(clips, dtype=torch.float64),
        index=torch.arange(clips),
    ).to(device())


def training_step(model: AudioToVideo, batch: AudioVideoBatch) -> Callable[[], None]:
    """Return a whole step: forward, all losses that have a weight, backward, Adam."""
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, fused=True)

    def step() -> None:
        optimizer.zero_grad()
        terms = model.generator_loss(model.prepare(batch))
        torch.stack([model.weights[term] * value for term, value in terms.items()]).sum().backward()
        optimizer.step()

    return step


def loading(name: str, folder: Path) -> Callable[[], object]:
    """Build what a row of loading times, at the size of the other rows, from generated clips of 3 s."""
    random = np.random.default_rng(0)
    (folder / "clips").mkdir()
    for number in range(1 if "decode" in name else 16):
        write_clip(folder / "clips" / f"{number}.mp4", compose(random, 3.0))
    data = AudioVideoDataModule(str(folder / "clips"), batch_size=8, cache_dir=str(folder / "cache"))
    if "decode" in name:
        pairs, settings = find_pairs(folder / "clips"), Settings(data.sample_rate, data.fps, Letterbox(128, 128))
        caches = (folder / str(number) for number in count())
        return lambda: cache_pairs(pairs, settings, next(caches), 1, "error")
    data.setup("fit")
    loader = data.train_dataloader()
    batches = (batch for _ in count() for batch in loader)
    return lambda: next(batches)


def work(name: str, folder: Path) -> Callable[[], object]:
    """Build what a row times; its files go into ``folder``."""
    if name in LOADING:
        return loading(name, folder)
    _, clips, settings = ROWS[name]
    model = AudioToVideo(torch.optim.SGD, **settings).to(device())  # type: ignore[arg-type]
    batch = noise(clips, FRAMES, SAMPLES, 128)
    if "forward" in name:
        model.eval()
        return torch.no_grad()(lambda: model(batch.audio))
    return training_step(model, batch)


def report(name: str, threads: int, runs: int, cpu_time: bool) -> None:
    """Time one row and print it as JSON."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    clock = time.process_time if cpu_time else time.perf_counter
    unit = common.matmul_seconds(runs=3, clock=clock).fastest
    before = common.peak_rss_bytes()
    with tempfile.TemporaryDirectory() as folder:
        timing = common.measure(work(name, Path(folder)), runs=runs, warmup=1, clock=clock)
    unit = min(unit, common.matmul_seconds(runs=3, clock=clock).fastest)
    peak = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else common.peak_rss_bytes() - before
    print(json.dumps([str(timing), timing.fastest / unit, peak / 2**20]))


def main() -> None:
    """Time every row in a process of its own and print a table."""
    parser = common.parser("Time the nets that draw pictures to sound.")
    parser.add_argument("--rows", default="", help="only the rows whose name contains this")
    parser.add_argument("--cpu-time", action="store_true", help="time of the process, on one thread")
    parser.add_argument("--row", choices=[*ROWS, *LOADING], help="time this row alone and print JSON")
    options = parser.parse_args()
    threads = 1 if options.cpu_time else options.threads
    if options.row:
        report(options.row, threads, options.runs, options.cpu_time)
        return
    rows = []
    again = ["--cpu-time"] if options.cpu_time else []
    every = [(name, published, clips) for name, (published, clips, _) in ROWS.items()]
    for name, published, clips in [*every, *((name, published, 1) for name, published in LOADING.items())]:
        if options.rows in name:
            runs = max(2, options.runs // clips)
            words = ["--row", name, "--runs", str(runs), "--threads", str(threads), *again]
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.audio_to_video", *words], check=True, stdout=subprocess.PIPE
            )
            timing, ratio, peak = json.loads(done.stdout)
            rows.append((name, timing, f"{ratio:.2f}", published, f"{peak:.0f}"))
    torch.set_num_threads(threads)
    common.print_header("Pictures to sound, 90 frames of 128x128" + (", CPU time" if options.cpu_time else ""))
    print("- a product is one of 2048^3 in float32; memory is what the row adds to the process\n")
    common.print_table(("work", "time, median (range)", "products", "published", "MiB"), rows)


if __name__ == "__main__":
    main()

"""What drawing pictures to sound costs: ``python -m benchmarks.audio_to_video``.

The published net, on 2 cores where the matrix product takes 0.13-0.16 s, one clip of 90 frames of 128x128: forward
0.31 s (2.2 products), a step of mean squared error and Adam 0.86 s (6.1); its predecessor 0.10 s (0.7) and 0.53 s
(3.8). A clip of GRID was decoded in 0.073 s (0.5) for every use; here a clip of its size (3 s of 360x288 pixels at
25 pictures a second, 44.1 kHz stereo) is decoded once. Each row runs in a process of its own, so that its memory is
known.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path

import cv2
import numpy as np
import torch

from benchmarks import common
from datamodules import AudioVideoDataModule
from datamodules.batches import AudioVideoBatch
from datamodules.letterbox import Letterbox
from datamodules.sound.audio_video_cache import Settings, cache_pairs
from datamodules.sound.audio_video_sources import find_pairs
from datamodules.sound.music import FPS, RATE, compose, visualise, write_clip
from datamodules.sound.sound import Resampler, Sound, SoundVideoWriter
from lightning_models.audio_to_video import AudioToVideo, AudioToVideoNet, AudioToVideoNetLegacy

FRAMES, SAMPLES = 90, 48_000
PUBLISHED = {"weights": {"l2": 1.0, "l1": 0.0, "change": 0.0, "structure": 0.0, "mismatch": 0.0}}
Changes = dict[str, object]
ROWS: dict[str, tuple[str, int, Changes]] = {
    "forward": ("2.2", 1, {}),
    "step, published loss": ("6.1", 1, PUBLISHED),
    "step, published loss, chunks of 16": ("-", 1, {**PUBLISHED, "network": partial(AudioToVideoNet, chunk=16)}),
    "step, all losses": ("-", 1, {"weights": {"l2": 1.0}}),
    "step, all losses, chunks of 16": ("-", 1, {"weights": {"l2": 1.0}, "network": partial(AudioToVideoNet, chunk=16)}),
    "step, published loss, batch of 8": ("-", 8, PUBLISHED),
    "step, all losses, batch of 8": ("-", 8, {"weights": {"l2": 1.0}}),
    "legacy, forward": ("0.7", 1, {"network": AudioToVideoNetLegacy}),
    "legacy, step, published loss": ("3.8", 1, {"network": AudioToVideoNetLegacy, **PUBLISHED}),
}
DECODING, BATCH = "loading, decode a clip into the cache", "loading, batch of 8 from the cache"
LOADING = {DECODING: "0.5", BATCH: "-"}
STEP = "step, all losses, batch of 8"  # what a batch is loaded for


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


def write_recording(path: Path, sound: Sound) -> None:
    """Write sound ``(n,)`` with its pictures as GRID has them: 360x288 at 25 a second, 44.1 kHz in stereo."""
    resampler = Resampler(path, RATE, 44_100, channels=1)
    stereo = np.concatenate([resampler.push(sound[None]), resampler.rest()], axis=1).repeat(2, axis=0)
    pictures, step = visualise(sound), 44_100 // 25
    with SoundVideoWriter(path, 25, (288, 360), 44_100, channels=2) as film:
        for number in range(len(pictures) * 25 // FPS):
            film.write(cv2.resize(pictures[number * FPS // 25], (360, 288)).astype(np.uint8))
            film.write_sound(stereo[:, number * step : (number + 1) * step])


def loading(name: str, folder: Path) -> Callable[[], object]:
    """Build what a row of loading times from generated clips of 3 s; batches have the size of the other rows."""
    random = np.random.default_rng(0)
    clips = folder / "clips"
    clips.mkdir()
    data = AudioVideoDataModule(str(clips), batch_size=8, cache_dir=str(folder / "cache"))
    if name == DECODING:
        write_recording(clips / "0.mp4", compose(random, 3.0))
        pairs, settings = find_pairs(clips), Settings(data.sample_rate, data.fps, Letterbox(128, 128))
        caches = (folder / str(number) for number in count())
        return lambda: cache_pairs(pairs, settings, next(caches), 1, "error")
    for number in range(16):
        write_clip(clips / f"{number}.mp4", compose(random, 3.0))
    data.setup("fit")
    loader = data.train_dataloader()
    batches = (batch for _ in count() for batch in loader)
    return lambda: next(batches)


def work(name: str, folder: Path) -> Callable[[], object]:
    """Build what a row times; its files go into ``folder``."""
    if name in LOADING:
        return loading(name, folder)
    _, clips, settings = ROWS[name]
    model = AudioToVideo(**settings).to(device())  # type: ignore[arg-type]
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
    before = common.peak_rss_bytes()
    with tempfile.TemporaryDirectory() as folder:
        timing = common.measure(work(name, Path(folder)), runs=runs, warmup=1, clock=clock)
    peak = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else common.peak_rss_bytes() - before
    unit = common.matmul_seconds(runs=6, clock=clock).fastest  # last: its matrices would raise the peak before the work
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
    rows, products = [], {}
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
            products[name] = ratio
            rows.append((name, timing, f"{ratio:.2f}", published, f"{peak:.0f}"))
    torch.set_num_threads(threads)
    common.print_header("Pictures to sound, 90 frames of 128x128" + (", CPU time" if options.cpu_time else ""))
    print("- a product is one of 2048^3 in float32; memory is what the row adds to the process\n")
    common.print_table(("work", "time, median (range)", "products", "published", "MiB"), rows)
    if BATCH in products and STEP in products:  # nothing hides it: data.num_workers is 0
        share = products[BATCH] / products[STEP]
        print(f"\n- loading a batch of 8 adds {100 * share:.1f} % to its step with all losses")


if __name__ == "__main__":
    main()

"""What drawing pictures to sound costs: ``python -m benchmarks.audio_to_video``.

The published net, on 2 cores where the matrix product takes 0.13-0.16 s, one clip of 90 frames of 128x128: forward
0.31 s (2.2 products), a step of mean squared error and Adam 0.86 s (6.1); its predecessor 0.10 s (0.7) and 0.53 s
(3.8). Each row runs in a process of its own, so that its memory is known.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable

import torch

from benchmarks import common
from datamodules.batches import AudioVideoBatch
from lightning_models.audio_to_video import AudioToVideo

FRAMES, SAMPLES = 90, 48_000
PUBLISHED = {"l2_weight": 1.0, "l1_weight": 0.0, "change_weight": 0.0, "structure_weight": 0.0, "mismatch_weight": 0.0}
Settings = dict[str, object]
ROWS: dict[str, tuple[str, int, Settings]] = {
    "forward": ("2.2", 1, {}),
    "step, published loss": ("6.1", 1, PUBLISHED),
    "step, published loss, chunks of 16": ("-", 1, {**PUBLISHED, "chunk": 16}),
    "step, all losses": ("-", 1, {"l2_weight": 1.0}),
    "step, published loss, batch of 8": ("-", 8, PUBLISHED),
    "step, all losses, batch of 8": ("-", 8, {"l2_weight": 1.0}),
    "legacy, forward": ("0.7", 1, {"architecture": "legacy"}),
    "legacy, step, published loss": ("3.8", 1, {"architecture": "legacy", **PUBLISHED}),
}


def work(name: str) -> Callable[[], object]:
    """Build what a row times."""
    _, clips, settings = ROWS[name]
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = AudioToVideo(torch.optim.SGD, **settings).to(device)  # type: ignore[arg-type]
    sound = torch.rand(2, clips, 1, SAMPLES, device=device) - 0.5
    batch = AudioVideoBatch(
        audio=sound[0],
        frames=torch.randint(0, 256, (clips, FRAMES, 3, 128, 128), dtype=torch.uint8, device=device),
        valid=torch.ones(clips, FRAMES, dtype=torch.bool, device=device),
        other=sound[1],
        name=[""] * clips,
        start=torch.zeros(clips, dtype=torch.float64, device=device),
        index=torch.arange(clips, device=device),
    )
    if "forward" in name:
        model.eval()
        return torch.no_grad()(lambda: model(batch.audio))
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, fused=True)

    def step() -> None:
        optimizer.zero_grad()
        terms = model.generator_loss(model.prepare(batch))
        torch.stack([model.weights[term] * value for term, value in terms.items()]).sum().backward()
        optimizer.step()

    return step


def report(name: str, threads: int, runs: int, cpu_time: bool) -> None:
    """Time one row and print it as JSON."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    clock = time.process_time if cpu_time else time.perf_counter
    unit = common.matmul_seconds(runs=3, clock=clock).fastest
    before = common.peak_rss_bytes()
    timing = common.measure(work(name), runs=runs, warmup=1, clock=clock)
    unit = min(unit, common.matmul_seconds(runs=3, clock=clock).fastest)
    peak = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else common.peak_rss_bytes() - before
    print(json.dumps([str(timing), timing.fastest / unit, peak / 2**20]))


def main() -> None:
    """Time every row in a process of its own and print a table."""
    parser = common.parser("Time the nets that draw pictures to sound.")
    parser.add_argument("--rows", default="", help="only the rows whose name contains this")
    parser.add_argument("--cpu-time", action="store_true", help="time of the process, on one thread")
    parser.add_argument("--row", choices=list(ROWS), help="time this row alone and print JSON")
    options = parser.parse_args()
    threads = 1 if options.cpu_time else options.threads
    if options.row:
        report(options.row, threads, options.runs, options.cpu_time)
        return
    rows = []
    again = ["--cpu-time"] if options.cpu_time else []
    for name, (published, clips, _) in ROWS.items():
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

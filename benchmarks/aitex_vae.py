"""What AitexVAE costs: ``python -m benchmarks.aitex_vae``.

The published originals took, on 2 cores where the matrix product takes 0.13-0.16 s, for a training step of v1 on
16 x 1 x 256 x 256: 0.49 s, and 0.43 s in pythae: 3 to 4 products. A strip of 4096 x 256 pixels is scored in well under
a second.
"""

import gc
import time
from collections.abc import Callable

import torch

from benchmarks import common
from datamodules.batches import PartBatch
from lightning_models import AitexVAE
from lightning_models.aitex_vae.network import AitexNetwork
from lightning_models.reconstruction_losses import bce
from lightning_models.variational import kl_divergence

BATCH = 16
Work = Callable[[], object]


def training_step() -> Work:
    """Build one step of v1: forward, binary cross-entropy and divergence, backward, Adam."""
    network = AitexNetwork()
    optimizer = torch.optim.Adam(network.parameters(), 1e-3, fused=True)
    tiles = torch.rand(BATCH, 1, 256, 256)

    def step() -> None:
        raw, _, posterior = network(tiles)
        loss = bce(raw, tiles) + kl_divergence(posterior).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def strip(overlap: float) -> Work:
    """Score a strip: reconstruct it, gather all evidence, tile scores and both baselines."""
    model = AitexVAE(overlap=overlap).eval()
    model.scorer.regroup(["00"])
    picture = (torch.rand(1, 256, 4096) * 255).byte()
    batch = PartBatch(picture, "strip", "00", "good", 0, 256, 0)

    def work() -> None:
        with torch.no_grad():
            model.test_step(batch, 0)

    return work


ROWS: list[tuple[str, str, Callable[[], Work]]] = [
    ("training step of v1, 16 tiles", "3-4 products", training_step),
    ("strip of 4096 x 256, tiles overlap by half", "well under 1 s", lambda: strip(0.5)),
    ("strip of 4096 x 256, tiles side by side", "-", lambda: strip(0.0)),
]


def main() -> None:
    """Time training and inspection and print a table."""
    parser = common.parser("Time AitexVAE.")
    parser.add_argument("--rows", default="", help="only the rows whose name contains this")
    parser.add_argument("--cpu-time", action="store_true", help="time of the process, on one thread")
    arguments = parser.parse_args()
    clock = time.process_time if arguments.cpu_time else time.perf_counter
    torch.set_num_threads(1 if arguments.cpu_time else arguments.threads)
    torch.manual_seed(0)

    units = [common.matmul_seconds(clock=clock)]
    timings = []
    for name, published, build in ROWS:
        if arguments.rows not in name:
            continue
        work = build()
        timings.append((name, published, common.measure(work, runs=arguments.runs, clock=clock)))
        units.append(common.matmul_seconds(runs=3, clock=clock))
        del work
        gc.collect()
    unit = min(timing.fastest for timing in units)

    common.print_header("AitexVAE" + (", CPU time" if arguments.cpu_time else ""))
    print(f"- unit: one 2048^3 float32 product, {1e3 * unit:.1f} ms; ratios are of the fastest calls\n")
    rows = [(name, timing, f"{timing.fastest / unit:.2f}", published) for name, published, timing in timings]
    common.print_table(("work", "time, median (range)", "products", "published"), rows)


if __name__ == "__main__":
    main()

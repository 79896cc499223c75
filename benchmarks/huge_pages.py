"""What huge pages save in a training step on the CPU: ``python -m benchmarks.huge_pages``.

A step allocates and frees large tensors all the time, and with pages of 4 KiB the system spends a good part of it on
handing them out. The command asks for huge pages (``fulgurite/huge_pages.py``); here a step of AitexVAE's published
network is timed with and without, each in a process of its own, because torch reads the setting once.
"""

import os
import subprocess
import sys

import torch

from benchmarks import common
from fulgurite.huge_pages import SWITCH
from lightning_models.aitex_vae.network import AitexNetwork


def step_seconds(threads: int, runs: int) -> common.Timing:
    """Time one training step on 16 tiles of 1x256x256."""
    torch.set_num_threads(threads)
    network = AitexNetwork(tile_size=256, channels=1, width=32, latent_dim=32)
    optimizer = torch.optim.Adam(network.parameters(), fused=True)
    tiles = torch.rand(16, 1, 256, 256)

    def step() -> None:
        optimizer.zero_grad()
        (network(tiles).reconstructed - tiles).square().sum().backward()
        optimizer.step()

    return common.measure(step, runs=runs)


def main() -> None:
    """Print both times and their ratio."""
    arguments = common.parser(str(__doc__))
    arguments.add_argument("--row", action="store_true", help="time one row in this process (used by the table)")
    options = arguments.parse_args()
    if options.row:
        print(step_seconds(options.threads, options.runs).median)
        return
    torch.set_num_threads(options.threads)
    common.print_header("A training step of AitexVAE v1 by the size of memory pages")
    command = [sys.executable, "-m", "benchmarks.huge_pages", "--row"]
    command += ["--threads", str(options.threads), "--runs", str(options.runs)]
    seconds = {}
    for setting in ("0", "1"):
        environment = {**os.environ, SWITCH: setting}
        done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
        seconds[setting] = float(done.stdout)
    rows = [
        ("4 KiB", f"{1e3 * seconds['0']:.4g} ms", "1"),
        ("huge", f"{1e3 * seconds['1']:.4g} ms", f"{seconds['1'] / seconds['0']:.2f}"),
    ]
    common.print_table(("pages", "median", "ratio"), rows)


if __name__ == "__main__":
    main()

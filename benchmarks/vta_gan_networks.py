"""What the networks of VTA-GAN cost: ``python -m benchmarks.vta_gan_networks``.

The published originals took, on 2 cores where the matrix product takes 0.13-0.16 s:

- one adversarial step of generator and discriminator on 32 frames of 3x64x64 at ngf = ndf = 64 with trained channel
  selection: 2.3 s, about 16 products, 2.26 GB;
- FlowNetSD on 28 pairs of 64x64: forward 0.26 s (1.9 products), forward and backward 1.22 s (8.7 products);
- frequency split of 256 frames of 3x64x64: OpenCV, float32, 5.9 ms.

The step does 111 billion multiplications and additions, the product 8.6 billion: 13 products if it ran exactly as
fast as one.
"""

import gc
import time
from collections.abc import Callable
from typing import Any, Literal

import cv2
import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks import common
from datamodules.batches import UNKNOWN_LABEL, VideoBatch
from lightning_models import VTAGAN
from lightning_models.vta_gan.discriminator import Discriminator, DiscriminatorNorm
from lightning_models.vta_gan.flownet_sd import FlowNetSD
from lightning_models.vta_gan.frequency import split
from lightning_models.vta_gan.generator import Generator

FRAMES = 32
Work = Callable[[], object]
Precision = Literal["32", "bf16-mixed"]


def adversarial_step(*, norm: DiscriminatorNorm, channels_last: bool = False, precision: Precision = "32") -> Work:
    """Build one step: shared forward, D on real, fake and pseudo, then G on BCE, 50 L1 and feature matching."""
    layout = torch.channels_last if channels_last else torch.contiguous_format
    generator = Generator(ngf=64).to(memory_format=layout)
    discriminator = Discriminator(ndf=64, norm=norm).to(memory_format=layout)
    adam = {"lr": 2e-4, "betas": (0.5, 0.999), "fused": True}
    optimizer_g = torch.optim.Adam(generator.parameters(), **adam)
    optimizer_d = torch.optim.Adam(discriminator.parameters(), **adam)
    real, pseudo = (torch.rand(FRAMES, 3, 64, 64).mul(2).sub(1).to(memory_format=layout) for _ in range(2))
    lap, res = split(real)
    mixed = torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16-mixed")

    def bce(logits: Tensor, target: float) -> Tensor:
        return F.binary_cross_entropy_with_logits(logits.float(), torch.full_like(logits, target).float())

    def step() -> None:
        with mixed:
            fake_lap, fake_res = generator(lap, res)
            fake = fake_lap.float() + fake_res.float()
            judged = discriminator(torch.cat((real, fake.detach(), pseudo))).logits.chunk(3)
        loss_d = bce(judged[0], 1.0) + bce(judged[1], 0.0) + bce(judged[2], 0.0)
        optimizer_d.zero_grad()
        loss_d.backward()
        optimizer_d.step()

        discriminator.requires_grad_(False)
        with mixed:
            if norm == "batch":  # its statistics couple real and fake, hence one call with a gradient through both
                both = discriminator(torch.cat((real, fake)))
                logits, target, features = both.logits[FRAMES:], *both.features.chunk(2)
            else:
                with torch.no_grad():
                    target = discriminator(real).features
                logits, features, _ = discriminator(fake)
        loss_g = bce(logits, 1.0) + 50 * F.l1_loss(fake, real) + F.mse_loss(features.float(), target.float())
        optimizer_g.zero_grad()
        loss_g.backward()
        optimizer_g.step()
        discriminator.requires_grad_(True)

    return step


def flownet(*, backward: bool, channels_last: bool = False) -> Work:
    """FlowNetSD on 28 pairs of 64x64; backward from the mean size of all five flows."""
    layout = torch.channels_last if channels_last else torch.contiguous_format
    network = FlowNetSD().to(memory_format=layout)
    pairs = torch.randn(28, 6, 64, 64).to(memory_format=layout)

    def forward() -> None:
        with torch.no_grad():
            network(pairs)

    def train() -> None:
        network.zero_grad()
        torch.stack([flow.abs().mean() for flow in network(pairs)]).sum().backward()

    return train if backward else forward


def split_frames() -> Work:
    """Our split of 256 frames of 3x64x64."""
    frames = torch.rand(32, 8, 3, 64, 64)
    return lambda: split(frames)


def split_frames_by_opencv() -> Work:
    """OpenCV's float32 split of as many frames, one by one."""
    pictures = list(torch.rand(256, 64, 64, 3).numpy())

    def work() -> None:
        for picture in pictures:
            cv2.subtract(picture, cv2.pyrUp(cv2.pyrDown(picture)))

    return work


def scoring(*, small: bool, stride: int) -> Work:
    """A prediction's networks on 16 windows of 8 frames of 64x64, which bring ``16 * stride`` new frames."""
    sizes: dict[str, Any] = (
        {"ngf": 16, "ndf": 16, "flow_width": 0.125, "token_width": 256}
        if small
        else {"ngf": 32, "ndf": 32, "flow_width": 0.25}
    )
    model = VTAGAN(**sizes).eval()
    number = stride * torch.arange(16)[:, None] + torch.arange(8)  # (16, 8)
    film = torch.randint(0, 256, (int(number.max()) + 1, 3, 64, 64), dtype=torch.uint8)
    batch = VideoBatch(
        frames=film[number],
        video=["film"] * 16,
        frame=number,
        label=torch.full_like(number, UNKNOWN_LABEL),
        region=torch.tensor([[8, 0, 48, 64]]).repeat(16, 1),
        index=torch.arange(16),
    )

    @torch.inference_mode()
    def work() -> None:
        model.predict_step(batch, 0)

    return work


ROWS: list[tuple[str, str, Callable[[], Work]]] = [
    ("frequency split, OpenCV", "5.9 ms", split_frames_by_opencv),
    ("frequency split, ours", "at most 8 ms", split_frames),
    ("FlowNetSD forward", "1.9", lambda: flownet(backward=False)),
    ("FlowNetSD forward, channels last", "1.9", lambda: flownet(backward=False, channels_last=True)),
    ("FlowNetSD forward + backward", "8.7", lambda: flownet(backward=True)),
    ("FlowNetSD forward + backward, channels last", "8.7", lambda: flownet(backward=True, channels_last=True)),
    ("adversarial step", "16", lambda: adversarial_step(norm="group")),
    ("adversarial step, channels last", "16", lambda: adversarial_step(norm="group", channels_last=True)),
    ("adversarial step, BatchNorm in D", "16", lambda: adversarial_step(norm="batch")),
    ("adversarial step, bf16-mixed", "-", lambda: adversarial_step(norm="group", precision="bf16-mixed")),
    ("scoring 32 frames, stride 2", "-", lambda: scoring(small=False, stride=2)),
    ("scoring 64 frames, stride 4", "-", lambda: scoring(small=False, stride=4)),
    ("scoring 32 frames, stride 2, small.yaml", "-", lambda: scoring(small=True, stride=2)),
    ("scoring 64 frames, stride 4, small.yaml", "-", lambda: scoring(small=True, stride=4)),
]


def main() -> None:
    """Time the networks of VTA-GAN and print a table."""
    parser = common.parser("Time the networks of VTA-GAN.")
    parser.add_argument("--rows", default="", help="only the rows whose name contains this")
    parser.add_argument("--cpu-time", action="store_true", help="time of the process, on one thread")
    arguments = parser.parse_args()
    threads = 1 if arguments.cpu_time else arguments.threads
    clock = time.process_time if arguments.cpu_time else time.perf_counter
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    torch.manual_seed(0)

    units = [common.matmul_seconds(clock=clock)]
    timings = []
    for name, published, build in ROWS:
        if arguments.rows not in name:
            continue
        work = build()
        timing = common.measure(work, runs=arguments.runs, clock=clock)
        timings.append((name, published, timing, f"{common.peak_rss_bytes() / 2**20:.0f}"))
        units.append(common.matmul_seconds(runs=3, clock=clock))
        del work
        gc.collect()
    unit = min(timing.fastest for timing in units)

    common.print_header("Networks of VTA-GAN" + (", CPU time" if arguments.cpu_time else ""))
    print(f"- unit: one 2048^3 float32 product, {1e3 * unit:.1f} ms; ratios are of the fastest calls\n")
    rows = [
        (name, timing, f"{timing.fastest / unit:.2f}", published, peak) for name, published, timing, peak in timings
    ]
    common.print_table(("work", "time, median (range)", "products", "published", "peak MiB so far"), rows)


if __name__ == "__main__":
    main()

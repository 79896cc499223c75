"""What the steps of CNNParamTanh cost: ``python -m benchmarks.cnn_param_tanh``.

Batches of 16 x 3 x 128 x 128, as described. The original does not run, so there is nothing to compare with; the aim is
a whole cycle, five critic steps and one of the generator, in 80 products of 2048^3.
"""

import gc
from collections.abc import Callable
from typing import Any

import torch

from benchmarks import common
from datamodules.batches import ImageBatch
from lightning_models.cnn_param_tanh import CNNParamTanh

BATCH, SIZE = 16, 128
Work = Callable[[], object]


class Untrained(CNNParamTanh):
    """The system outside of a trainer: its losses are called here, step by step."""

    epochs_seen = 0.0
    due = ("discriminator", "generator")

    def phase_due(self, phase: str) -> bool:
        """Tell which phases are trained."""
        return phase in self.due


def adam(parameters: Any) -> torch.optim.Optimizer:
    """Return the optimizer of the experiment."""
    return torch.optim.Adam(parameters, 1e-4, betas=(0.0, 0.9), fused=True)


def step(*due: str, **settings: Any) -> Work:
    """Build a step on one batch of the phases that are due, as ``AdversarialModule`` takes it."""
    system = Untrained(image_size=SIZE, **settings)
    system.due = due
    phases = {"discriminator": [system.critic], "generator": [system.vae, system.param_tanh]}
    optimizers = {
        phase: adam([weight for part in parts for weight in part.parameters()]) for phase, parts in phases.items()
    }
    images = torch.randint(0, 256, (BATCH, 3, SIZE, SIZE), dtype=torch.uint8)
    batch = ImageBatch(images, [""] * BATCH, torch.zeros(BATCH).long(), torch.arange(BATCH))

    def work() -> None:
        drawn = system.prepare(batch)
        for phase in due:
            for other, parts in phases.items():
                for part in parts:
                    part.requires_grad_(other == phase)
            optimizers[phase].zero_grad()
            terms = getattr(system, f"{phase}_loss")(drawn)
            sum(system.weights[name] * term for name, term in terms.items()).backward()
            optimizers[phase].step()
        system.requires_grad_(True)

    return work


def cycle(n_critic: int = 5) -> Work:
    """Build the batches from one step of the generator to the next: a step of the critic on each, of both on the last.

    Each kind has a system of its own, which costs memory and no time.
    """
    of_critic, of_both = step("discriminator"), step("discriminator", "generator")

    def work() -> None:
        for _ in range(n_critic - 1):
            of_critic()
        of_both()

    return work


def generate(clip: str) -> Work:
    """Build the drawing of one clip."""
    system = Untrained(image_size=SIZE, clip=clip).eval()
    z = torch.randn(1, system.latent_dim)
    return torch.no_grad()(lambda: system.generate_video(z))


ROWS: list[tuple[str, str, Callable[[], Work]]] = [
    ("critic step", "12", lambda: step("discriminator")),
    ("critic and generator step", "20", lambda: step("discriminator", "generator")),
    ("cycle of five critic steps and one of the generator", "80", cycle),
    ("both, alpha from a linear head", "-", lambda: step("discriminator", "generator", alpha_head="linear")),
    ("a clip of the synthetic video", "-", lambda: generate("frames")),
    ("a clip of a latent walk", "-", lambda: generate("walk")),
]


def main() -> None:
    """Time CNNParamTanh and print a table."""
    arguments = common.parser("Time CNNParamTanh.").parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    units = [common.matmul_seconds()]
    timings = []
    for name, aim, build in ROWS:
        work = build()
        timing = common.measure(work, runs=arguments.runs, warmup=1)
        timings.append((name, aim, timing, f"{common.peak_rss_bytes() / 2**20:.0f}"))
        units.append(common.matmul_seconds(runs=3))
        del work
        gc.collect()
    unit = min(timing.fastest for timing in units)

    common.print_header("CNNParamTanh, 16 pictures of 3x128x128")
    print(f"- unit: one 2048^3 float32 product, {1e3 * unit:.1f} ms; ratios are of the fastest calls\n")
    table = [(name, timing, f"{timing.fastest / unit:.2f}", aim, peak) for name, aim, timing, peak in timings]
    common.print_table(("work", "time, median (range)", "products", "aim", "peak MiB so far"), table)


if __name__ == "__main__":
    main()

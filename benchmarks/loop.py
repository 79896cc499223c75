"""What Lightning and the adversarial base cost beside a bare torch loop: ``python -m benchmarks.loop``.

The same DCGAN step runs in both. After every batch of the trainer one step of the bare loop is timed, so that a
machine that slows down slows both; the overhead is the median of the pairs' differences. Lightning alone costs
0.8 ms a step, 1.7 ms with two logged scalars (measured elsewhere); here seven are.
"""

import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor, nn
from torch.utils.data import DataLoader

from benchmarks import common
from lightning_models.losses import fake_objective, generator_objective, real_objective, reconstruction
from lightning_models.training.adversarial import AdversarialModule

LATENT = 64


def networks(width: int) -> tuple[nn.Sequential, nn.Sequential]:
    """Build generator and critic of DCGAN for 64x64 pictures."""

    def up(inputs: int, outputs: int) -> list[nn.Module]:
        return [nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]

    def down(inputs: int, outputs: int) -> list[nn.Module]:
        return [nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False), nn.BatchNorm2d(outputs), nn.LeakyReLU(0.2)]

    first = [nn.ConvTranspose2d(LATENT, 8 * width, 4, bias=False), nn.BatchNorm2d(8 * width), nn.ReLU()]
    widths = [8 * width, 4 * width, 2 * width, width]
    ups = [layer for pair in pairwise(widths) for layer in up(*pair)]
    downs = [layer for pair in pairwise(reversed(widths)) for layer in down(*pair)]
    generator = nn.Sequential(*first, *ups, nn.ConvTranspose2d(width, 3, 4, 2, 1), nn.Tanh())
    critic = nn.Sequential(
        nn.Conv2d(3, width, 4, 2, 1), nn.LeakyReLU(0.2), *downs, nn.Conv2d(8 * width, 1, 4), nn.Flatten()
    )
    return generator, critic


def adam(parameters: Any) -> torch.optim.Optimizer:
    """Return DCGAN's optimizer."""
    return torch.optim.Adam(parameters, 2e-4, betas=(0.5, 0.999), fused=True)


def discriminator_terms(critic: nn.Module, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
    """Return the critic's terms."""
    return {"real": real_objective("bce", critic(real)), "fake": fake_objective("bce", critic(fake.detach()))}


def generator_terms(critic: nn.Module, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
    """Return the generator's terms."""
    return {
        "adversarial": generator_objective("bce", critic(fake)),
        "mean": reconstruction("l1", fake.mean(0), real.mean(0)),
        "square": reconstruction("l2", fake.mean(0), real.mean(0)),
    }


class Gan(AdversarialModule):
    """The step in the trainer."""

    phase_modules = {"discriminator": ("critic",), "generator": ("generator",)}  # noqa: RUF012

    def __init__(self, width: int, **kwargs: Any) -> None:
        super().__init__(discriminator_optimizer=adam, generator_optimizer=adam, **kwargs)
        self.generator, self.critic = networks(width)

    def prepare(self, batch: Tensor) -> tuple[Tensor, Tensor]:
        """Generate as many pictures as the batch has."""
        return batch, self.generator(torch.randn(len(batch), LATENT, 1, 1, device=batch.device))

    def discriminator_loss(self, forward: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        """Two terms."""
        return discriminator_terms(self.critic, *forward)

    def generator_loss(self, forward: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        """Three terms."""
        return generator_terms(self.critic, *forward)


def bare_step(width: int, loader: DataLoader[Tensor], device: torch.device) -> Callable[[], None]:
    """Return the step as one would write it without either library; clips nothing, logs nothing."""
    generator, critic = (network.to(device) for network in networks(width))
    optimizer_g, optimizer_d = adam(generator.parameters()), adam(critic.parameters())
    batches = iter(loader)

    def step() -> None:
        real = next(batches).to(device)
        fake = generator(torch.randn(len(real), LATENT, 1, 1, device=device))
        optimizer_d.zero_grad()
        sum(discriminator_terms(critic, real, fake).values()).backward()
        optimizer_d.step()
        critic.requires_grad_(False)
        optimizer_g.zero_grad()
        sum(generator_terms(critic, real, fake).values()).backward()
        optimizer_g.step()
        critic.requires_grad_(True)

    return step


class Pairs(Callback):
    """Times the trainer from batch to batch, and a bare step in between."""

    def __init__(self, width: int, loader: DataLoader[Tensor], warmup: int) -> None:
        self.width, self.loader, self.warmup = width, loader, warmup
        self.trained: list[float] = []
        self.bare: list[float] = []

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Start the clock."""
        self.step = bare_step(self.width, self.loader, pl_module.device)
        self.mark = time.perf_counter()

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Stop the clock, time a bare step, start again."""
        common.synchronize()
        middle = time.perf_counter()
        self.step()
        common.synchronize()
        end = time.perf_counter()
        if batch_idx >= self.warmup:
            self.trained.append(middle - self.mark)
            self.bare.append(end - middle)
        self.mark = time.perf_counter()


def row(name: str, width: int, batch_size: int, runs: int, warmup: int, **kwargs: Any) -> list[object]:
    """Run one size and return its row of the table."""
    data: Any = torch.rand((runs + warmup) * batch_size, 3, 64, 64)
    loader: DataLoader[Tensor] = DataLoader(data, batch_size)
    pairs = Pairs(width, loader, warmup)
    with tempfile.TemporaryDirectory() as folder:
        Trainer(
            default_root_dir=folder,
            devices=1,
            max_epochs=1,
            log_every_n_steps=10,
            logger=CSVLogger(folder),
            callbacks=[pairs],
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        ).fit(Gan(width, **kwargs), loader)
    bare = statistics.median(pairs.bare)
    extra = statistics.median(ours - theirs for ours, theirs in zip(pairs.trained, pairs.bare, strict=True))
    return [name, f"{1e3 * bare:.2f}", f"{1e3 * (bare + extra):.2f}", f"{1e3 * extra:+.2f}", f"{extra / bare:+.1%}"]


def main() -> None:
    """Print the table."""
    options = common.parser(str(__doc__).split("\n", maxsplit=1)[0]).parse_args()
    torch.set_num_threads(options.threads)
    warnings.filterwarnings("ignore")
    common.print_header("Adversarial loop")
    tiny, default = 40 * options.runs, 4 * options.runs
    rows = [
        row("width 2, batch 2", 2, 2, tiny, 20),
        row("width 2, batch 2, clipping, EMA", 2, 2, tiny, 20, gradient_clip=1e9, ema_decay=0.999),
        row("width 32, batch 16", 32, 16, default, 3),
        row("width 32, batch 16, clipping, EMA", 32, 16, default, 3, gradient_clip=1e9, ema_decay=0.999),
    ]
    common.print_table(["DCGAN 64x64", "bare ms", "trainer ms", "overhead ms", "overhead"], rows)


if __name__ == "__main__":
    main()

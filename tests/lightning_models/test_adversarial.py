"""The base of the adversarial systems against plain torch loops."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, Trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from datamodules.errors import InputError
from datamodules.seeding import derive_seed, global_seed
from lightning_models.adversarial import AdversarialModule
from lightning_models.losses import discriminator_objective, generator_objective, gradient_penalty

LATENT, WIDTH = 4, 6


def adam(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, lr=0.02, betas=(0.5, 0.9))


def networks(dropout: float = 0.0) -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(0)
    generator = nn.Sequential(nn.Linear(LATENT, 8), nn.Tanh(), nn.Dropout(dropout), nn.Linear(8, WIDTH))
    critic = nn.Sequential(nn.Linear(WIDTH, 8), nn.LeakyReLU(0.2), nn.Dropout(dropout), nn.Linear(8, 1))
    return generator.double(), critic.double()


class Gan(AdversarialModule):
    """A GAN of two small perceptrons on rows of numbers."""

    phase_modules = {"discriminator": ("critic",), "generator": ("generator",)}  # noqa: RUF012

    def __init__(self, kind: str = "bce", dropout: float = 0.0, **kwargs: Any) -> None:
        kwargs = {"discriminator_optimizer": adam, "generator_optimizer": adam} | kwargs
        super().__init__(**kwargs)
        self.save_hyperparameters()
        self.kind = kind
        self.generator, self.critic = networks(dropout)
        self.weights = {"reconstruction": 0.5} | ({"penalty": 10.0} if kind == "wgan" else {})

    def prepare(self, batch: list[Tensor]) -> tuple[Tensor, Tensor]:
        (real,) = batch
        noise = torch.randn(len(real), LATENT, dtype=real.dtype)
        with torch.set_grad_enabled(self.phase_due("generator")):
            return real, self.generator(noise)

    def discriminator_loss(self, forward: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        real, fake = forward
        terms = {"real_fake": discriminator_objective(self.kind, self.critic(real), self.critic(fake.detach()))}
        if self.kind == "wgan":
            terms["penalty"] = gradient_penalty(self.critic, real, fake)
        return terms

    def generator_loss(self, forward: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        real, fake = forward
        return {
            "adversarial": generator_objective(self.kind, self.critic(fake)),
            "reconstruction": (fake.mean(0) - real.mean(0)).square().mean(),
        }

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val/first", self.generator[0].weight.sum(), batch_size=1)


def rows(count: int = 40) -> TensorDataset:
    return TensorDataset(torch.randn(count, WIDTH, generator=torch.Generator().manual_seed(1)).double() + 2)


def loader(count: int = 40, batch_size: int = 4) -> DataLoader[Any]:
    return DataLoader(rows(count), batch_size=batch_size)


def trainer(tmp_path: Any, **kwargs: Any) -> Trainer:
    defaults = {
        "default_root_dir": tmp_path,
        "accelerator": "cpu",
        "devices": 1,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    return Trainer(**{**defaults, **kwargs})


def plain_loop(
    kind: str, epochs: int, accumulate: int, n_critic: int, clip: float, scheduler: Callable[..., Any] | None
) -> tuple[nn.Module, nn.Module]:
    """The same training written out, without Lightning and without the base: gradients by torch.autograd.grad."""
    generator, critic = networks()
    both = {"d": adam(critic.parameters()), "g": adam(generator.parameters())}
    schedulers = [scheduler(optimizer) for optimizer in both.values()] if scheduler else []
    batches_seen = windows = 0

    def step(optimizer: torch.optim.Optimizer, gradients: list[list[Tensor]]) -> None:
        parameters = optimizer.param_groups[0]["params"]
        for parameter, of_batches in zip(parameters, zip(*gradients, strict=True), strict=True):
            parameter.grad = torch.stack(of_batches).mean(0)
        if clip:
            norm = torch.stack([parameter.grad.square().sum() for parameter in parameters]).sum().sqrt()
            for parameter in parameters:
                parameter.grad *= min(1.0, clip / (norm.item() + 1e-6))
        optimizer.step()

    for _ in range(epochs):
        waiting: dict[str, list[list[Tensor]]] = {"d": [], "g": []}
        batches = list(loader())
        for position, (real,) in enumerate(batches):
            torch.manual_seed(derive_seed(global_seed(), "train", batches_seen, 0))
            closes = len(waiting["d"]) + 1 == accumulate or position + 1 == len(batches)
            fake = generator(torch.randn(len(real), LATENT, dtype=real.dtype))
            loss = discriminator_objective(kind, critic(real), critic(fake.detach()))
            if kind == "wgan":
                loss = loss + 10 * gradient_penalty(critic, real, fake)
            waiting["d"].append(list(torch.autograd.grad(loss, list(critic.parameters()))))
            if closes:
                step(both["d"], waiting["d"])
            if (windows + 1) % n_critic == 0:
                distance = (fake.mean(0) - real.mean(0)).square().mean()
                loss = generator_objective(kind, critic(fake)) + 0.5 * distance
                waiting["g"].append(list(torch.autograd.grad(loss, list(generator.parameters()))))
                if closes:
                    step(both["g"], waiting["g"])
            batches_seen += 1
            if closes:
                windows += 1
                waiting = {"d": [], "g": []}
        for each in schedulers:
            each.step()
    return generator, critic


def largest_difference(first: nn.Module, second: nn.Module) -> float:
    pairs = zip(first.parameters(), second.parameters(), strict=True)
    return max((a - b).abs().max().item() for a, b in pairs)


def halve_each_epoch(optimizer: torch.optim.Optimizer) -> torch.optim.lr_scheduler.LRScheduler:
    return torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)


@pytest.mark.parametrize(
    ("kind", "accumulate", "n_critic", "clip", "scheduler"),
    [
        ("bce", 1, 1, 0.0, None),
        ("hinge", 1, 1, 0.05, halve_each_epoch),
        ("wgan", 1, 5, 0.0, halve_each_epoch),
        ("bce", 4, 1, 0.05, None),  # 10 batches: windows of 4, 4 and 2
        ("wgan", 3, 2, 0.1, halve_each_epoch),
    ],
)
def test_equals_a_plain_loop(tmp_path, kind, accumulate, n_critic, clip, scheduler):
    system = Gan(
        kind,
        accumulate=accumulate,
        n_critic=n_critic,
        gradient_clip=clip,
        discriminator_scheduler=scheduler,
        generator_scheduler=scheduler,
    )
    before = copy.deepcopy(system.generator)
    trainer(tmp_path, max_epochs=2).fit(system, loader())
    generator, critic = plain_loop(kind, 2, accumulate, n_critic, clip, scheduler)
    assert system.batches_seen == 20
    assert system.windows_seen == 2 * -(-10 // accumulate)
    assert largest_difference(before, generator) > 1e-3
    assert largest_difference(system.generator, generator) < 1e-12
    assert largest_difference(system.critic, critic) < 1e-12

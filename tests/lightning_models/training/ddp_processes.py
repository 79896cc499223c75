"""What test_adversarial_ddp.py runs in a process of its own: trainings by two gloo processes, and by one.

Writes into the folder given: ``<name>.<processes>.pt`` with the trained weights, and for each process what it saw.
"""

import sys
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader

from lightning_models.losses import discriminator_objective, generator_objective
from lightning_models.training.adversarial import AdversarialModule

FOLDER = Path(sys.argv[1])


class Gan(AdversarialModule):
    """Every loss is a mean over samples, and the noise is part of the data."""

    phase_modules = {"discriminator": ("critic",), "generator": ("generator",)}  # noqa: RUF012

    def __init__(self, normalised: bool, **kwargs: Any) -> None:
        def adam(parameters: Any) -> torch.optim.Optimizer:
            return torch.optim.Adam(parameters, 0.02, betas=(0.5, 0.9))

        super().__init__(discriminator_optimizer=adam, generator_optimizer=adam, **kwargs)
        torch.manual_seed(0)
        between = nn.BatchNorm1d(8) if normalised else nn.Tanh()
        self.generator = nn.Sequential(nn.Linear(3, 8), between, nn.Linear(8, 5)).double()
        self.critic = nn.Sequential(nn.Linear(5, 8), nn.LeakyReLU(), nn.Linear(8, 1)).double()

    def prepare(self, batch: Tensor) -> tuple[Tensor, Tensor]:
        share = batch[self.global_rank :: self.trainer.world_size]
        return share[:, 3:], self.generator(share[:, :3])

    def discriminator_loss(self, forward: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        real, fake = forward
        return {"hinge": discriminator_objective("hinge", self.critic(real), self.critic(fake.detach()))}

    def generator_loss(self, forward: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        return {"hinge": generator_objective("hinge", self.critic(forward[1]))}

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        buffers = {name: value.clone() for name, value in self.named_buffers()}
        torch.save(buffers, FOLDER / f"validation.{self.global_rank}.pt")


class OneRankBreaks(Gan):
    """The second process meets a loss that is not a number."""

    def generator_loss(self, forward: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        broken = torch.nan if self.global_rank == 1 and self.batches_seen == 2 else 1.0
        return {name: term * broken for name, term in super().generator_loss(forward).items()}


class Watch(Callback):
    """Keeps the buffers before they are shared and after a save."""

    def on_train_batch_end(self, trainer: Trainer, pl_module: Gan, *_: Any) -> None:
        if pl_module.batches_seen == 3:
            self.keep("drifted before the save", pl_module)
            trainer.save_checkpoint(FOLDER / "saved.ckpt")
            self.keep("saved", pl_module)
        self.keep("drifted before validation", pl_module)

    def keep(self, name: str, system: Gan) -> None:
        torch.save(dict(system.named_buffers()), FOLDER / f"{name}.{system.global_rank}.pt")


def fit(system: Gan, processes: int, *callbacks: Callback, **kwargs: Any) -> None:
    rows = torch.randn(56, 8, generator=torch.Generator().manual_seed(1)).double()
    loader: Any = DataLoader(rows, batch_size=8)  # type: ignore[arg-type]
    Trainer(
        default_root_dir=FOLDER,
        accelerator="cpu",
        devices=processes,
        strategy="ddp_fork_find_unused_parameters_true" if processes > 1 else "auto",
        callbacks=list(callbacks),
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,  # would shuffle; every process takes its share of the batch
        **kwargs,
    ).fit(system, loader, loader)


def compare(name: str, **kwargs: Any) -> None:
    """Train with two processes and with one of twice the batch."""
    for processes in (2, 1):
        system = Gan(normalised=False, **kwargs)
        fit(system, processes, max_epochs=3)  # 21 batches
        torch.save(system.state_dict(), FOLDER / f"{name}.{processes}.pt")


if __name__ == "__main__":
    torch.set_num_threads(1)
    compare("plain", gradient_clip=0.3)
    compare("windows", accumulate=3, n_critic=2, gradient_clip=0.3, ema_decay=0.9)
    fit(Gan(normalised=True), 2, Watch(), max_epochs=1)
    fit(OneRankBreaks(normalised=False), 2, max_epochs=1, log_every_n_steps=3)

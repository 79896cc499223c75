"""Systems whose parts are trained against each other.

    class Gan(AdversarialModule):
        phase_modules = {"discriminator": ("critic",), "generator": ("generator",)}

        def prepare(self, batch):
            return batch, self.generator(torch.randn(len(batch), 64, device=self.device))

        def discriminator_loss(self, forward):
            real, fake = forward
            return {"hinge": discriminator_objective("hinge", self.critic(real), self.critic(fake.detach()))}

        def generator_loss(self, forward):
            return {"hinge": generator_objective("hinge", self.critic(forward[1]))}

The graph that ``prepare`` leaves belongs to the generator's phase; the discriminator's detaches what it takes.
The discriminator steps at the end of every window, the other phases of every ``n_critic``-th. While nobody asks it
(``discriminator_is_asked``) it rests, and the other phases step at the end of every window.
"""

from typing import Any, ClassVar

from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor

from datamodules.errors import InputError
from lightning_models.training.phases import PhasedModule


class AdversarialModule(PhasedModule):
    """Base of the adversarial systems.

    A system with further phases puts their factories into ``optimizer_factories`` and ``scheduler_factories``.

    Args:
        discriminator_optimizer: makes the discriminator's optimizer from its parameters; None: the published one.
        generator_optimizer: makes the generator's optimizer from its parameters; None: the published one.
        discriminator_scheduler: makes the discriminator's learning rate scheduler; None keeps the rate.
        generator_scheduler: makes the generator's learning rate scheduler; None keeps the rate.
        n_critic: discriminator steps for one step of the other phases (WGAN-GP: 5), while it is asked.
        training: the arguments of :class:`PhasedModule`; ``ema_decay`` averages the generator.

    Attributes:
        health: what the discriminator makes of the latest batch, for ``AdversarialHealth``; ``discriminator_loss`` sets
            it (see :class:`datamodules.protocols.HasHealth`). Empty while it rests.
    """

    free_after_training: ClassVar[tuple[str, ...]] = ("n_critic",)
    phases: ClassVar[tuple[str, ...]] = ("discriminator", "generator")

    def __init__(
        self,
        *,
        discriminator_optimizer: OptimizerCallable | None = None,
        generator_optimizer: OptimizerCallable | None = None,
        discriminator_scheduler: LRSchedulerCallable | None = None,
        generator_scheduler: LRSchedulerCallable | None = None,
        n_critic: int = 1,
        **training: Any,
    ) -> None:
        super().__init__(
            optimizers={"discriminator": discriminator_optimizer, "generator": generator_optimizer},
            schedulers={"discriminator": discriminator_scheduler, "generator": generator_scheduler},
            averaged_phase="generator",
            **training,
        )
        if n_critic < 1:
            raise InputError(f"n_critic is {n_critic}; give a whole number of at least 1")
        self.n_critic = n_critic
        self.health: dict[str, Tensor] = {}

    def discriminator_loss(self, forward: Any) -> dict[str, Tensor]:
        """Return the discriminator's unweighted terms, the same at every batch; detach generated samples."""
        raise NotImplementedError

    def generator_loss(self, forward: Any) -> dict[str, Tensor]:
        """Return the generator's unweighted terms, the same at every batch."""
        raise NotImplementedError

    @property
    def discriminator_is_asked(self) -> bool:
        """Whether the discriminator counts for anything at the present batch."""
        return True

    def training_step(self, batch: Any, batch_idx: int) -> None:
        """Train every due phase on one batch."""
        self.health = {}
        super().training_step(batch, batch_idx)

    def phase_due(self, phase: str) -> bool:
        """Tell whether the phase is trained on the present batch."""
        asked = self.discriminator_is_asked
        due = asked if phase == "discriminator" else not asked or (self.windows_seen + 1) % self.n_critic == 0
        return super().phase_due(phase) and due

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Make an optimizer and, where wanted, a scheduler for every phase that has parameters to train."""
        made = super().configure_optimizers()
        if self.n_critic > 1 and "discriminator" not in self._optimizers:
            raise InputError(f"n_critic is {self.n_critic}, but the discriminator is switched off: set n_critic to 1")
        return made

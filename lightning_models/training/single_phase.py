"""The base of systems that train all their parts together."""

from typing import Any

from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable

from lightning_models.training.phases import PhasedModule


class SinglePhaseModule(PhasedModule):
    """Base of the systems that train all their parts together, in one phase.

    Args:
        optimizer: makes the optimizer from the parameters; None: the published one.
        scheduler: makes the learning rate scheduler, None keeps the rate.
        training: the arguments of :class:`PhasedModule`.
    """

    def __init__(
        self,
        *,
        optimizer: OptimizerCallable | None = None,
        scheduler: LRSchedulerCallable | None = None,
        **training: Any,
    ) -> None:
        (phase,) = self.phases
        super().__init__(optimizers={phase: optimizer}, schedulers={phase: scheduler}, averaged_phase=phase, **training)

    @classmethod
    def argument(cls, phase: str, part: str) -> str:
        """Return the name of the argument that makes the optimizer or scheduler."""
        return part

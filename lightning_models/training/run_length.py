"""How long a training lasts, counted in batches: Lightning counts the steps of all optimizers together."""

from typing import Any, Literal

from lightning.pytorch import Callback, LightningModule, Trainer

from datamodules.errors import InputError
from datamodules.protocols import CountsBatches


class BatchLimit(Callback):
    """Ends a training with its ``limit``-th batch, as ``trainer.max_steps`` promises; a validation follows.

    Args:
        limit: training batches since the start of the run, at least 1.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Train nothing where a resumed run has had its batches."""
        self._stop_after(0, trainer, pl_module)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Make this batch the last; known before it, so that what it logs is written."""
        self._stop_after(1, trainer, pl_module)

    def _stop_after(self, batches: int, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, CountsBatches)
        if pl_module.batches_seen + batches >= self.limit:
            trainer.should_stop = True


def take_over_limit(trainer: Trainer) -> list[Callback]:
    """Take ``trainer.max_steps`` out of Lightning's hands, and return what counts batches in its place.

    Raises:
        InputError: for ``min_steps``, which nothing here can count.
    """
    if trainer.min_steps is not None:
        raise InputError(
            f"--trainer.min_steps is {trainer.min_steps}, which would count the steps of all optimizers together: "
            "remove it and use --trainer.min_epochs"
        )
    limit = trainer.max_steps
    if limit <= 0:  # -1: none; 0: nothing is trained, which Lightning knows too
        return []
    trainer.fit_loop.epoch_loop.max_steps = -1
    return [BatchLimit(limit)]


def batch_limit(trainer: Trainer) -> int | None:
    """Return the number of batches after which the training ends, None where epochs alone end it."""
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]  # set without a type
    return next((one.limit for one in callbacks if isinstance(one, BatchLimit)), None)


def units_of_run(trainer: Trainer, schedule: Literal["epoch", "step"], accumulate: int) -> int:
    """Return how often a run steps the scheduler of a phase that is due in every window.

    Args:
        trainer: of the run.
        schedule: what a scheduler counts.
        accumulate: batches of a window; the last one of an epoch, or of the run, may have fewer.

    Raises:
        InputError: if the run has no end.
    """
    limit, epochs = batch_limit(trainer), trainer.max_epochs or 0
    if epochs < 0 and (limit is None or schedule == "epoch"):
        otherwise = "" if limit is None else ", or --model.schedule step"
        raise InputError(
            "the scheduler lasts as long as the run, of which nobody knows how many epochs it has: set "
            f"--trainer.max_epochs{otherwise}"
        )
    if schedule == "epoch":
        return epochs
    trainer.fit_loop.setup_data()  # the batches can then be counted
    per_epoch = int(trainer.num_training_batches)
    batches = epochs * per_epoch if limit is None or epochs >= 0 else limit
    batches = min(batches, limit) if limit is not None else batches
    whole, rest = divmod(batches, per_epoch)
    return whole * -(-per_epoch // accumulate) + -(-rest // accumulate)

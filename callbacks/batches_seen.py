"""How many training batches the weights have seen: the x-axis of every logger, and the names of what is shown."""

from lightning.pytorch import Trainer

from datamodules.protocols import CountsBatches


def batches_seen(trainer: Trainer) -> int:
    """Return the number of training batches that the weights have seen since the start of the run.

    The module tells it, since the trainer counts in ``fit`` only; there both say the same. The trainer's number stands
    in for that of a module which does not count.
    """
    module = trainer.lightning_module
    return module.batches_seen if isinstance(module, CountsBatches) else trainer.fit_loop.epoch_loop.total_batch_idx + 1

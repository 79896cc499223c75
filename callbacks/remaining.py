"""What both forms of progress show: where a work is, how long it still takes, and the losses."""

import time

from lightning.pytorch import LightningModule, Trainer

from datamodules.protocols import NamesValidations


class Remaining:
    """An estimate of the time that is left.

    Args:
        total: of what is to be done; infinite where nobody knows.
        done: of it already when the clock starts.
    """

    def __init__(self, total: float, done: float = 0) -> None:
        self.total, self._first = total, done
        self._began = time.monotonic()

    def seconds(self, done: float) -> float | None:
        """Return the seconds that are left; None before anything was done, and where nobody knows the end."""
        passed = done - self._first
        if passed <= 0 or self.total == float("inf"):
            return None
        return (time.monotonic() - self._began) / passed * max(self.total - done, 0)


def batches_of_fit(trainer: Trainer) -> float:
    """Return the batches of a whole training, infinite where its length is not known."""
    epochs = trainer.max_epochs
    return float("inf") if epochs is None or epochs < 0 else epochs * float(trainer.num_training_batches)


def batch_of_fit(trainer: Trainer, batch_idx: int) -> int:
    """Return how many batches have been trained when batch ``batch_idx`` of the present epoch is done."""
    return int(trainer.current_epoch * trainer.num_training_batches) + batch_idx + 1


def validation_name(module: LightningModule, loader: int) -> str:
    """Return what a validation's loader is for, ``validation`` where the model does not say."""
    names = module.validation_names if isinstance(module, NamesValidations) else ()
    return names[loader] if loader < len(names) else "validation"


def epoch_of(trainer: Trainer) -> str:
    """Return ``epoch 2 of 6``."""
    number, last = trainer.current_epoch + 1, trainer.max_epochs
    if last in (None, -1):
        return f"epoch {number}"
    return f"epoch {min(number, last)} of {last}"  # at its end a training counts one more


def losses_of(trainer: Trainer) -> dict[str, float]:
    """Return the newest loss of every phase, by its logged name."""
    return {name: float(value) for name, value in trainer.callback_metrics.items() if name.endswith("/total")}

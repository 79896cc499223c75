"""Weights that are not numbers are refused before they are trained, judged or used."""

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn

from datamodules.errors import InputError


class FiniteWeights(Callback):
    """Look once, after a checkpoint was loaded and averaged weights were put in place.

    Buffers are left out: a threshold that was never fitted is NaN, and whoever needs it says so.
    """

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Look at what is about to be trained."""
        _check(trainer, pl_module)

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Look at what is about to be judged; while it is trained, its losses are watched."""
        if trainer.state.fn == TrainerFn.VALIDATING:
            _check(trainer, pl_module)

    def on_test_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Look at what is about to be judged."""
        _check(trainer, pl_module)

    def on_predict_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Look at what is about to be used."""
        _check(trainer, pl_module)


def _check(trainer: Trainer, model: LightningModule) -> None:
    check_finite_weights(model, trainer.ckpt_path)


def check_finite_weights(model: LightningModule, checkpoint: object) -> None:
    """Refuse weights with a NaN or an infinity.

    Args:
        model: with its weights in place.
        checkpoint: where they come from, for the message; None where that is not known.

    Raises:
        InputError: naming the checkpoint and the first of them.
    """
    wrong = [name for name, weight in model.named_parameters() if not weight.isfinite().all()]
    if wrong:
        raise InputError(
            f"{checkpoint or type(model).__name__}: {wrong[0]} holds values that are not finite "
            f"({len(wrong)} of its weights do): nothing can be made of it. Use an earlier checkpoint"
        )

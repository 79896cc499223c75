"""What a checkpoint holds of a training beside weights and optimizers, and the checks that it is one of this system."""

from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, Self

from lightning.pytorch import LightningModule
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor

from datamodules.errors import InputError
from datamodules.private_api import rebuilt_as_its_class
from datamodules.weights_file import read_checkpoint
from lightning_models.training.ema import WeightAverage
from lightning_models.training.finite_losses import NonFiniteLosses, check_finite
from lightning_models.training.hyperparameters import check_fits, check_known, check_same, check_system, only_plain


class SavedTraining(LightningModule):
    """A system whose checkpoints count its batches and keep the average of its weights.

    Attributes:
        free_after_training: arguments on which neither weights nor calibration depend; they may differ in a test, a
            prediction or when samples are drawn. ``a.b`` is the argument b of the class given as a. Those of the bases
            are too.
        batches_seen: training batches since the start of the run; every x-axis counts them.
        windows_seen: ended windows since the start of the run, whether or not a phase has waited in them.
        average: running average of weights, None where none is kept.
    """

    free_after_training: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        super().__init__()
        self.batches_seen = 0
        self.windows_seen = 0
        self.average: WeightAverage | None = None
        self._non_finite = NonFiniteLosses()
        self._latest: dict[str, Tensor | float] = {}

    @classmethod
    def argument(cls, phase: str, part: str) -> str:
        """Return the name of the argument that makes a phase's ``optimizer`` or ``scheduler``."""
        return f"{phase}_{part}"

    def stop_where_not_finite(self) -> None:
        """Check the losses of all processes so far.

        Raises:
            InputError: if one was not finite.
        """
        check_finite(self._non_finite, self.trainer.strategy, self.argument)

    @classmethod
    def load_from_checkpoint(cls, checkpoint_path: Any, *args: Any, **arguments: Any) -> Self:
        """Rebuild a system by the arguments in its checkpoint.

        Args:
            checkpoint_path: file of the checkpoint.
            args: as Lightning has them.
            arguments: of the system, instead of those in the checkpoint or where it has none.

        Raises:
            InputError: the file is none, is not whole or holds code, or it has arguments that the system has not.
        """
        if arguments.get("weights_only") is False:
            raise InputError("weights_only = False: reading the checkpoint could then run what is in it; leave it out")
        saved = read_checkpoint(Path(checkpoint_path), "meta").get("hyper_parameters", {})
        check_known(only_plain(saved), cls, checkpoint_path)
        arguments = {**rebuilt_as_its_class(), **arguments, "weights_only": True}
        return super().load_from_checkpoint(checkpoint_path, *args, **arguments)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the counters and the average; refuse to write a state that is not finite."""
        self.stop_where_not_finite()
        checkpoint["phased_training"] = {
            "system": type(self).__name__,
            "batches_seen": self.batches_seen,
            "windows_seen": self.windows_seen,
            # a phase that waits is shown by what it last had, after a resume too
            "latest": {name: float(value) for name, value in self._latest.items()},
        }
        if self.average is not None:
            checkpoint["state_dict"].update(self.average.live_weights())
            checkpoint["weight_average"] = self.average.state_dict()
        checkpoint["hyper_parameters"] = only_plain(checkpoint.get("hyper_parameters", {}))

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take over the counters, the values last shown and the average.

        Raises:
            InputError: where the checkpoint is of another system or of other hyper-parameters.
        """
        if "phased_training" not in checkpoint:
            raise InputError("the checkpoint was not written by a system of this project: it counts no batches")
        if self.strict_loading:
            path, judges = None, False
            with suppress(RuntimeError):  # there is no trainer where a checkpoint is loaded from Python
                path, judges = (
                    self.trainer.ckpt_path,
                    self.trainer.state.fn in (TrainerFn.TESTING, TrainerFn.PREDICTING),
                )
            check_system(checkpoint["phased_training"].get("system"), type(self), path)
            check_fits(checkpoint, self.state_dict(), self.hparams, path)
            if judges:
                check_same(checkpoint, type(self), self.hparams, path)
        self.batches_seen = checkpoint["phased_training"]["batches_seen"]
        self.windows_seen = checkpoint["phased_training"]["windows_seen"]
        self._latest = checkpoint["phased_training"].get("latest", {})  # older ones have none
        if self.average is not None and "weight_average" in checkpoint:
            self.average.load_state_dict(checkpoint["weight_average"])

"""At which validations something is shown."""

from typing import Any

from lightning.pytorch import Callback, Trainer
from lightning.pytorch.trainer.states import TrainerFn


class Cadence(Callback):
    """Base of callbacks that show something at the first validation and every ``every_n_validations``-th after it.

    What was counted is in the checkpoint, so that a resumed run shows what an uninterrupted one does. ``validate``
    always shows: it is asked for. ``fast_dev_run`` never does: it leaves no files.
    """

    every_n_validations: int
    _validations = 0

    def is_due(self, trainer: Trainer) -> bool:
        """Count one more validation, and tell whether it is shown."""
        if trainer.fast_dev_run:  # type: ignore[attr-defined]  # set without a type
            return False
        if trainer.state.fn != TrainerFn.FITTING:
            return True
        self._validations += 1
        return (self._validations - 1) % self.every_n_validations == 0

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run goes on with."""
        return {"validations": self._validations}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` gave."""
        self._validations = state_dict["validations"]

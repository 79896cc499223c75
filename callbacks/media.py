"""The base of callbacks that show validations, as files below ``media/`` and on Weights & Biases."""

import re
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, Trainer
from lightning.pytorch.trainer.states import TrainerFn

from callbacks.batches_seen import batches_seen
from callbacks.picture_file import keep_newest
from callbacks.wandb_logger import show
from datamodules.errors import InputError


class MediaCallback(Callback):
    """Shows something at the first validation and every ``every_n_validations``-th after it.

    What was counted is in the checkpoint, so that a resumed run shows what an uninterrupted one does. ``validate``
    always shows: it is asked for. ``fast_dev_run`` never does: it leaves no files.

    Args:
        every_n_validations: 1 shows every validation.
        keep: number of validations whose files stay in the folder; the oldest are removed.
        counts: further numbers of the subclass that must be at least 1, by their names.

    Raises:
        InputError: if a number is below 1.
    """

    def __init__(self, every_n_validations: int, keep: int, **counts: int) -> None:
        for name, value in {**counts, "every_n_validations": every_n_validations, "keep": keep}.items():
            if value < 1:
                raise InputError(
                    f"{type(self).__name__}: {name} is {value}; give at least 1, or leave the callback out."
                )
        self.every_n_validations, self.keep = every_n_validations, keep
        self._validations = 0

    def is_due(self, trainer: Trainer) -> bool:
        """Count one more validation, and tell whether it is shown."""
        if trainer.fast_dev_run:  # type: ignore[attr-defined]  # set without a type
            return False
        if trainer.state.fn != TrainerFn.FITTING:
            return True
        self._validations += 1
        return (self._validations - 1) % self.every_n_validations == 0

    def file(self, trainer: Trainer, kind: str, ending: str) -> Path:
        """Return ``media/<kind>-<batches><ending>`` in the run folder.

        Args:
            trainer: knows the run folder and how many batches the weights have seen.
            kind: for example ``batch``.
            ending: for example ``-samples.png``.
        """
        return Path(trainer.default_root_dir) / "media" / f"{kind}-{batches_seen(trainer):07d}{ending}"

    def publish(self, trainer: Trainer, name: str, file: Path) -> None:
        """Send a written file to Weights & Biases under ``name``, and remove the oldest of its kind."""
        show(trainer, name, file)
        self.remove_oldest(file)

    def remove_oldest(self, file: Path) -> None:
        """Remove the oldest files that differ from ``file`` in the number of batches only."""
        keep_newest(file.parent, re.sub(r"-\d{7,}", "-*", file.name, count=1), self.keep)

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run goes on with."""
        return {"validations": self._validations}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` gave."""
        self._validations = state_dict["validations"]

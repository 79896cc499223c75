"""``fit`` up to its first batch: the same command line, checks, data and cache, and nothing is trained or kept."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from datamodules.errors import InputError
from datamodules.testable import can_test
from fulgurite.launch import Place
from fulgurite.private_api import OpenLightningCLI
from fulgurite.train import CommandLine
from fulgurite.trainer_limits import check_trainer

QUIET = {
    "trainer.devices": "1",
    "trainer.num_nodes": "1",
    "trainer.enable_progress_bar": "false",
    "trainer.enable_model_summary": "false",
    "wandb.mode": "disabled",
}
"""What a rehearsal does otherwise than the training: in one process, and it shows and sends nothing."""


class Ready(BaseException):
    """The first batch is about to be trained on; no handler of errors may stop it."""


class StopAtFirstBatch(Callback):
    """Ends a training where its first batch begins.

    Attributes:
        batch: that one.
        loader: what hands out the batches.
    """

    batch: Any = None
    loader: Any = None

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Keep the batch and end."""
        self.batch, self.loader = batch, trainer.train_dataloader
        raise Ready


class Rehearsal(CommandLine):
    """The command line of ``fit``, stopped at its first batch.

    Args:
        words: Of ``fit``, behind the verb.
        folder: Where the files of the run go that never is.

    Attributes:
        batch: the first one to train on.
        train_loader: what hands out such batches.
        can_test: whether there is anything to test on; its data are open too.

    Raises:
        InputError: Where ``fit`` or ``test`` would.
    """

    def __init__(self, words: Sequence[str], folder: Path) -> None:
        self._folder = folder
        self.batch: Any = None
        self.train_loader: Any = None
        self.can_test = False
        own = [word for key, value in QUIET.items() for word in (f"--{key}", value)]
        super().__init__(["fit", *words, *own])

    def before_instantiate_classes(self) -> None:
        """Take the folder in the place of a run's, which could be made."""
        settings = self.config["fit"]
        check_trainer(settings.trainer)
        root = Path(settings.run.root).absolute()
        there = next(place for place in (root, *root.parents) if place.exists())
        if not (there.is_dir() and os.access(there, os.W_OK | os.X_OK)):
            raise InputError(f"run.root: no folder can be made in {there}. Choose another --run.root")
        self.saved = settings.clone()
        self.place = Place(self._folder)
        settings.trainer.default_root_dir = str(self._folder)

    def run_verb(self) -> None:
        """Open the data of a training, and those of a test after it."""
        stop = StopAtFirstBatch()
        self.trainer.callbacks.append(stop)  # type: ignore[attr-defined]  # set without a type
        try:
            OpenLightningCLI.run_verb(self)
        except Ready:
            self.batch, self.train_loader = stop.batch, stop.loader
        data = self.datamodule
        self.can_test = can_test(data)
        if self.can_test:
            data.setup("test")
            data.test_dataloader()

"""What the command itself writes into the run folder, and what it says about it."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_warn

from callbacks.checkpoints import save_last
from callbacks.metrics_csv import MetricsCsv
from callbacks.results import ABOUT, FOLDER, about_run, write_record
from callbacks.source_folder import source_folder, source_label
from callbacks.training_record import TrainingRecord
from datamodules.atomic_file import DRAFT, remove_stale, write_text
from datamodules.protocols import HasResultsFolder
from fulgurite.endings import after_fit
from fulgurite.run_lock import RunLock
from fulgurite.run_names import BEST
from fulgurite.run_option import KEPT
from fulgurite.runs import CHECKPOINTS, CONFIG, renew_latest


class RunFolder(Callback):
    """Save the configuration when training begins, let ``latest`` lead to the run, name the folder at the end.

    A test whose results no callback writes leaves ``results/<source>/about.json``, so that it is known to be over.
    All of it happens on rank 0.

    Args:
        run: The run folder.
        config: Returns the resolved configuration as YAML.
        lock: What this process holds of the folder while it trains.
        table: ``metrics.csv``, of which a checkpoint keeps how far it has come.
        command: The words that were typed.
        training: What is known of the training at its end.
    """

    def __init__(
        self,
        run: Path,
        config: Callable[[], str],
        lock: RunLock | None = None,
        table: MetricsCsv | None = None,
        command: Sequence[str] = (),
        training: TrainingRecord | None = None,
    ) -> None:
        self.run, self.command = run, command
        self._training = training
        self._resolved, self._lock, self._table = config, lock, table
        self._config = ""
        self._can_be_used = False  # as far as has been looked

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return {"rows": self._table.rows} if self._table else {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Let the table go on behind the rows that it had."""
        if self._table:
            self._table.known_rows = state_dict.get("rows")

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Let the checkpoint hold its configuration, so that it can be used without its folder."""
        checkpoint[KEPT] = self._config

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write ``config.yaml``; data and model have been set up, so that the run is worth a folder."""
        if trainer.is_global_zero:
            for folder in {draft.parent for draft in self.run.rglob(f"{DRAFT}*")}:  # of a process that was killed
                remove_stale(folder)
            self._begin()

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Say so where somebody has deleted the folder, and begin it again: what is learned is still there.

        As soon as the run has its first best weights ``latest`` leads to it.
        """
        self._was_deleted(trainer)
        if trainer.is_global_zero and not self._can_be_used and (self.run / CHECKPOINTS / BEST).is_file():
            self._can_be_used = True
            renew_latest(self.run.parent)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the weights once more where the folder was deleted after its last checkpoint: they are still there."""
        if trainer.strategy.broadcast(self._was_deleted(trainer)):
            save_last(trainer)

    def _was_deleted(self, trainer: Trainer) -> bool:
        if not trainer.is_global_zero or (self.run / CONFIG).exists():
            return False
        rank_zero_warn(
            f"{self.run} was deleted while it was being trained. The training goes on; what was in the folder "
            "until now is lost."
        )
        self._begin()
        if self._lock:
            self._lock.release()
            self._lock.acquire()
        return True

    def _begin(self) -> None:
        self._config = self._resolved()
        write_text(self.run / CONFIG, self._config)
        self._can_be_used = False
        renew_latest(self.run.parent)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Say what came of the training, name the folder and the next command."""
        if trainer.is_global_zero and self._training:
            print(*after_fit(self._training.record, self.run), sep="\n", flush=True)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave a word of the test where no callback has written its results, and name the folder."""
        callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]  # set without a type
        written = any(one.results_folder for one in callbacks if isinstance(one, HasResultsFolder))
        if trainer.is_global_zero and not written:
            about = about_run(trainer, pl_module)
            name = source_label(trainer.datamodule)  # type: ignore[attr-defined]  # set without a type
            write_record(source_folder(self.run / FOLDER, name, about, ABOUT) / ABOUT, about)
        self._name(trainer)

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Name the folder."""
        self._name(trainer)

    def _name(self, trainer: Trainer) -> None:
        if trainer.is_global_zero:
            print(f"Run folder: {os.path.relpath(self.run)}", flush=True)

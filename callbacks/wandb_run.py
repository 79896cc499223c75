"""The run on Weights & Biases: offline unless the user has logged in, one x-axis, continued when resumed.

A server that does not answer, or answers nonsense, stops no training: the run goes on offline, and says so.
"""

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeGuard

import wandb
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import Logger, WandbLogger
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities import rank_zero_warn

from callbacks.batches_seen import batches_seen
from callbacks.wandb_carried import best_of_all, configuration, define_best, upload
from callbacks.wandb_logger import AXIS, GONE, NOT_TAKEN, BatchesLogger, said
from callbacks.wandb_mode import QUIET, Mode, wandb_mode
from callbacks.wandb_throughput import Throughput
from datamodules.atomic_file import write_text
from datamodules.errors import InputError
from datamodules.private_api import log_over, writes_log

IDENTITY = "wandb_run.json"
"""File of a run folder: ``project`` and ``id`` of its run, ``job_type`` (the verb that began it), and ``trainings``,
the folders below ``wandb/`` that its trainings have written, the oldest first."""
DATA_DIR = "WANDB_DATA_DIR"
_REMEDY = "Allow writing there, free some space, or give --wandb.mode disabled"
PATIENCE = {"WANDB_INIT_TIMEOUT": "20", "WANDB_FINISH_TIMEOUT": "60"}
"""Seconds in which a server has to answer at the beginning, and to take what is left at the end; W&B would wait for 90
seconds and for ever. Where a user has set the variables himself, those count."""


class WandbRun(Callback):
    """Adds Weights & Biases to the trainer's loggers; everything is drawn over the number of batches.

    It is a callback and not a logger since only the trainer knows the run folder, in which the run is kept: its data
    below ``wandb/``, its number in ``wandb_run.json``, so that a resumed training and the test of a run go on in the
    same one. A training begins it when its data are there, every other verb with the first thing it has to say: one
    that is broken off before leaves nothing. Offline, nothing contacts the network; ``lightning dashboard`` shows the
    run in a terminal, ``wandb sync`` uploads it later. A ``WandbLogger`` that the user has put among
    ``trainer.logger`` takes its place.

    The run carries the resolved ``config.yaml`` and what it was made of (``callbacks/wandb_carried.py``), the
    experiment as its group and the verb that began it as its job type; its summary has the best of what validations log
    and not the last. Online the best weights and the results of a test are kept as artifacts. All other loggers, too,
    lay what they are given at the batches that the weights have seen.

    Args:
        project: name of the project on Weights & Biases.
        mode: ``auto`` is online for a user who has logged in (a key in ``WANDB_API_KEY`` or ``~/.netrc``) and
            offline otherwise; ``WANDB_MODE``, ``wandb offline`` and ``wandb disabled`` decide where they are used.
        entity: user or team; None for the user's own.
        tags: words to find the run by.
        artifacts: whether an online run keeps the best weights of a training and the results of a test.
    """

    def __init__(
        self,
        project: str = "fulgurite",
        mode: Mode = "auto",
        entity: str | None = None,
        tags: list[str] | None = None,
        artifacts: bool = True,
    ) -> None:
        if mode == "online":
            wandb_mode(mode)  # refused here, before anything is decoded
        self.project, self.mode, self.entity, self.tags = project, mode, entity, tags
        self.artifacts = artifacts
        self._logger: BatchesLogger | None = None
        self._verb = TrainerFn.FITTING.value
        self._throughput = Throughput()
        self._data_dir: str | None = None

    def open_own_loggers(self, trainer: Trainer) -> None:
        """Open a ``WandbLogger`` of the user's own as the run would be: before Lightning does, which would wait."""
        own = [logger for logger in trainer.loggers if _is_own(logger)]
        if not own:
            return
        if self.mode in QUIET:
            os.environ["WANDB_MODE"] = self.mode
        _prepare(offline=True)
        for logger in own:
            try:
                _ = logger.experiment
            except GONE as error:
                _give_up(error)
                os.environ["WANDB_MODE"] = "offline"
                _ = logger.experiment

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Open the run, or let it be opened by the first thing that is logged."""
        log_over(trainer, lambda: batches_seen(trainer))
        if stage == "predict" or trainer.fast_dev_run or any(map(_is_own, trainer.loggers)):  # type: ignore[attr-defined]
            return
        mode = wandb_mode(self.mode)
        if mode == "disabled":
            return
        others = [logger for logger in trainer.loggers if logger is not self._logger]
        folder, self._verb = Path(trainer.default_root_dir), TrainerFn(stage).value

        def begin() -> Any:
            run = self._open(folder, mode)
            run.config.update(configuration(trainer, self._verb), allow_val_change=True)
            return run

        if not trainer.is_global_zero:
            self._logger = BatchesLogger(project=self.project)
        elif stage == TrainerFn.FITTING:
            self._logger = BatchesLogger(project=self.project, experiment=self._open(folder, mode))
        else:
            check_writable(folder)  # now, and not after a long test
            self._logger = BatchesLogger(begin, project=self.project)
        trainer.loggers = [*others, self._logger]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note what the run is made of, and which of its metrics are better the higher, or the lower."""
        if self._logger and trainer.is_global_zero:
            self._logger.note(configuration(trainer, self._verb))
            self._logger.send(lambda run: define_best(trainer, run))
            self._throughput = Throughput()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Log how fast it goes, at the rhythm of the log."""
        if self._logger and trainer.is_global_zero and writes_log(trainer):
            self._logger.log_metrics(self._throughput.latest(trainer), step=batches_seen(trainer))

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Send what the verb has left in the run folder, and close the run."""
        logger = self._logger
        if not logger or not logger.has_begun or not trainer.is_global_zero:
            return
        if stage == TrainerFn.FITTING:
            logger.send(lambda run: run.summary.update(best_of_all(trainer)))
        if not logger.gone:
            if self.artifacts and logger.answers:
                self._upload(trainer, logger.experiment, stage)
            self._close(logger.experiment)

    def _upload(self, trainer: Trainer, run: Any, stage: str) -> None:
        try:
            upload(trainer, run, stage)
        except NOT_TAKEN as error:
            folder = trainer.default_root_dir
            rank_zero_warn(
                f"W&B has not kept the files of this run as an artifact ({said(error)}); they are in {folder}."
            )

    def _close(self, run: Any) -> None:
        try:
            run.finish()
        except (TimeoutError, *GONE) as error:
            late = f"within {run.settings.finish_timeout:g} seconds"
            why = late if isinstance(error, TimeoutError) else said(error)
            rank_zero_warn(
                f"W&B has not taken everything at the end ({why}); `wandb sync {run.settings.sync_dir}` uploads it."
            )

    def _open(self, folder: Path, mode: str) -> Any:
        identity = folder / IDENTITY
        new = {"project": self.project, "id": secrets.token_hex(4), "job_type": self._verb, "trainings": []}
        known = json.loads(identity.read_text()) if identity.is_file() else new
        if known["project"] != self.project:
            rank_zero_warn(
                f"this run goes on in its project {known['project']}: wandb.project = {self.project} is for new runs"
            )
        try:
            run = self._begin(folder, known, mode)
        except GONE as error:
            if mode == "offline":
                raise
            _give_up(error)
            run = self._begin(folder, known, "offline")
        if os.environ.get("WANDB_SWEEP_ID"):  # its agent has a number and a project of its own for the run
            known |= {"id": run.id, "project": run.project or known["project"]}
        run.define_metric(AXIS, hidden=True)
        run.define_metric("*", step_metric=AXIS)
        if self._verb == TrainerFn.FITTING:
            known["trainings"] = [*known.get("trainings", []), Path(run.settings.sync_dir).name]
        write_text(identity, json.dumps(known) + "\n")
        return run

    def _begin(self, folder: Path, known: Mapping[str, Any], mode: str) -> Any:
        _prepare(offline=mode == "offline")
        if os.environ.get(DATA_DIR) in (None, self._data_dir):
            # the pictures in tables wait here to be uploaded; W&B would leave them in the user's home
            os.environ[DATA_DIR] = self._data_dir = str(folder / "wandb")
        return _init(
            folder,
            project=known["project"],
            id=known["id"],
            entity=self.entity,
            name="/".join(folder.parts[-2:]),
            group=folder.parent.name,
            job_type=known.get("job_type", TrainerFn.FITTING.value),  # older ones do not say; they began with fit
            tags=self.tags,
            mode=mode,
            resume="allow",
            settings=wandb.Settings(
                silent=True, console="off", disable_code=True, disable_git=True, finish_timeout_raises=True
            ),
        )


def _init(folder: Path, **given: Any) -> Any:
    """Begin a run that is kept in a folder; W&B itself takes a temporary one where it may not write there."""
    check_writable(folder)
    try:
        return wandb.init(dir=folder, **given)
    except ConnectionError:  # an OSError of the server
        raise
    except OSError as problem:
        why = problem.strerror or str(problem)
        raise InputError(f"{folder / 'wandb'} cannot be written: {why}. {_REMEDY}") from problem


def check_writable(folder: Path) -> None:
    """Refuse a folder that a run cannot be kept in.

    Raises:
        InputError: if it cannot be written.
    """
    if not os.access(folder, os.W_OK | os.R_OK):
        raise InputError(f"{folder} cannot be written. {_REMEDY}")


def _is_own(logger: Logger) -> TypeGuard[WandbLogger]:
    """Whether a logger is the user's own on Weights & Biases."""
    return isinstance(logger, WandbLogger) and not isinstance(logger, BatchesLogger)


def _prepare(offline: bool) -> None:
    for name, seconds in PATIENCE.items():
        os.environ.setdefault(name, seconds)
    if offline:
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # even a crash report is a connection


def _give_up(error: BaseException) -> None:
    wandb.teardown()  # it holds on to the run that it could not begin, and would not begin another of its number
    rank_zero_warn(
        f"W&B cannot be used ({said(error)}). The run goes on offline; upload it later with `wandb sync`, or give "
        "--wandb.mode offline to begin so at once."
    )

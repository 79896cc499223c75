"""The run on Weights & Biases: offline unless the user has logged in, one x-axis, continued when resumed.

A server that does not answer, or answers nonsense, stops no training: the run goes on offline, and says so.
"""

import json
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeGuard

import wandb
import yaml
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import Logger, WandbLogger
from lightning.pytorch.utilities import rank_zero_only, rank_zero_warn
from wandb.sdk.mailbox import HandleAbandonedError

from callbacks.batches_seen import batches_seen
from callbacks.wandb_mode import QUIET, Mode, wandb_mode
from datamodules.atomic_file import write_text
from datamodules.errors import InputError

AXIS = "batches"
PATIENCE = {"WANDB_INIT_TIMEOUT": "20", "WANDB_FINISH_TIMEOUT": "60"}
"""Seconds in which a server has to answer at the beginning, and to take what is left at the end; W&B would wait for 90
seconds and for ever. Where a user has set the variables himself, those count."""

GONE = (wandb.Error, HandleAbandonedError, ConnectionError)
"""What W&B raises where its server says no, and where its own process beside this one has ended."""


class WandbRun(Callback):
    """Adds Weights & Biases to the trainer's loggers; everything is drawn over the number of batches.

    It is a callback and not a logger since only the trainer knows the run folder, in which the run is kept:
    its data below ``wandb/``, its number in ``wandb_run.json``, so that a resumed run continues the same
    one. The resolved ``config.yaml`` of the run folder becomes the run's configuration. Offline, nothing
    contacts the network; ``wandb leet <folder>`` shows the run in a terminal, ``wandb sync <folder>``
    uploads it later. A ``WandbLogger`` that the user has put among ``trainer.logger`` takes its place.

    Args:
        project: name of the project on Weights & Biases.
        mode: ``auto`` is online for a user who has logged in (a key in ``WANDB_API_KEY`` or ``~/.netrc``) and
            offline otherwise; ``WANDB_MODE``, ``wandb offline`` and ``wandb disabled`` decide where they are used.
        entity: user or team; None for the user's own.
        tags: words to find the run by.
    """

    def __init__(
        self,
        project: str = "fulgurite",
        mode: Mode = "auto",
        entity: str | None = None,
        tags: list[str] | None = None,
    ) -> None:
        if mode == "online":
            wandb_mode(mode)  # refused here, before anything is decoded
        self.project, self.mode, self.entity, self.tags = project, mode, entity, tags
        self._logger: BatchesLogger | None = None

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
        """Open the run."""
        if stage == "predict" or trainer.fast_dev_run or any(map(_is_own, trainer.loggers)):  # type: ignore[attr-defined]
            return
        mode = wandb_mode(self.mode)
        if mode == "disabled":
            return
        others = [logger for logger in trainer.loggers if logger is not self._logger]
        run = self._open(Path(trainer.default_root_dir), mode) if trainer.is_global_zero else None
        self._logger = BatchesLogger(project=self.project, experiment=run)
        trainer.loggers = [*others, self._logger]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note the resolved configuration."""
        config = Path(trainer.default_root_dir) / "config.yaml"
        if self._logger and trainer.is_global_zero and config.is_file():
            self._logger.note(yaml.safe_load(config.read_text()))

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Close the run."""
        if self._logger and not self._logger.gone and trainer.is_global_zero:
            run = self._logger.experiment
            try:
                run.finish()
            except (TimeoutError, *GONE) as error:
                why = (
                    f"within {run.settings.finish_timeout:g} seconds"
                    if isinstance(error, TimeoutError)
                    else _said(error)
                )
                rank_zero_warn(
                    f"W&B has not taken everything at the end ({why}); `wandb sync {run.settings.sync_dir}` uploads it."
                )

    def _open(self, folder: Path, mode: str) -> Any:
        identity = folder / "wandb_run.json"
        if not identity.is_file():
            write_text(identity, json.dumps({"project": self.project, "id": secrets.token_hex(4)}) + "\n")
        known = json.loads(identity.read_text())
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
        run.define_metric(AXIS, hidden=True)
        run.define_metric("*", step_metric=AXIS)
        return run

    def _begin(self, folder: Path, known: Mapping[str, str], mode: str) -> Any:
        _prepare(offline=mode == "offline")
        return _init(
            folder,
            project=known["project"],
            id=known["id"],
            entity=self.entity,
            name="/".join(folder.parts[-2:]),
            tags=self.tags,
            mode=mode,
            resume="allow",
            settings=wandb.Settings(
                silent=True, console="off", disable_code=True, disable_git=True, finish_timeout_raises=True
            ),
        )


def _init(folder: Path, **given: Any) -> Any:
    """Begin a run that is kept in a folder; W&B itself takes a temporary one where it may not write there."""
    remedy = "Allow writing there, free some space, or give --wandb.mode disabled"
    if not os.access(folder, os.W_OK | os.R_OK):
        raise InputError(f"{folder} cannot be written. {remedy}")
    try:
        return wandb.init(dir=folder, **given)
    except ConnectionError:  # an OSError of the server
        raise
    except OSError as problem:
        why = problem.strerror or str(problem)
        raise InputError(f"{folder / 'wandb'} cannot be written: {why}. {remedy}") from problem


class BatchesLogger(WandbLogger):
    """Lightning's logger with ``batches`` as the x-axis, which goes silent where W&B's own process has ended.

    Attributes:
        gone: whether it has.
    """

    gone = False

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Log ``metrics`` at batch ``step``; never with W&B's own step, which drops what comes late."""
        self._send(lambda: self.experiment.log(metrics if step is None else {**metrics, AXIS: step}))

    def note(self, config: Mapping[str, Any]) -> None:
        """Make ``config`` the run's configuration."""
        self._send(lambda: self.experiment.config.update(config, allow_val_change=True))

    def _send(self, send: Callable[[], None]) -> None:
        if self.gone:
            return
        try:
            send()
        except GONE as error:
            self.gone = True
            rank_zero_warn(
                f"W&B's own process beside this one has ended ({_said(error)}), and nothing more is logged there. The "
                "run goes on; metrics.csv in its folder has everything."
            )


def show(trainer: Trainer, name: str, file: Path) -> None:
    """Send a picture (PNG) or a video (MP4) to Weights & Biases where the run has such a logger."""
    step = batches_seen(trainer)
    for logger in trainer.loggers:
        if isinstance(logger, WandbLogger) and trainer.is_global_zero:
            is_video = file.suffix == ".mp4"
            shown = wandb.Video(str(file), format="mp4") if is_video else wandb.Image(str(file), caption=file.stem)
            media: dict[str, Any] = {name: shown}
            logger.log_metrics(media, step=step)


def _is_own(logger: Logger) -> TypeGuard[WandbLogger]:
    """Whether a logger is the user's own on Weights & Biases."""
    return isinstance(logger, WandbLogger) and not isinstance(logger, BatchesLogger)


def _prepare(offline: bool) -> None:
    for name, seconds in PATIENCE.items():
        os.environ.setdefault(name, seconds)
    if offline:
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # even a crash report is a connection


def _said(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__


def _give_up(error: BaseException) -> None:
    wandb.teardown()  # it holds on to the run that it could not begin, and would not begin another of its number
    rank_zero_warn(
        f"W&B cannot be used ({_said(error)}). The run goes on offline; upload it later with `wandb sync`, or give "
        "--wandb.mode offline to begin so at once."
    )

"""The run on Weights & Biases: offline unless the user has logged in, one x-axis, continued when resumed."""

import json
import netrc
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlparse

import wandb
import yaml
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities import rank_zero_only, rank_zero_warn

from callbacks.batches_seen import batches_seen
from datamodules.atomic_file import write_text
from datamodules.errors import InputError

AXIS = "batches"
Mode = Literal["auto", "online", "offline", "disabled"]


class WandbRun(Callback):
    """Adds Weights & Biases to the trainer's loggers; everything is drawn over the number of batches.

    It is a callback and not a logger since only the trainer knows the run folder, in which the run is kept:
    its data below ``wandb/``, its number in ``wandb_run.json``, so that a resumed run continues the same
    one. The resolved ``config.yaml`` of the run folder becomes the run's configuration. Offline, nothing
    contacts the network; ``wandb leet <folder>`` shows the run in a terminal, ``wandb sync <folder>``
    uploads it later.

    Args:
        project: name of the project on Weights & Biases.
        mode: ``auto`` is online for a user who has logged in (a key in ``WANDB_API_KEY`` or ``~/.netrc``) and
            offline otherwise; the variable ``WANDB_MODE`` decides where it is set.
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
        if mode == "online" and not _logged_in():
            raise InputError("mode: online needs a key: run `wandb login`, or give mode: offline.")
        self.project, self.mode, self.entity, self.tags = project, mode, entity, tags
        self._logger: BatchesLogger | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Open the run."""
        mode = _resolve(self.mode)
        if mode == "disabled" or stage == "predict" or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        others = [logger for logger in trainer.loggers if logger is not self._logger]
        run = self._open(Path(trainer.default_root_dir), mode) if trainer.is_global_zero else None
        self._logger = BatchesLogger(project=self.project, experiment=run)
        trainer.loggers = [*others, self._logger]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note the resolved configuration."""
        config = Path(trainer.default_root_dir) / "config.yaml"
        if self._logger and trainer.is_global_zero and config.is_file():
            self._logger.experiment.config.update(yaml.safe_load(config.read_text()), allow_val_change=True)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Close the run."""
        if self._logger and trainer.is_global_zero:
            self._logger.experiment.finish()

    def _open(self, folder: Path, mode: str) -> Any:
        if mode == "offline":
            os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # even a crash report is a connection
        identity = folder / "wandb_run.json"
        if not identity.is_file():
            write_text(identity, json.dumps({"project": self.project, "id": secrets.token_hex(4)}) + "\n")
        known = json.loads(identity.read_text())
        if known["project"] != self.project:
            rank_zero_warn(
                f"this run goes on in its project {known['project']}: wandb.project = {self.project} is for new runs"
            )
        run = _begin(
            folder,
            project=known["project"],
            id=known["id"],
            entity=self.entity,
            name="/".join(folder.parts[-2:]),
            tags=self.tags,
            mode="offline" if mode == "offline" else "online",
            resume="allow",
            settings=wandb.Settings(silent=True, console="off", disable_code=True, disable_git=True),
        )
        run.define_metric(AXIS, hidden=True)
        run.define_metric("*", step_metric=AXIS)
        return run


def _begin(folder: Path, **given: Any) -> Any:
    """Begin a run that is kept in a folder; W&B itself takes a temporary one where it may not write there."""
    remedy = "Allow writing there, free some space, or give --wandb.mode disabled"
    if not os.access(folder, os.W_OK | os.R_OK):
        raise InputError(f"{folder} cannot be written. {remedy}")
    try:
        return wandb.init(dir=folder, **given)
    except OSError as problem:
        why = problem.strerror or str(problem)
        raise InputError(f"{folder / 'wandb'} cannot be written: {why}. {remedy}") from problem


class BatchesLogger(WandbLogger):
    """Lightning's logger with ``batches`` as the x-axis."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Log ``metrics`` at batch ``step``; never with W&B's own step, which drops what comes late."""
        self.experiment.log(metrics if step is None else {**metrics, AXIS: step})


def show(trainer: Trainer, name: str, file: Path) -> None:
    """Send a picture (PNG) or a video (MP4) to Weights & Biases where the run has such a logger."""
    step = batches_seen(trainer)
    for logger in trainer.loggers:
        if isinstance(logger, WandbLogger) and trainer.is_global_zero:
            is_video = file.suffix == ".mp4"
            shown = wandb.Video(str(file), format="mp4") if is_video else wandb.Image(str(file), caption=file.stem)
            media: dict[str, Any] = {name: shown}
            logger.log_metrics(media, step=step)


def _resolve(mode: Mode) -> str:
    if mode != "auto":
        return mode
    return os.environ.get("WANDB_MODE") or ("online" if _logged_in() else "offline")


def _logged_in() -> bool:
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urlparse(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname or ""
    file = Path(os.environ.get("NETRC", Path.home() / ".netrc"))
    try:
        return file.is_file() and netrc.netrc(file).authenticators(host) is not None
    except netrc.NetrcParseError as error:
        raise InputError(f"{file} cannot be read: {error}. Repair it, or give mode: offline.") from error

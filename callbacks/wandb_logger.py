"""What is sent to Weights & Biases: figures, pictures, videos, tables, all over the batches that the weights have seen.

What W&B's own process beside this one cannot take stops no training.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import wandb
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities import rank_zero_only, rank_zero_warn
from wandb.sdk.mailbox import HandleAbandonedError

from callbacks.batches_seen import batches_seen

AXIS = "batches"
GONE = (wandb.Error, HandleAbandonedError, ConnectionError)
"""What W&B raises where its server says no, and where its own process beside this one has ended."""

NOT_TAKEN = (ValueError, TimeoutError, *GONE)
"""What it raises where a server says no, nonsense or nothing to what it has to be asked about."""


class BatchesLogger(WandbLogger):
    """Lightning's logger with ``batches`` as the x-axis, which goes silent where W&B's own process has ended.

    Args:
        begin: begins the run when something is first logged, so that a verb that is broken off before leaves none; None
            where ``experiment`` has begun already, and in processes that log nothing.
        given: arguments of Lightning's logger.

    Attributes:
        gone: whether W&B's own process has ended.
        answers: whether its server has said yes to all that it was asked; each silence takes twenty seconds.
    """

    gone = False
    answers = True

    def __init__(self, begin: Callable[[], Any] | None = None, **given: Any) -> None:
        super().__init__(**given)
        self._begin = begin

    @property
    def has_begun(self) -> bool:
        """Whether there is a run."""
        return self._experiment is not None

    @property
    def experiment(self) -> Any:
        """The run; Lightning asks for it before anything is known to work, and a run that waits is None until then."""
        return self._experiment if self._begin else super().experiment

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Log ``metrics`` at batch ``step``; never with W&B's own step, which drops what comes late."""
        if metrics:
            self.send(lambda run: run.log(metrics if step is None else {**metrics, AXIS: step}))

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the run carries ``config.yaml`` of its folder, which holds them."""

    def note(self, config: Mapping[str, Any]) -> None:
        """Add ``config`` to the run's configuration."""
        self.send(lambda run: run.config.update(config, allow_val_change=True))

    def log_asking(self, metrics: Mapping[str, Any], step: int) -> None:
        """Log what W&B asks its server about first, online; its error does not say that W&B's process has ended."""
        if self.gone or not self.answers:
            return
        try:
            self._begun().log({**metrics, AXIS: step})
        except NOT_TAKEN:
            self.answers = False
            raise

    def _begun(self) -> Any:
        if self._begin and self._experiment is None:
            self._experiment = self._begin()
        return self.experiment

    def send(self, what: Callable[[Any], object]) -> None:
        """Do something with the run, which begins where it has not; nothing any more where W&B's process has ended."""
        if self.gone:
            return
        run = self._begun()
        try:
            what(run)
        except GONE as error:
            self.gone = True
            rank_zero_warn(
                f"W&B's own process beside this one has ended ({said(error)}), and nothing more is logged there. The "
                "run goes on; metrics.csv in its folder has everything."
            )


def show(trainer: Trainer, name: str, file: Path) -> None:
    """Send a picture (PNG) or a video (MP4) to Weights & Biases where the run has such a logger."""
    for logger in wandb_loggers(trainer):
        logger.log_metrics({name: medium(file, caption=file.stem)}, step=batches_seen(trainer))  # type: ignore[dict-item]


def send(trainer: Trainer, name: str, what: Any) -> None:
    """Send an object of W&B, such as a table or a chart, at the batches that the weights have seen.

    Tables are artifacts, for which a server has to answer at once; of one that does not it is told, once.
    """
    for logger in wandb_loggers(trainer):
        log = logger.log_asking if isinstance(logger, BatchesLogger) else logger.log_metrics
        try:
            log({name: what}, step=batches_seen(trainer))
        except NOT_TAKEN as error:
            rank_zero_warn(f"W&B has not taken {name} ({said(error)}). The run goes on without tables and artifacts.")


def wandb_loggers(trainer: Trainer) -> Iterator[WandbLogger]:
    """Yield the loggers of this process that send something to Weights & Biases."""
    if trainer.is_global_zero:
        yield from (logger for logger in trainer.loggers if isinstance(logger, WandbLogger))


def medium(file: Path, caption: str | None = None) -> wandb.Image | wandb.Video:
    """Return W&B's form of a picture (PNG) or a video (MP4, with its sound if it has one)."""
    if file.suffix == ".mp4":
        return wandb.Video(str(file), format="mp4")
    return wandb.Image(str(file), caption=caption)


def said(error: BaseException) -> str:
    """Return what an error of W&B says, in one line."""
    return " ".join(str(error).split())[:300] or type(error).__name__

"""Progress in a terminal: a bar with the epoch, the losses, the speed and the time that is left."""

from collections.abc import Callable
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import RichProgressBar
from lightning.pytorch.callbacks.progress.rich_progress import RichProgressBarTheme
from rich.progress import ProgressColumn, Task
from rich.text import Text

from callbacks.figures import duration
from callbacks.remaining import Remaining, batch_of_fit, batches_of_fit, epoch_of, losses_of, validation_name


class BarProgress(RichProgressBar):
    """Lightning's bar, with epochs counted from 1, the time left of the whole training, and every phase's loss."""

    def __init__(self) -> None:
        super().__init__(refresh_rate=10, theme=RichProgressBarTheme(metrics_format=".4g"))
        self._left = Remaining(float("inf"))
        self._validates, self._says = "validation", ""

    @property
    def validation_description(self) -> str:
        """What the bar of the validation's present loader is called."""
        return self._validates

    @property
    def test_description(self) -> str:
        """What the bar of a test is called."""
        return "test"

    @property
    def predict_description(self) -> str:
        """What the bar of a prediction is called."""
        return "prediction"

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        super().on_train_start(trainer, pl_module)
        self._left = Remaining(batches_of_fit(trainer), batch_of_fit(trainer, trainer.fit_loop.batch_idx))

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Move the bar, and show how long the whole training still takes."""
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
        left = self._left.seconds(batch_of_fit(trainer, batch_idx))
        self._says = "" if left is None else f", {duration(left)} left"

    def on_validation_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Name the bar after what the loader is for."""
        self._validates = validation_name(pl_module, dataloader_idx)
        super().on_validation_batch_start(trainer, pl_module, batch, batch_idx, dataloader_idx)

    def get_metrics(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, Any]:
        """Return every phase's loss and the metrics that are shown."""
        shown = super().get_metrics(trainer, pl_module)
        shown.pop("v_num", None)
        return losses_of(trainer) | shown

    def configure_columns(self, trainer: pl.Trainer) -> list[ProgressColumn]:
        """Return Lightning's columns, with our words for a training's epoch in the first."""
        _, *others = super().configure_columns(trainer)
        return [_Named(lambda name: f"{epoch_of(trainer)}{self._says}" if name.startswith("Epoch") else name), *others]


class _Named(ProgressColumn):
    """What a bar is called: Lightning counts epochs from 0, and where it can be told otherwise is private."""

    def __init__(self, words: Callable[[str], str]) -> None:
        super().__init__()
        self._words = words

    def render(self, task: Task) -> Text:
        """Return the words for a task."""
        return Text(self._words(task.description))

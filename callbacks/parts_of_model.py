"""The parts of a model and their numbers of weights, printed when a training begins."""

from typing import Any

from lightning.pytorch.callbacks import ModelSummary
from rich.console import Console
from rich.table import Table

SHOWN = ("Name", "Type", "Params")


class PartsOfModel(ModelSummary):
    """Lightning's summary without what nobody has measured here: it counts operations of forward passes only."""

    @staticmethod
    def summarize(
        summary_data: list[tuple[str, list[str]]],
        total_parameters: int,
        trainable_parameters: int,
        model_size: float,
        total_training_modes: dict[str, int],
        total_flops: int,
        **summarize_kwargs: Any,
    ) -> None:
        """Print a row a part, and the sums."""
        columns = dict(summary_data)
        table = Table("part", "class")
        table.add_column("weights", justify="right")
        for row in zip(*(columns[name] for name in SHOWN), strict=True):
            table.add_row(*row)
        frozen = total_parameters - trainable_parameters
        table.caption = f"{trainable_parameters:,} weights to train" + (f", {frozen:,} fixed" if frozen else "")
        Console().print(table)

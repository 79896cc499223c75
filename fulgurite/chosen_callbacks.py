"""What becomes of the callbacks of Lightning that a user has chosen: they work, or are refused with what to do."""

from collections.abc import Sequence
from pathlib import Path

from lightning.pytorch import Callback, LightningModule
from lightning.pytorch.callbacks import (
    BackboneFinetuning,
    BatchSizeFinder,
    GradientAccumulationScheduler,
    LearningRateFinder,
    ModelCheckpoint,
    ModelPruning,
    SpikeDetection,
    StochasticWeightAveraging,
    WeightAveraging,
)

from callbacks import checkpoints
from datamodules.errors import InputError
from fulgurite.given import Given

INSTEAD = {
    StochasticWeightAveraging: "set model.ema_decay, e.g. 0.999, which averages the weights",
    WeightAveraging: "set model.ema_decay, e.g. 0.999, which averages the weights",
    LearningRateFinder: "give the rate of each optimizer yourself",
    BatchSizeFinder: "set data.batch_size",
    GradientAccumulationScheduler: "set model.accumulate",
    BackboneFinetuning: "begin with the weights of a checkpoint: --ckpt_path PATH",
    ModelPruning: "set the sizes of the networks",
    SpikeDetection: "remove it; a loss that is not finite ends every training",
}
"""Callbacks made for the loss and the optimizer of Lightning's own loop, and what serves in their place."""

KEY = "trainer.callbacks"


def check_added(given: Given) -> None:
    """Refuse a callback on the command line that would replace all those of the configurations.

    Raises:
        InputError: With what would be lost, and the word that adds instead.
    """
    shipped = [one for one in given.written if one.key == KEY and one.config is not None]
    for option, value, _ in given.options():
        if option == f"--{KEY}" and shipped and value != "null" and not value.startswith("["):
            shown, inner = (f"'{value}'", value) if value.startswith("{") else (value, f"{{class_path: {value}}}")
            names = ", ".join(str(one.value).rpartition(".")[2] for one in shipped)
            raise InputError(
                f"--{KEY} {value}: this would take the place of {names} (in {shipped[-1].config}). To add it write "
                f"--{KEY}+ {shown}; to have no other, --{KEY} '[{inner}]'"
            )


def check_fit_for(model: LightningModule, callbacks: Sequence[Callback]) -> None:
    """Refuse the callbacks that do not work with a model which steps its optimizers itself.

    Raises:
        InputError: Naming the callback and what to do instead.
    """
    for callback in callbacks:
        remedy = next((words for kind, words in INSTEAD.items() if isinstance(callback, kind)), None)
        if remedy and not model.automatic_optimization:
            raise InputError(
                f"{KEY}: {type(callback).__name__} is made for a model with one loss and one optimizer, and "
                f"{type(model).__name__} steps its own; {remedy}"
            )


def refuse_twice(callbacks: Sequence[Callback]) -> None:
    """Refuse two callbacks whose states a checkpoint could not tell apart.

    Raises:
        InputError: Naming them.
    """
    known: dict[str, Callback] = {}
    for callback in callbacks:
        stateful = type(callback).state_dict is not Callback.state_dict
        if stateful and known.setdefault(callback.state_key, callback) is not callback:
            name = type(callback).__name__
            raise InputError(f"{KEY}: {name} stands there twice, and a checkpoint holds the state of one; remove one")


def place_checkpoints(run: Path, callbacks: Sequence[Callback]) -> None:
    """Let a user's own ModelCheckpoint write beside ours, unless it has a folder of its own.

    Raises:
        InputError: If it would write a file that we write.
    """
    for callback in callbacks:
        if isinstance(callback, ModelCheckpoint) and callback.dirpath is None:
            if callback.save_last or callback.filename in ("best", "last"):
                raise InputError(
                    f"{KEY}: ModelCheckpoint would write last.ckpt or best.ckpt, which are always written (see "
                    "checkpoints.*); leave out save_last and give another filename, or a dirpath"
                )
            callback.dirpath = str(run / checkpoints.FOLDER)

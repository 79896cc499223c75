"""A resumed run uses the optimizer settings of the configuration, not those that the checkpoint remembers."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_info

from datamodules.protocols import NamesOptimizers

SCHEDULED = {"lr", "initial_lr", "momentum", "betas", "max_lr", "min_lr", "base_momentum", "max_momentum"}
"""Settings that a schedule changes; all but the learning rate are left to it."""


class WrittenSettingsWin(Callback):
    """Keep the optimizers' settings across the restoring of their state, and say where the two differ.

    Restoring an optimizer brings back its learning rate, weight decay and the rest, so that a changed configuration
    would silently have no effect. Under a schedule the learning rate keeps the factor that the schedule has reached.
    """

    def __init__(self) -> None:
        self._written: list[list[dict[str, Any]]] = []

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note the settings; the optimizers are built, their state is not restored yet."""
        self._written = [
            [{key: value for key, value in group.items() if key != "params"} for group in optimizer.param_groups]
            for optimizer in trainer.optimizers
        ]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Put them back."""
        if trainer.ckpt_path is None:
            return
        for number, (optimizer, written) in enumerate(zip(trainer.optimizers, self._written, strict=True)):
            changes: dict[str, str] = {}  # the same in every group, or nearly
            for group, settings in zip(optimizer.param_groups, written, strict=True):
                changes |= _put_back(group, settings)
            if changes:
                rank_zero_info(f"{_name(pl_module, number)}: {', '.join(sorted(changes.values()))}")
        for config in trainer.lr_scheduler_configs:
            if hasattr(config.scheduler, "base_lrs"):  # ReduceLROnPlateau has none
                groups = config.scheduler.optimizer.param_groups
                config.scheduler.base_lrs = [group["initial_lr"] for group in groups]


def _put_back(group: dict[str, Any], settings: dict[str, Any]) -> dict[str, str]:
    """Give a group of parameters the settings that are written, and return what that changes, by name."""
    restored = dict(group)
    scheduled = SCHEDULED if "initial_lr" in settings else set()
    if scheduled and group["initial_lr"] != settings["initial_lr"]:
        group["lr"] *= settings["initial_lr"] / group["initial_lr"]
        group["initial_lr"] = settings["initial_lr"]
    group.update({key: value for key, value in settings.items() if key not in scheduled})
    written = {("lr" if key == "initial_lr" else key): key for key in settings if key != "lr" or not scheduled}
    return {
        name: f"{name} is {settings[key]} as written, not {restored[key]} as in the checkpoint"
        for name, key in written.items()
        if key in restored and restored[key] != group[key]
    }


def _name(model: LightningModule, number: int) -> str:
    return f"model.{model.optimizer_arguments[number]}" if isinstance(model, NamesOptimizers) else f"optimizer {number}"

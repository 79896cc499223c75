"""A resumed run uses the optimizer settings of the configuration, not those that the checkpoint remembers."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

SCHEDULED = {"lr", "initial_lr", "momentum", "betas", "max_lr", "min_lr", "base_momentum", "max_momentum"}
"""Settings that a schedule changes; all but the learning rate are left to it."""


class WrittenSettingsWin(Callback):
    """Keep the optimizers' settings across the restoring of their state.

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
        for optimizer, written in zip(trainer.optimizers, self._written, strict=True):
            for group, settings in zip(optimizer.param_groups, written, strict=True):
                scheduled = SCHEDULED if "initial_lr" in settings else set()
                if scheduled and group["initial_lr"] != settings["initial_lr"]:
                    group["lr"] *= settings["initial_lr"] / group["initial_lr"]
                    group["initial_lr"] = settings["initial_lr"]
                group.update({key: value for key, value in settings.items() if key not in scheduled})
        for config in trainer.lr_scheduler_configs:
            if hasattr(config.scheduler, "base_lrs"):  # ReduceLROnPlateau has none
                groups = config.scheduler.optimizer.param_groups
                config.scheduler.base_lrs = [group["initial_lr"] for group in groups]

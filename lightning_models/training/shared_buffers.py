"""One set of buffers for all processes: in manual optimization DDP lets them drift apart after the first step."""

from typing import Any

import torch.distributed
from lightning.pytorch import Callback, LightningModule, Trainer


class SharedBuffers(Callback):
    """Gives every process the first one's buffers (BatchNorm's statistics) before validation and before a save.

    A callback and not a hook of the base, which a system could override without knowing.
    """

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Let all processes validate the same model."""
        self._share(pl_module)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Let all processes go on with what a resumed run starts from."""
        self._share(pl_module)

    def _share(self, system: LightningModule) -> None:
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            for buffer in system.buffers():
                torch.distributed.broadcast(buffer, src=0)

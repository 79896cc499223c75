"""A trained model in the place of another one, whose prediction is what somebody else wants of it."""

from collections.abc import Sequence
from typing import Any

from lightning.pytorch import Callback, LightningModule


class WrappedModel(LightningModule):
    """Base of what stands for a trained model.

    Lightning's own loop then loads its checkpoint, puts averaged weights in place, moves and casts it as configured.

    Args:
        model: The model.
    """

    def __init__(self, model: LightningModule) -> None:
        super().__init__()
        self.model = model

    def setup(self, stage: str) -> None:
        """Let the model set itself up."""
        self.model.setup(stage)

    def configure_callbacks(self) -> Sequence[Callback] | Callback:
        """Return the model's own, such as the one that puts averaged weights in place."""
        return self.model.configure_callbacks()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Let the model read what it wants; forget the callbacks of the training, which have nothing to do here."""
        self.model.on_load_checkpoint(checkpoint)
        checkpoint.pop("callbacks", None)

    def load_state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """Load the weights of the model."""
        return self.model.load_state_dict(*args, **kwargs)

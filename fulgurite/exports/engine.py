"""``lightning predict --engine onnx``: exported files compute what a prediction is made of, in place of the network."""

from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from datamodules.errors import InputError, refuse_several
from datamodules.protocols import Deploys
from fulgurite.exports.about import fingerprint
from fulgurite.exports.files import Opened, of_graph, open_onnx, place, refuse_missing
from lightning_models.deployment import Deployment


class OnnxEngine(Callback):
    """Runs the files that ``lightning export`` has left in a run folder, while its model is asked to predict.

    Args:
        run: the run folder.
    """

    def __init__(self, run: Path) -> None:
        refuse_missing("--engine onnx")
        self._run = run

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Open the files, and let them answer instead of the model.

        Raises:
            InputError: if there are none, they are of other weights, or the trainer asks for what they cannot do.
        """
        if not isinstance(pl_module, Deploys):
            raise InputError(f"--engine onnx: {type(pl_module).__name__} cannot be exported; leave it out")
        refuse_several(trainer.world_size, "--engine onnx works")
        if pl_module.device.type != "cpu" or trainer.precision != "32-true":
            raise InputError(
                f"--engine onnx computes on the processor in float32, and trainer.precision is {trainer.precision} on "
                f"{pl_module.device.type}: give --trainer.accelerator cpu --trainer.precision 32-true"
            )
        deployment: Deployment[Any, Any] = pl_module.deployed()
        of_checkpoint = fingerprint(Path(str(trainer.ckpt_path)))
        files = {name: self._opened(deployment.system, name, of_checkpoint) for name in deployment.graphs}

        def predict_step(batch: Any, batch_idx: int, dataloader_idx: int = 0) -> Any:
            return deployment.answer(batch, lambda name, inputs: files[name].run(inputs))

        setattr(pl_module, "predict_step", predict_step)  # noqa: B010  # Lightning asks for it by this name

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Let the model answer by itself again."""
        del pl_module.predict_step

    def _opened(self, system: str, graph: str, of_checkpoint: str) -> Opened:
        path = of_graph(place(self._run, system, "onnx"), graph)
        remedy = f"write it by lightning export {self._run}"
        if not path.is_file():
            raise InputError(f"--engine onnx: there is no {path}; {remedy}")
        opened = open_onnx(path)
        if opened.about.get("checkpoint_fingerprint") != of_checkpoint:
            raise InputError(f"--engine onnx: {path} is of another checkpoint than the one given; {remedy}")
        return opened

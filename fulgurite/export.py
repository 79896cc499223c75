"""The verb export: a trained system as files that run without this project.

lightning export --run runs/vta_gan
lightning export runs/vta_gan --format torch_export --out street.pt2
"""

import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

from lightning.pytorch import LightningDataModule, LightningModule, Trainer

from callbacks.text import printable
from datamodules.errors import InputError
from datamodules.protocols import Deploys
from fulgurite.errors import readable_errors
from fulgurite.exports.difference import TOLERANCE
from fulgurite.exports.files import SUFFIXES, Format, of_graph, place, refuse_missing
from fulgurite.exports.writing import Written, write
from fulgurite.pages.page import bytes_text
from fulgurite.quiet import keep_quiet
from fulgurite.train import CommandLine
from fulgurite.wrapped_model import WrappedModel

BATCHES = 2  # of real data, on which what was exported is compared with the network
DECIDED = {
    "accelerator": "cpu",
    "precision": "32-true",
    "devices": 1,
    "num_nodes": 1,
    "strategy": "auto",
    "inference_mode": False,
}
"""Settings of the trainer that are not asked for here: graphs are captured on the processor, in float32."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run ``export``; see :func:`fulgurite.cli.main`."""
    keep_quiet()
    with readable_errors():
        ExportCommand(None if argv is None else list(argv))


class Exporter(WrappedModel):
    """A trained model whose prediction on the first batches is its export.

    Args:
        model: The model; it can be exported.
        data: What it learned from.
        kind: Format of the files.
        out: The file; None: by the system's name in the run folder.
        tolerance: Largest difference with which a file is kept.

    Raises:
        InputError: If it cannot.
    """

    def __init__(
        self, model: LightningModule, data: LightningDataModule | None, kind: Format, out: Path | None, tolerance: float
    ) -> None:
        super().__init__(model)
        if not isinstance(model, Deploys):
            raise InputError(
                f"model: {type(model).__name__} cannot be exported; a model that can has a method deployed, see "
                "docs/export.md"
            )
        self.data, self.kind, self.out, self.tolerance = data, kind, out, tolerance
        self.batches: list[Any] = []
        self.written = Written([], {})

    def on_predict_start(self) -> None:
        """Let the model refuse what cannot be used, such as a score that was never calibrated."""
        self.model.on_predict_start()

    def predict_step(self, batch: Any, batch_idx: int) -> Any:
        """Note a real batch."""
        self.batches.append(batch)
        return batch  # Lightning warns of a prediction that is nothing

    def on_predict_epoch_end(self) -> None:
        """Write the files, while averaged weights are in place."""
        checkpoint = self.trainer.ckpt_path
        assert checkpoint is not None
        where = Path(checkpoint)
        self.written = write(self.model, self.data, self.batches, where, self.kind, self._path, self.tolerance)

    def _path(self, system: str, graph: str) -> Path:
        """Return the file of a graph."""
        return of_graph(self.out or place(Path(self.trainer.default_root_dir), system, self.kind), graph)


class ExportingTrainer(Trainer):
    """Lightning's trainer, which can also export."""

    exporter_kind: ClassVar[type[Exporter]] = Exporter

    def export(
        self,
        model: LightningModule,
        datamodule: LightningDataModule | None = None,
        ckpt_path: str | None = None,
        format: Format = "onnx",
        out: str | None = None,
        tolerance: float = TOLERANCE,
    ) -> None:
        """Write a trained system into files that run without this project, and compare them with it on real data.

        Detectors take bytes and give scores and heat; generators are an encoder and a decoder; of sound the whole net.
        What the files hold and how they are used is in docs/export.md.

        Args:
            model: The model; it can be exported.
            datamodule: The data that it learned from; a few of those held out are what the files are compared on.
            ckpt_path: best, last or the path of a checkpoint.
            format: onnx for onnxruntime and others, or torch_export for torch alone.
            out: File to write; export/SYSTEM.onnx or .pt2 in the run folder when not given.
            tolerance: Largest difference from the network with which a file is kept, absolute up to values of 1 and a
                share of larger ones.

        Raises:
            InputError: If the model cannot be exported, a package is missing, or a file would answer otherwise.
        """
        if not tolerance > 0:
            raise InputError(f"--tolerance {tolerance}: give a number above 0, such as {TOLERANCE:g}")
        if format == "onnx":
            refuse_missing("--format onnx")
        if out is not None and Path(out).suffix != SUFFIXES[format]:
            raise InputError(f"--out {out}: a file of --format {format} ends in {SUFFIXES[format]}")
        exporter = self.exporter_kind(model, datamodule, format, Path(out) if out else None, tolerance)
        self.predict(exporter, _First(_held_out(datamodule)), return_predictions=False, ckpt_path=ckpt_path)
        for path in exporter.written.paths:
            print(f"Export: {printable(os.path.relpath(path))} ({bytes_text(path.stat().st_size)})")
        if exporter.written.differences:
            told = ", ".join(f"{name} {value:.1e}" for name, value in exporter.written.differences.items())
            print(f"Largest difference from the network, of {tolerance:g} that is allowed: {told}", flush=True)


class ExportCommand(CommandLine):
    """The command line of ``export``."""

    trainer_kind: ClassVar[type[Trainer]] = ExportingTrainer

    def subcommands(self) -> dict[str, set[str]]:  # type: ignore[override]  # as in CommandLine
        """Return the verb, with the arguments that are not options."""
        return {"export": {"model", "datamodule"}}

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Build the trainer without the experiment's callbacks, on the processor, in float32."""
        settings = self.built("trainer")
        for key, value in DECIDED.items():
            written = self.given.find(f"trainer.{key}")
            if written and written.config is None and str(written.value) != str(value):
                raise InputError(
                    f"trainer.{key}{written}: changes nothing here, graphs are captured with {value}; leave it out"
                )
            settings[key] = value
        settings["callbacks"] = []
        return super().instantiate_trainer(**kwargs)


class _First:
    """The first batches of a loader, as another one; only a list would be taken for several loaders."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def __iter__(self) -> Iterator[Any]:
        return islice(iter(self._loader), BATCHES)


def _held_out(data: LightningDataModule | None) -> Any:
    """Return the loader of data that were held out from training, the last one where there are several."""
    if data is None:
        raise InputError("data: not given. What is exported is compared with the network on data: give --data.source")
    data.prepare_data()
    data.setup("validate")
    loaders = data.val_dataloader()
    return loaders[-1] if isinstance(loaders, Sequence) else loaders

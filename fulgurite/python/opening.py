"""Opens a run from Python: model and data module are built as the command builds them, and get its weights."""

import json
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import torch
from lightning.pytorch import LightningDataModule, LightningModule
from lightning.pytorch.utilities.seed import isolate_rng

from callbacks import resolve_checkpoint
from callbacks.finite_weights import check_finite_weights
from datamodules.errors import InputError
from datamodules.weights_file import read_checkpoint
from fulgurite.building import build
from fulgurite.errors import of_another_model
from fulgurite.python.inputs import PathLikeText
from fulgurite.python.loaded import Loaded
from fulgurite.python.runner import Runner, chosen_device
from fulgurite.quiet import UNHELPFUL_WARNINGS
from fulgurite.run_option import config_and_weights
from fulgurite.train import CommandLine
from lightning_models.training.hyperparameters import check_same
from lightning_models.training.phases import PhasedModule

ROOT = "runs"
NOT_BUILT = {"callbacks": None, "logger": None, "plugins": None, "profiler": None, "strategy": "auto"}
"""Settings of the trainer that may name classes, which nobody here needs, and what says nothing in their place."""

OTHER_CONFIGURATION = re.compile(
    r"(Build the model that it was made by|Leave it out, or give the configuration of the training): --config .+"
)
"""The remedy of the command for arguments that differ from the training's."""


def load(
    run: PathLikeText,
    *,
    checkpoint: Literal["best", "last"] | None = None,
    device: str | torch.device = "auto",
    trust: str | Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
) -> Loaded:
    """Load a trained model.

    Nothing in a checkpoint is executed, its checksums are looked at first, and weights that are not finite are refused,
    as everywhere. The random numbers of the program are left as they were.

    Args:
        run: A run folder (``runs/vta_gan/latest``), the folder or name of an experiment, whose newest run is meant
            (``runs/vta_gan``, ``vta_gan``), or the file of a checkpoint.
        checkpoint: Which one of a run: ``best``, which is meant by None, or ``last``.
        device: ``cpu``, ``cuda``, ``cuda:1``, ``mps``, or ``auto`` for the best there is.
        trust: Packages of your own whose classes the configuration may name, as ``--trust``; they are imported.
        settings: Settings of the configuration by their dotted keys below ``model`` and ``data``, such as
            ``{"data.eval_stride": 1}``, and ``trainer.precision``. None of what the weights depend on.

    Raises:
        InputError: If there is no such run or checkpoint, it is damaged, or does not fit.
    """
    path = _existing(Path(run).expanduser())
    if checkpoint not in (None, "best", "last"):
        raise InputError(f"checkpoint: is {checkpoint}; give best or last, or the file itself in the place of the run")
    if checkpoint and path.is_file():
        raise InputError(f"checkpoint: is {checkpoint}, and {path} is a checkpoint itself; leave it out")
    place = chosen_device(device)
    packages = [trust] if isinstance(trust, str) else trust
    with _in_the_words_of_python(bool(settings)), _quiet(), isolate_rng():
        config, which = config_and_weights(path, checkpoint or "best", "load")
        weights = which if isinstance(which, Path) else resolve_checkpoint(config.parent, which)
        words = [f"--{key}={_word(key, value)}" for key, value in (settings or {}).items()]
        words += [word for package in packages for word in ("--trust", package)]
        opened = Opened(["predict", "--config", str(config), *words, "--seed_everything", "false"])
        _restore(opened.model, opened.datamodule, weights.resolve())
    return Loaded(Runner(opened.model, place, opened.precision), opened.datamodule, weights)


class Opened(CommandLine):
    """The command line of a run without its trainer: the model and the data module alone are built."""

    def before_instantiate_classes(self) -> None:
        """Leave out what belongs to a trainer, and ask nobody for an account."""
        settings = self.config[str(self.subcommand)]
        self.precision = str(settings.trainer.precision or "32-true")
        for key, nothing in NOT_BUILT.items():
            settings.trainer[key] = nothing
        settings.wandb.mode = "disabled"

    def instantiate_classes(self) -> None:
        """Build model and data module."""
        self.config_init = build(self.parser, self.config, self, self.given)
        self.model: LightningModule = self.built("model")
        self.datamodule: LightningDataModule = self.built("data")

    def run_verb(self) -> None:
        """Run nothing."""


def _restore(model: LightningModule, data: LightningDataModule, path: Path) -> None:
    """Give model and data module what a checkpoint holds, in the order in which a prediction does it.

    Raises:
        InputError: If it is damaged, of another model, or not finite.
    """
    checkpoint = read_checkpoint(path)
    if "state_dict" not in checkpoint:
        raise InputError(f"{path} is no checkpoint: it holds no weights. Use another one")
    model.configure_model()
    model.setup("predict")
    if isinstance(model, PhasedModule):
        model.check_data(data)
    model.on_load_checkpoint(checkpoint)
    if isinstance(model, PhasedModule):
        check_same(checkpoint, type(model), model.hparams, path)
    try:
        model.load_state_dict(checkpoint["state_dict"], strict=model.strict_loading)
    except RuntimeError as problem:
        if said := of_another_model(problem):
            raise InputError(said) from None
        raise
    if state := checkpoint.get(type(data).__qualname__):
        data.load_state_dict(state)
    if isinstance(model, PhasedModule):
        model.take_average()
    check_finite_weights(model, path)


def _existing(path: Path) -> Path:
    """Return the path of a run; a mere name is that of an experiment in ``runs``."""
    named = ROOT / path
    return named if len(path.parts) == 1 and not path.exists() and named.is_dir() else path


def _word(key: str, value: Any) -> str:
    """Return a setting as the command line has it.

    Raises:
        InputError: If it is none that can be chosen here.
    """
    if key == "data.source":
        raise InputError("settings: data.source changes nothing here; hand the source to a method, as score(source)")
    if not key.startswith(("model.", "data.")) and key != "trainer.precision":
        raise InputError(f"settings: {key} cannot be set here; give keys below model or data, or trainer.precision")
    return value if isinstance(value, str) else json.dumps(value)


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave out the warnings that are wrong or of no use, for as long as it is built."""
    with warnings.catch_warnings():
        for message in UNHELPFUL_WARNINGS:
            warnings.filterwarnings("ignore", message=message)
        yield


@contextmanager
def _in_the_words_of_python(has_settings: bool) -> Iterator[None]:
    """Let remedies that name options of the command name arguments of :func:`load` instead."""
    try:
        yield
    except InputError as problem:
        said = re.sub(r"--trust (\w+)", r'trust=["\1"]', str(problem))
        said = re.sub(r"--ckpt_path (best|last)", r'checkpoint="\1"', said)
        if has_settings:  # the configuration is that of the run: nothing else can differ from the training
            said = OTHER_CONFIGURATION.sub("Leave it out of settings", said)
        if said == str(problem):
            raise
        raise InputError(said) from problem

"""What others keep private still is what we take it for, and we use it in two files only."""

import ast
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.loggers import Logger
from lightning.pytorch.strategies import DDPStrategy
from torch.utils.data import DataLoader

from datamodules import private_api

ROOT = Path(__file__).parents[2]
PACKAGES = ("fulgurite", "lightning_models", "callbacks", "datamodules")
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def is_private(name):
    return name.startswith("_") and not name.startswith("__") and name != "_"


def defined(tree):
    """Names that a source gives: of functions, classes, variables, attributes, arguments and buffers."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Attribute | ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.attr if isinstance(node, ast.Attribute) else node.id
        elif (
            isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "register_buffer"
        ):
            yield from (part.value for part in ast.walk(node.args[0]) if isinstance(part, ast.Constant))
        elif isinstance(node, ast.arg):
            yield node.arg


def foreign(tree, own):
    """Private names in a source that are not ours, with their lines."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr) and node.attr not in own:
            yield f"line {node.lineno}: {ast.unparse(node)}"
        elif isinstance(node, ast.keyword) and is_private(node.arg or "") and node.arg not in own:
            yield f"line {node.value.lineno}: {node.arg}"
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] not in PACKAGES:
            names = [*(node.module or "").split("."), *(name.name for name in node.names)]
            yield from (f"line {node.lineno}: {name}" for name in names if is_private(name))


def test_private_names_of_others_stand_nowhere_else():
    files = [path for path in FILES if path.name != "private_api.py"]
    trees = {path.relative_to(ROOT): ast.parse(path.read_text()) for path in files}
    own = {name for tree in trees.values() for name in defined(tree)}
    assert {str(path): names for path, tree in trees.items() if (names := list(foreign(tree, own)))} == {}


@pytest.mark.parametrize(
    "source",
    [
        "trainer._logger_connector",
        "from torch._C import x",
        "from lightning.pytorch.cli import _InstantiatorFn",
        "f(_x=1)",
    ],
)
def test_the_search_finds_them(source):
    assert list(foreign(ast.parse(source), set()))


def test_no_method_takes_the_private_place_of_another():
    """A class of ours that overrides one of theirs would lose its effect when it is renamed there."""
    python = {"_abc_impl", "_is_protocol", "_is_runtime_protocol"}  # set by Python itself
    for package in PACKAGES:
        for module in walk_packages(import_module(package).__path__, f"{package}."):
            if module.name.endswith((".__main__", ".private_api")):
                continue
            for kind in vars(import_module(module.name)).values():
                if isinstance(kind, type) and kind.__module__ == module.name:
                    theirs = [base for base in kind.__mro__ if base.__module__.partition(".")[0] not in PACKAGES]
                    names = {name for name in vars(kind) if is_private(name)} - python
                    assert not [name for name in names for base in theirs if name in vars(base)], kind


class Watched(LightningModule):
    def __init__(self):
        super().__init__()
        self.line, self.written = torch.nn.Linear(1, 1), []

    def training_step(self, batch, batch_idx):
        return self.line(batch).square().mean()

    def on_train_batch_end(self, outputs, batch, batch_idx):
        self.written.append(private_api.writes_log(self.trainer))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def test_writes_log_says_when_lightning_writes(tmp_path):
    model = Watched()
    options = {"enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = Trainer(
        max_epochs=2, log_every_n_steps=3, accelerator="cpu", logger=False, default_root_dir=tmp_path, **options
    )
    trainer.fit(model, DataLoader(torch.zeros(4, 1)))
    assert [number for number, written in enumerate(model.written, 1) if written] == [3, 6]


class Rows(Logger):
    """Keeps what it is given, with where it is to lie."""

    name, version = "rows", ""

    def __init__(self):
        super().__init__()
        self.rows = []

    def log_hyperparams(self, *args, **kwargs):
        pass

    def log_metrics(self, metrics, step=None):
        self.rows.append((step, {**metrics}))


def test_log_over_moves_what_lightning_logs_and_nothing_else(tmp_path):
    logger, seen = Rows(), [10]
    options = {"enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = Trainer(
        max_epochs=1, log_every_n_steps=1, accelerator="cpu", logger=logger, default_root_dir=tmp_path, **options
    )

    class Logs(Watched):
        def training_step(self, batch, batch_idx):
            self.log("loss", 1.0)
            seen[0] += 1
            return super().training_step(batch, batch_idx)

        def validation_step(self, batch, batch_idx):
            self.log_dict({"val": 2.0})

        def on_validation_end(self):
            self.trainer._logger_connector.log_metrics({"own": 3.0}, step=99)

    batches = DataLoader(torch.zeros(2, 1))
    for _ in range(2):  # the second changes nothing more
        private_api.log_over(trainer, lambda: seen[0])
    trainer.fit(Logs(), batches, batches)
    at = [(step, {*row}) for step, row in logger.rows if "own" not in row]
    assert at == [(11, {"loss", "epoch"}), (12, {"loss", "epoch"}), (12, {"val", "epoch"})]
    assert {step for step, row in logger.rows if "own" in row} == {99}
    assert trainer.fit_loop.epoch_loop._batches_that_stepped == 2  # its own count is as it was


def test_ddp_options():
    assert private_api.ddp_options(DDPStrategy(static_graph=True)) == {"static_graph": True}


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_lerp_all(device):
    averages = [torch.arange(4.0, device=device), torch.ones(2, 3, device=device)]
    values = [torch.full((4,), 8.0, device=device), torch.zeros(2, 3, device=device)]
    expected = [torch.lerp(average, value, 0.25) for average, value in zip(averages, values, strict=True)]
    private_api.lerp_all_(averages, values, 0.25)
    for average, wanted in zip(averages, expected, strict=True):
        torch.testing.assert_close(average, wanted)


def test_bundles_of_torchaudio():
    from torchaudio import pipelines

    bundles = [getattr(pipelines, name) for name in pipelines.__all__]
    bundles = [bundle for bundle in bundles if isinstance(bundle, pipelines.Wav2Vec2Bundle)]
    assert bundles
    for bundle in bundles:
        assert private_api.weights_file(bundle).endswith((".pt", ".pth"))
        assert private_api.encoder_width(bundle) in (768, 1024, 1280, 1920)

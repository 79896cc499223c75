"""No argument of a callback is dead: another value changes files, metrics or what is done, or is refused.

``CALLBACKS`` has every public callback, and one other value for each of its arguments; a new argument or callback
fails the test until it is there. What is compared is a whole small run: its files, what it logged and when it saved.
"""

import inspect
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple
from unittest.mock import MagicMock

import numpy as np
import pytest
import torch
import wandb
from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from torch import Tensor
from torch.utils.data import DataLoader

import callbacks
from datamodules.batches import (
    AudioVideoBatch,
    FrameScores,
    GeneratedClips,
    ImageBatch,
    PartBatch,
    PartScores,
    Reconstructions,
    VideoBatch,
)
from datamodules.errors import InputError
from datamodules.sound.sound import SoundVideoWriter

pytestmark = pytest.mark.filterwarnings("ignore")


class Refused(NamedTuple):
    """A value that is refused in the same run, by a message that names the argument."""

    value: Any
    match: str


class Case(NamedTuple):
    """What a callback watches, which verb it is run by, a configuration, and other values."""

    batches: Callable[[], list[Any]]
    verb: str
    small: dict[str, Any]
    others: dict[str, Any]


# --- what is watched ------------------------------------------------------------------------------------------------


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def of_clips() -> list[Any]:
    """Two videos of six frames, a calm and an anomalous window of each."""
    frame = torch.arange(6).view(2, 3).repeat(2, 1)
    label = torch.tensor([[0] * 3, [0, 1, 1]] * 2)
    region = torch.tensor([[0, 0, 16, 24]] * 4)
    return [VideoBatch(noise(4, 3, 3, 16, 24), list("aabb"), frame, label, region, torch.arange(4))]


def of_parts() -> list[Any]:
    return [PartBatch(noise(1, 32, 64, seed=n), f"{n}", "a", ["good", "hole"][n % 2], n % 2, 0, n) for n in range(4)]


def of_pictures() -> list[Any]:
    return [ImageBatch(noise(4, 1, 16, 16), list("abcd"), torch.zeros(4).long(), torch.arange(4))]


def of_sound() -> list[Any]:
    sound, other = torch.rand(2, 2, 1, 4000, generator=torch.Generator().manual_seed(0)) - 0.5
    valid = torch.ones(2, 5, dtype=torch.bool)
    start = torch.zeros(2, dtype=torch.float64)
    return [AudioVideoBatch(sound, noise(2, 5, 3, 16, 16), valid, other, ["a", "b"], start, torch.arange(2))]


LOGGED = {"val/one": [1.0, 2.0, 2.0], "val/other": [0.0, 1.0, 5.0], "val/tie": [3.0, 2.0, 1.0]}
"""Values by epoch; of the first, the last two are equal."""


class Player(LightningModule):
    """Answers batches of any kind by a rule; its weight counts batches, and ``LOGGED`` are its metrics."""

    latent_dim = 2

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.register_buffer("threshold", torch.tensor(0.5))
        self.register_buffer("pixel_threshold", torch.tensor(0.9))
        self.health: dict[str, Tensor] = {}
        self.saved: list[int] = []

    def encode(self, images: Tensor) -> Tensor:
        pixels = images.float().flatten(1) / 255
        return torch.stack([10 * pixels.mean(1) - 5, pixels[:, 0]], 1)

    def decode(self, z: Tensor) -> Tensor:
        return (z[:, :1, None, None] * torch.linspace(0, 1, 16) + z[:, 1:, None, None]).sigmoid().expand(-1, 1, 16, 16)

    def training_step(self, batch, batch_idx):
        sure = self.trainer.fit_loop.epoch_loop.total_batch_idx > 10
        told = {"real": 1.0, "sample": 0.0, "accuracy": 1.0} if sure else {"real": 0.7, "sample": 0.3, "accuracy": 0.9}
        self.health = {name: torch.tensor(value) for name, value in told.items()}
        return self.weight * 1.0

    def validation_step(self, batch, batch_idx):
        match batch:
            case VideoBatch():
                score = batch.frames.float().mean((2, 3, 4)) / 255
                place = batch.video, batch.frame, batch.label, batch.index
                return FrameScores(*place, score, score[..., None, None], batch.region)
            case PartBatch():
                heat, tile = batch.image[0].float() / 255, torch.tensor([[0, 0, 32, 32], [0, 32, 32, 32]])
                score, label = torch.stack([heat[:, :32].mean(), heat[:, 32:].mean()]), torch.full((2,), batch.label)
                part = batch.name, batch.group, batch.defect, batch.label, batch.index
                return PartScores(*part, heat, tile, score, label, score.max())
            case ImageBatch():
                mean = self.encode(batch.images)
                return Reconstructions(batch.name, batch.index, batch.images / 255, self.decode(mean), mean, mean**2)
            case AudioVideoBatch():
                real = batch.frames / 255
                return GeneratedClips(0.1 * real, 0.5 * real, real)

    test_step = predict_step = validation_step

    def on_validation_epoch_end(self):
        self.log_dict({name: values[self.current_epoch] for name, values in LOGGED.items()})

    def on_save_checkpoint(self, checkpoint):
        self.saved.append(self.trainer.fit_loop.epoch_loop.total_batch_idx)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 1.0)


class Data(LightningDataModule):
    source, sample_rate, fps = "/elsewhere/source", 8000, 10.0

    def __init__(self, batches: list[Any], folder: Path) -> None:
        super().__init__()
        self.batches = batches
        count = 5 if batches and isinstance(batches[0], AudioVideoBatch) else 6
        self.predict_sources = [
            SimpleNamespace(name=name, path=folder / f"{name}.mp4", fps=10.0, frames=count, bit_range=None)
            for name in "ab"
        ]
        for source in self.predict_sources:
            with SoundVideoWriter(source.path, 10, (16, 24), 8000) as video:
                for frame in noise(count, 16, 24, 3):
                    video.write(frame.numpy())
                    video.write_sound(np.zeros((1, 800), np.float32))

    def train_dataloader(self):
        return DataLoader(torch.zeros(8, 1))

    def val_dataloader(self):
        return DataLoader(self.batches or [0], batch_size=None)

    test_dataloader = predict_dataloader = val_dataloader


# --- the table ------------------------------------------------------------------------------------------------------

MEDIA = {"every_n_validations": 2, "keep": 1}
CALLBACKS: dict[type[Callback], Case] = {
    callbacks.AdversarialHealth: Case(list, "fit", {"window": 4}, {"judge": "score", "window": 6}),
    callbacks.ClipMetrics: Case(of_clips, "test", {}, {"plots": False, "cases": False}),
    callbacks.SoundMetrics: Case(of_sound, "test", {}, {"cases": False}),
    callbacks.Checkpoints: Case(
        list,
        "fit",
        {"monitor": "val/one"},
        {"monitor": "val/other", "mode": "min", "tie_breaker": "val/tie", "every_n_batches": 3},
    ),
    callbacks.PartMetrics: Case(of_parts, "test", {}, {"plots": False, "cases": False}),
    callbacks.PartPredictions: Case(of_parts, "predict", {}, {"worst": 1}),
    callbacks.ImageMetrics: Case(
        of_pictures,
        "test",
        {},
        {
            "features": Refused(["inception"], "features"),
            "inception_weights": Refused("nowhere.pth", r"inception_weights is nowhere\.pth"),
            "seed": 1,
            "cases": False,
        },
    ),
    callbacks.ImageMedia: Case(
        of_pictures,
        "fit",
        {"samples": 4},
        MEDIA | {"pictures": 1, "samples": 3, "between": ("c", "a"), "seed": 1},
    ),
    callbacks.ClipMedia: Case(of_clips, "fit", {}, MEDIA | {"windows": 1, "fps": 4.0}),
    callbacks.PartMedia: Case(of_parts, "fit", {}, MEDIA | {"pictures": 1}),
    callbacks.ClipPredictions: Case(
        of_clips, "predict", {"release": "100%"}, {"overlay": False, "release": "10%", "shortest": 9.0, "gap": 0.0}
    ),
    callbacks.ImagePredictions: Case(of_pictures, "predict", {}, {"sheet": 1, "scale": 2}),
    callbacks.SoundMedia: Case(of_sound, "fit", {}, MEDIA | {"clips": 1}),
    callbacks.SoundPredictions: Case(of_sound, "predict", {}, {"scale": 2}),
    callbacks.WandbRun: Case(
        list,
        "fit",
        {"mode": "offline"},
        {"project": "other", "mode": "disabled", "entity": "somebody", "tags": ["new"], "artifacts": False},
    ),
}
EVERY = [(kind, name) for kind, case in CALLBACKS.items() for name in case.others]


ASKED = ("project", "entity", "tags", "mode")  # of Weights & Biases

# --- what a run leaves behind ---------------------------------------------------------------------------------------


class Watch(Callback):
    """Keeps what every validation and test has logged."""

    def __init__(self) -> None:
        self.seen: list[dict[str, float]] = []

    def on_validation_end(self, trainer, module):
        self.seen.append({name: float(value) for name, value in trainer.callback_metrics.items()})

    on_test_end = on_validation_end


def content(path: Path) -> Any:
    """Return what of a file comes from the callback's work: not what it says of itself, or of the time."""
    if path.suffix == ".ckpt":
        return float(torch.load(path, weights_only=True)["state_dict"]["weight"])
    if path.name == "adversarial_health.json":
        return {name: found["since_batch"] for name, found in json.loads(path.read_text())["collapsed"].items()}
    return None if path.suffix == ".json" else path.read_bytes()


@pytest.fixture(scope="module")
def traces(tmp_path_factory) -> Callable[..., dict[str, Any]]:
    def trace(kind: type[Callback], **changes: Any) -> dict[str, Any]:
        """Run a callback; return its files, what was logged, when was saved and what Weights & Biases was asked."""
        folder, case, model, watch = tmp_path_factory.mktemp("run"), CALLBACKS[kind], Player(), Watch()
        (folder / "root").mkdir()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TORCH_HOME", str(folder))  # holds no weights
            asked, uploaded = MagicMock(), MagicMock()
            patch.setattr(wandb, "init", asked)
            patch.setattr("callbacks.wandb_run.upload", uploaded)
            callback = kind(**{**case.small, **changes})
            trainer = Trainer(
                accelerator="cpu",
                max_epochs=3,
                num_sanity_val_steps=0,
                log_every_n_steps=1,
                logger=False,
                enable_checkpointing=isinstance(callback, Checkpoint),
                enable_progress_bar=False,
                enable_model_summary=False,
                default_root_dir=folder / "root",
                callbacks=[callback, watch],
            )
            getattr(trainer, case.verb)(model, datamodule=Data(case.batches(), folder))
        written = (path for path in (folder / "root").rglob("*") if path.is_file())
        return {
            "files": {str(path.relative_to(folder)): content(path) for path in written},
            "logged": watch.seen,
            "saved": model.saved,
            "uploaded": uploaded.call_count,
            "asked": [{key: call.kwargs[key] for key in ASKED} for call in asked.call_args_list],
        }

    return trace


@pytest.fixture(scope="module")
def untouched(traces) -> Callable[[type[Callback]], dict[str, Any]]:
    return cache(traces)


def test_the_table_has_every_callback():
    public = (getattr(callbacks, name) for name in callbacks.__all__)
    assert set(CALLBACKS) == {one for one in public if inspect.isclass(one) and issubclass(one, Callback)}


@pytest.mark.parametrize("kind", CALLBACKS)
def test_the_table_has_every_argument(kind):
    assert set(CALLBACKS[kind].others) == set(inspect.signature(kind).parameters)


@pytest.mark.parametrize("kind", dict(EVERY))
def test_the_same_arguments_give_the_same(kind, traces, untouched):
    assert traces(kind) == untouched(kind)


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_another_value_changes_something(kind, name, traces, untouched):
    other = CALLBACKS[kind].others[name]
    if isinstance(other, Refused):
        with pytest.raises(InputError, match=other.match):
            traces(kind, **{name: other.value})
    else:
        assert traces(kind, **{name: other}) != untouched(kind)

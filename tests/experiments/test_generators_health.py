"""The watch over the adversarial game, on short trainings of the settings that ship."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import yaml
from lightning.pytorch import Trainer, seed_everything
from torch.utils.data import DataLoader

from callbacks import AdversarialHealth
from datamodules.batches import ImageBatch
from datamodules.images.shapes import Factors, draw_car
from lightning_models import MotorVAEGAN

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
SIZE, BATCH, BATCHES = 64, 16, 10
GAME = ("discriminator_norm", "adversarial", "reconstruction_share", "sampler", "gate_margin")
FASTER = 10  # times the shipped learning rates: what takes epochs shows within 80 batches


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """The course of a training depends on how its sums are divided."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def cars() -> list[ImageBatch]:
    drawn = []
    for number in range(BATCH * BATCHES):
        car = cv2.cvtColor(draw_car(Factors.draw(np.random.default_rng((2, number)))), cv2.COLOR_RGB2GRAY)
        drawn.append(torch.from_numpy(cv2.resize(car, (SIZE, SIZE), interpolation=cv2.INTER_AREA))[None])
    return [
        ImageBatch(
            images=torch.stack(drawn[first : first + BATCH]),
            name=[f"{number}.png" for number in range(first, first + BATCH)],
            label=torch.zeros(BATCH, dtype=torch.long),
            index=torch.arange(first, first + BATCH),
        )
        for first in range(0, BATCH * BATCHES, BATCH)
    ]


def shipped(*overlays: str) -> dict:
    """The arguments of the model, the later files over the earlier ones."""
    files = ["motor_vae_gan.yaml", *(f"motor_vae_gan/{overlay}.yaml" for overlay in overlays)]
    found: dict = {}
    for file in files:
        given = yaml.safe_load((EXPERIMENTS / file).read_text())["model"]["init_args"]
        found |= given | {"weights": found.get("weights", {}) | given.get("weights", {})}
    return found


def train(folder: Path, cars: list[ImageBatch], settings: dict) -> AdversarialHealth:
    """Train a narrow model by the settings of the game; return what watched it."""

    def optimizer(phase: str):
        given = settings[f"{phase}_optimizer"]["init_args"]
        return lambda parameters: torch.optim.Adam(parameters, **given | {"lr": FASTER * given["lr"]})

    seed_everything(0)
    model = MotorVAEGAN(
        discriminator_optimizer=optimizer("discriminator"),
        generator_optimizer=optimizer("generator"),
        image_size=SIZE,
        width=8,
        latent_dim=16,
        weights={**settings["weights"], "kl": 0.01},
        **{name: settings[name] for name in GAME},
    )
    health = AdversarialHealth(window=20)
    run = Trainer(
        accelerator="cpu",
        max_epochs=8,
        log_every_n_steps=5,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
        callbacks=[health],
    )
    run.fit(model, DataLoader(cars, batch_size=None))
    return health


@pytest.mark.slow
def test_the_original_setting_is_found_saturated(tmp_path, cars):
    with pytest.warns(UserWarning, match="discriminator_saturated"):
        health = train(tmp_path, cars, shipped("original"))
    assert set(health.found) == {"discriminator_saturated"}


def test_the_default_setting_plays_to_the_end(tmp_path, cars):
    health = train(tmp_path, cars, shipped())
    assert health.found == {}
    assert 0.55 < health.means()["accuracy"] < 0.95


def test_a_hinge_discriminator_that_nobody_fools_is_found_to_have_won(tmp_path, cars):
    settings = shipped()
    settings["generator_optimizer"]["init_args"]["lr"] = 0.0
    with pytest.warns(UserWarning, match="discriminator_won"):
        health = train(tmp_path, cars, settings)
    assert set(health.found) == {"discriminator_won"}
    means = health.means()
    assert means["real"] - max(means["reconstruction"], means["sample"]) < 0.8  # spectral norm allows no certainty

"""The two generators of pictures by the real command: training, test, samples, prediction, every overlay; tiny."""

import csv
import json
import shlex
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from fulgurite.cli import main
from tests.experiments import on_wandb

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
SYSTEMS = ("motor_vae_gan", "cnn_param_tanh")
OVERLAYS = [(system, path.stem) for system in SYSTEMS for path in sorted((EXPERIMENTS / system).glob("*.yaml"))]
TINY = shlex.split(
    "--data.image_size 32 --data.batch_size 4 --model.latent_dim 6 --trainer.max_epochs 1 "
    "--trainer.accelerator cpu --trainer.limit_train_batches 5 --trainer.enable_model_summary false "
    "--trainer.check_val_every_n_epoch 1 --trainer.log_every_n_steps 1"
)
UNLOGGED = {
    "motor_vae_gan": {"train/discriminator/r1", "train/generator/feature", "train/health/pseudo"},
    "cnn_param_tanh": {"train/health/objective", "train/health/pseudo"},
}
"""What may be logged and is not with the weights that ship; pseudo-anomalies are those of videos."""
OWN = {
    "motor_vae_gan": ["--model.width", "2"],
    "cnn_param_tanh": ["--model.num_frames", "3", "--model.weights.adversarial", "1.0"],  # a critic from the start
}


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Sixty squares of many sizes and greys."""
    root = tmp_path_factory.mktemp("squares")
    random = np.random.default_rng(0)
    for number in range(60):
        picture = np.full((40, 40, 3), 230, np.uint8)
        edge, (top, left) = random.integers(8, 20), random.integers(0, 20, 2)
        picture[top : top + edge, left : left + edge] = random.integers(0, 200, 3)
        cv2.imwrite(str(root / f"{number:02d}.png"), picture)
    return root


@pytest.fixture
def words(source, tmp_path, monkeypatch):
    """The words behind a verb, for an experiment and its overlays at reduced size."""
    monkeypatch.setenv("WANDB_MODE", "disabled")
    monkeypatch.chdir(tmp_path)

    def compose(system: str, *overlays: str) -> list[str]:
        names = [f"{system}.yaml", *(f"{system}/{overlay}.yaml" for overlay in overlays)]
        configs = [word for name in names for word in ("--config", str(EXPERIMENTS / name))]
        data = ["--data.source", str(source), "--data.cache_dir", str(tmp_path / "cache")]
        return [*configs, *TINY, *OWN[system], *data]

    return compose


def read(path: Path) -> np.ndarray:
    """A picture with the channels that its file has."""
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


def latest(tmp_path: Path, system: str) -> Path:
    return (tmp_path / "runs" / system / "latest").resolve()


@pytest.mark.parametrize("system", SYSTEMS)
def test_fit_test_sample_and_predict(system, words, source, tmp_path, monkeypatch):
    given = words(system)
    monkeypatch.setenv("WANDB_MODE", "offline")
    main(["fit", *given])
    run = latest(tmp_path, system)
    with (run / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    for phase in ("discriminator", "generator"):
        losses = [float(row[f"train/{phase}/total"]) for row in rows if row.get(f"train/{phase}/total")]
        assert losses
        assert np.isfinite(losses).all()
    assert {path.name for path in (run / "checkpoints").glob("*.ckpt")} == {"best.ckpt", "last.ckpt"}
    sheets = [f"batch-0000005-{name}.png" for name in ("reconstructions", "samples", "traversals", "interpolation")]
    clips = ["batch-0000005-video.mp4", "batch-0000005-video.gif"] if system == "cnn_param_tanh" else []
    shown = {path.name: path.read_bytes() for path in (run / "media").iterdir()}
    maps = ["batch-0000005-alpha.png"] if system == "cnn_param_tanh" else []
    assert set(shown) == {*sheets, *maps, *clips, "course.png"}
    monkeypatch.setenv("WANDB_MODE", "disabled")
    main(["validate", *given, "--ckpt_path", "best"])  # the same weights: the same files once more
    assert {path.name: path.read_bytes() for path in (run / "media").iterdir()} == shown

    monkeypatch.setenv("WANDB_MODE", "offline")
    main(["test", *given, "--ckpt_path", "best"])
    on_wandb.check(run, 5, UNLOGGED[system])
    monkeypatch.setenv("WANDB_MODE", "disabled")
    results = json.loads(next(run.glob("results/*/results.json")).read_text())
    metrics = {"psnr", "ssim", "kl", "active_units", "novelty"}
    metrics |= {f"{kind}_random_conv" for kind in ("fid", "kid", "precision", "recall")}
    assert metrics <= set(results["metrics"])
    (nearest,) = run.glob("results/*/plots/nearest.png")
    assert read(nearest).std() > 20
    assert results["adversarial_health"]["judged_batches"] == 0  # five are too few, and that is no clean bill

    drawn = []
    for _ in range(2):
        main(["sample", *words(system), "--ckpt_path", "best", "--count", "1", "--seed", "1"])
        drawn.append({path.name: path.read_bytes() for path in (run / "samples" / "seed-1").iterdir()})
    assert drawn[0] == drawn[1]
    kinds = ("png", "mp4", "gif") if system == "cnn_param_tanh" else ("png",)
    assert set(drawn[0]) == {"sheet.png", "latents.npy", *(f"0000.{kind}" for kind in kinds)}
    shape = (32, 32, 3) if system == "cnn_param_tanh" else (32, 32)
    assert read(run / "samples" / "seed-1" / "0000.png").shape == shape

    main(["predict", *words(system), "--ckpt_path", "best", "--data.source", str(source / "07.png")])
    (reconstructed,) = (run / "predictions").glob("*/reconstructions/*.png")
    assert read(reconstructed).shape == shape


@pytest.mark.parametrize(("system", "overlay"), OVERLAYS)
def test_overlay(system, overlay, words, tmp_path, assert_written):
    main(["fit", *words(system, overlay)])
    saved = yaml.safe_load((latest(tmp_path, system) / "config.yaml").read_text())
    wanted = yaml.safe_load((EXPERIMENTS / system / f"{overlay}.yaml").read_text())
    assert_written(saved, wanted, [*TINY, *OWN[system]])

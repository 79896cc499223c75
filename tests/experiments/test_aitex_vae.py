"""The experiment on fabric and its overlays, run by the real command: an epoch, its test, a prediction."""

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
OVERLAYS = sorted(path.stem for path in (EXPERIMENTS / "aitex_vae").glob("*.yaml"))
TINY = shlex.split(
    "--model.width 4 --model.latent_dim 6 --model.overlap 0.25 --data.tile_size 32 "
    "--data.train_stride 16 --data.batch_size 8 --data.num_workers 0 "
    "--trainer.max_epochs 1 --trainer.accelerator cpu --trainer.precision 32-true --trainer.limit_train_batches 3 "
    "--trainer.enable_model_summary false --trainer.check_val_every_n_epoch 1 --trainer.log_every_n_steps 1"
)
KINDS = {"brightness", "threads", "energy", "orientation", "features", "texture", "kl", "lines", "shade"}


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Two categories of cloth in plain folders, half of the defective pictures with a bright spot."""
    root = tmp_path_factory.mktemp("cloth")
    random = np.random.default_rng(0)
    y, x = np.mgrid[0:64, 0:96]
    for folder, count in (("train/good", 6), ("test/good", 2), ("test/spot", 2), ("ground_truth/spot", 2)):
        (root / folder).mkdir(parents=True)
        for number in range(count):
            picture = 100 + 25 * np.sin(x) * np.sin(0.8 * y) + random.normal(0, 4, x.shape)
            name = f"{number:03d}.png"
            if "spot" in folder:
                picture[20:28, 40:50] += 70
            if folder.startswith("ground_truth"):
                picture, name = np.zeros(x.shape), f"{number:03d}_mask.png"
                picture[20:28, 40:50] = 255
            cv2.imwrite(str(root / folder / name), picture.clip(0, 255).astype(np.uint8))
    return root


@pytest.fixture
def words(source, tmp_path, monkeypatch):
    """The words behind a verb, for the experiment and its overlays at reduced size."""
    monkeypatch.setenv("WANDB_MODE", "disabled")
    monkeypatch.chdir(tmp_path)

    def compose(*overlays: str) -> list[str]:
        paths = [EXPERIMENTS / "aitex_vae.yaml", *(EXPERIMENTS / "aitex_vae" / f"{name}.yaml" for name in overlays)]
        configs = [word for path in paths for word in ("--config", str(path))]
        return [*configs, *TINY, "--data.source", str(source), "--data.cache_dir", str(tmp_path / "cache")]

    return compose


def latest(tmp_path: Path) -> Path:
    return (tmp_path / "runs/aitex_vae/latest").resolve()


def test_fit_test_and_predict_leave_their_files(words, source, tmp_path, monkeypatch):
    given = words()
    monkeypatch.setenv("WANDB_MODE", "offline")
    main(["fit", *given])
    main(["test", *given, "--ckpt_path", "best"])
    run = latest(tmp_path)
    on_wandb.check(run, 3, {f"train/vae/{term}" for term in ("bce", "log_spectral", "spectral", "ssim")})
    results = json.loads(next(run.glob("results/*/results.json")).read_text())
    for name in ("tile_auroc", "tile_auroc_macro", "tile_auroc_within", "pixel_auroc", "aupro", "tile_ap"):
        assert 0 <= results["metrics"][name] <= 1
    for kind in (*KINDS, "baseline_blur", "baseline_mahalanobis"):
        assert 0 <= results["metrics"][f"tile_auroc_{kind}"] <= 1
    assert {path.name for path in (run / "checkpoints").glob("*.ckpt")} == {"best.ckpt", "last.ckpt"}
    with (run / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    losses = [float(row[name]) for row in rows for name in ("train/vae/mse", "train/vae/kl") if row.get(name)]
    assert losses
    assert np.isfinite(losses).all()
    main(["predict", *words(), "--ckpt_path", "best", "--data.source", str(source / "test" / "spot")])
    written = {path.suffix for path in (run / "predictions").rglob("*") if path.is_file()}
    assert written >= {".png", ".json", ".csv"}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_overlay(overlay, words, tmp_path, assert_written):
    """An overlay's settings reach the run, but for those that are typed."""
    gpu = ["--trainer.accelerator", "cpu"]
    main(["fit", *words(overlay), *gpu])
    saved = yaml.safe_load((latest(tmp_path) / "config.yaml").read_text())
    wanted = yaml.safe_load((EXPERIMENTS / "aitex_vae" / f"{overlay}.yaml").read_text())
    assert_written(saved, wanted, [*TINY, *gpu])


@pytest.mark.slow
def test_the_generated_weave(words, tmp_path):
    """Without a source the command makes its own data."""
    generated = [word for word in words("smoke") if word != "--data.source"]
    generated.remove(next(word for word in generated if "cloth" in word and Path(word).is_dir()))
    main(["fit", *generated])
    assert (latest(tmp_path) / "checkpoints/best.ckpt").is_file()

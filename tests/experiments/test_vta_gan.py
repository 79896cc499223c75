"""The experiment on video and its overlays, run by the real command: a whole epoch, then its test."""

import csv
import json
import shlex
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import yaml

from datamodules.clips.pseudo_anomalies import KINDS
from fulgurite.cli import main
from tests.experiments import on_wandb
from tests.wandb_file import wandb_files

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
OVERLAYS = sorted(
    f"{folder}/{path.stem}" for folder in ("vta_gan", "overlays") for path in EXPERIMENTS.glob(f"{folder}/*")
)
FRAMES = 16
TINY = shlex.split(
    "--model.ngf 4 --model.ndf 4 --model.token_width 32 "
    "--data.num_frames 4 --data.image_size [64,64] --data.batch_size 2 --data.train_stride 8 "
    "--data.eval_stride 4 --data.validation_stride 4 "
    "--trainer.max_epochs 1 --trainer.accelerator cpu --trainer.enable_model_summary false "
    "--trainer.check_val_every_n_epoch 1 --trainer.log_every_n_steps 1"
)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Four clips of a square that moves steadily, and two in which it begins to jump."""
    root = tmp_path_factory.mktemp("squares")
    spans = {}
    for split, clips in (("train", 4), ("test", 2)):
        for clip in range(clips):
            folder = root / split / f"{clip:02d}"
            folder.mkdir(parents=True)
            anomalous = split == "test"
            for frame in range(FRAMES):
                jump = 17 * frame if anomalous and frame >= FRAMES // 2 else 2 * frame
                image = np.full((48, 48, 3), 90, np.uint8)
                image[20:30, (5 * clip + jump) % 38 :][:, :10] = (30, 200, 240)
                cv2.imwrite(str(folder / f"{frame:03d}.png"), image)
            if anomalous:
                spans[folder.name] = (FRAMES // 2, FRAMES)
    rows = "".join(f"{name},{start},{end}\n" for name, (start, end) in spans.items())
    (root / "test" / "labels.csv").write_text("video,start,end\n" + rows)
    return root


@pytest.fixture
def words(source, tmp_path, monkeypatch):
    """The words behind a verb, for an experiment and its overlays at reduced size."""
    monkeypatch.setenv("WANDB_MODE", "disabled")
    monkeypatch.chdir(tmp_path)

    def compose(*overlays: str, experiment: str = "vta_gan") -> list[str]:
        paths = [EXPERIMENTS / f"{experiment}.yaml", *(EXPERIMENTS / f"{overlay}.yaml" for overlay in overlays)]
        configs = [word for path in paths for word in ("--config", str(path))]
        data = ["--data.source", str(source), "--data.cache_dir", str(tmp_path / "cache")]
        small_flow = ["--model.flow_width", "0.05"] if "vta_gan/published" in overlays else []
        return [*configs, *TINY, *small_flow, *data]

    return compose


def check(run: Path) -> None:
    """A run folder holds all that the README promises, with finite numbers."""
    results = json.loads(next(run.glob("results/*/results.json")).read_text())
    metrics = results["metrics"]
    assert {"frame_auroc_micro", "frame_auroc_minmax", "frame_auroc_macro", "frame_ap", "frame_eer"} <= set(metrics)
    assert 0 <= metrics["frame_auroc_micro"] <= 1
    assert (results["system"], results["complete"]) == ("VTAGAN", True)
    with next(run.glob("results/*/scores.csv")).open() as file:
        assert len(list(csv.DictReader(file))) == 2 * FRAMES
    with (run / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    losses = [float(value) for row in rows for name, value in row.items() if "/total" in name and value]
    assert losses
    assert np.isfinite(losses).all()
    assert (run / "config.yaml").is_file()
    assert {path.name for path in (run / "checkpoints").glob("*.ckpt")} == {"best.ckpt", "last.ckpt"}


def fit_and_test(words: list[str], tmp_path: Path) -> Path:
    main(["fit", *words])
    main(["test", *words, "--ckpt_path", "best"])
    run = (tmp_path / "runs/vta_gan/latest").resolve()
    check(run)
    return run


def test_the_experiment_alone(words, tmp_path, monkeypatch):
    given = words()
    monkeypatch.setenv("WANDB_MODE", "offline")
    run = fit_and_test(given, tmp_path)
    unseen = {f"val/frame_auroc_of_{kind}" for kind in KINDS} - {"val/frame_auroc_of_speed"}  # a short clip shows one
    of_learned_flow = {
        "train/generator/photometric",
        "train/generator/flow_smoothness",
    }  # the experiment's is classical
    on_wandb.check(run, 3, {"train/health/sample", *of_learned_flow, *unseen})
    _, test = wandb_files(run)
    frames = test.table("test/scores_over_time_table")
    assert [(row["video"], row["frame"]) for row in frames] == [(f"{n:02d}", f) for n in (0, 1) for f in range(FRAMES)]
    assert {row["label"] for row in frames} == {0, 1}


@pytest.mark.parametrize("overlay", sorted(set(OVERLAYS) - {"overlays/ddp"}))
def test_overlay(overlay, words, tmp_path, assert_written):
    run = fit_and_test(words(overlay), tmp_path)
    saved = yaml.safe_load((run / "config.yaml").read_text())
    wanted = yaml.safe_load((EXPERIMENTS / f"{overlay}.yaml").read_text())
    assert_written(saved, wanted, [*TINY, "--model.flow_width"])


@pytest.mark.slow
def test_two_processes(words, tmp_path):
    """Two gloo processes on the CPU share the folder, and leave in it what one process does."""
    command = [sys.executable, "-m", "fulgurite"]
    two = [*words("overlays/ddp"), "--trainer.devices", "2"]
    done = subprocess.run([*command, "fit", *two], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    main(["test", *words(), "--ckpt_path", "best"])
    assert len(list((tmp_path / "runs/vta_gan").iterdir())) == 2  # the run and "latest"
    check((tmp_path / "runs/vta_gan/latest").resolve())


@pytest.mark.slow
def test_torchruns_processes_share_the_folder(words, tmp_path):
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "fulgurite"]
    two = [*words("overlays/ddp"), "--trainer.devices", "2"]
    done = subprocess.run([*torchrun, "fit", *two], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert len(list((tmp_path / "runs/vta_gan").iterdir())) == 2


@pytest.mark.slow
def test_two_processes_end_with_one_message(words, tmp_path):
    command = [sys.executable, "-m", "fulgurite", "fit", *words("overlays/ddp"), "--trainer.devices", "2"]
    done = subprocess.run([*command, "--data.source", "nowhere"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count("nowhere") == 1
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("runs/*/*"))


def test_predict_writes_its_files(words, source, tmp_path):
    main(["fit", *words("vta_gan/smoke")])
    video = str(source / "test" / "00")
    main(["predict", *words("vta_gan/smoke"), "--ckpt_path", "best", "--data.source", video])
    predictions = (tmp_path / "runs/vta_gan/latest/predictions").resolve()
    assert {path.suffix for path in predictions.glob("*/*")} >= {".csv", ".png", ".mp4"}


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("precision", ["bf16-mixed", "16-mixed", "32-true"])
def test_precisions_on_a_gpu(precision, words, tmp_path):
    gpu = ["--trainer.accelerator", "gpu", "--trainer.precision", precision]
    fit_and_test([*words("vta_gan/published", "overlays/gpu_amp"), *gpu], tmp_path)

"""Sound to pictures by the real command: both experiments, their overlays, prediction; all at reduced size."""

import csv
import json
import shlex
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
import yaml

from datamodules.sound.music import compose, write_clip
from datamodules.sound.pieces import PieceShape, TrainingPieces, evaluation_starts
from fulgurite.cli import main
from lightning_models.audio_to_video import AudioToVideo, AudioToVideoNetLegacy
from tests.experiments import on_wandb
from tests.wandb_file import wandb_files

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
OVERLAYS = sorted(path.stem for path in EXPERIMENTS.glob("audio_to_video/*.yaml"))
SHIPPED = [*EXPERIMENTS.glob("audio_to_video*.yaml"), *EXPERIMENTS.glob("audio_to_video/*.yaml")]
TINY = shlex.split(
    "--model.network.width 32 --data.fps 10 --data.image_size 16 "
    "--data.duration 1.0 --data.stride 0.5 --data.batch_size 4 --trainer.max_epochs 1 --trainer.accelerator cpu "
    "--trainer.limit_train_batches 2 --trainer.enable_model_summary false --trainer.check_val_every_n_epoch 1 "
    "--trainer.log_every_n_steps 1"
)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Eight clips of music, of 1.6 seconds each, and the pictures that follow it."""
    root = tmp_path_factory.mktemp("music")
    for number in range(8):
        write_clip(root / f"{number}.mp4", compose(np.random.default_rng(number), 1.6))
    return root


@pytest.fixture
def words(source, tmp_path, monkeypatch):
    """The words behind a verb, for an experiment and its overlays at reduced size."""
    monkeypatch.setenv("WANDB_MODE", "disabled")
    monkeypatch.chdir(tmp_path)

    def compose_words(*overlays: str, experiment: str = "audio_to_video") -> list[str]:
        names = [f"{experiment}.yaml", *(f"audio_to_video/{overlay}.yaml" for overlay in overlays)]
        configs = [word for name in names for word in ("--config", str(EXPERIMENTS / name))]
        return [*configs, *TINY, "--data.source", str(source), "--data.cache_dir", str(tmp_path / "cache")]

    return compose_words


def fit_and_test(words: list[str], tmp_path: Path, experiment: str = "audio_to_video") -> Path:
    main(["fit", *words])
    main(["test", *words, "--ckpt_path", "best"])
    run = (tmp_path / "runs" / experiment / "latest").resolve()
    results = json.loads(next(run.glob("results/*/results.json")).read_text())
    assert {"l1", "psnr", "ssim", "temporal_difference", "av_align", "shuffle_l1_increase"} <= set(results["metrics"])
    with (run / "metrics.csv").open() as file:
        losses = [float(v) for row in csv.DictReader(file) for name, v in row.items() if "/total" in name and v]
    assert losses
    assert np.isfinite(losses).all()
    assert {path.name for path in (run / "checkpoints").glob("*.ckpt")} == {"best.ckpt", "last.ckpt"}
    return run


def test_the_experiment_alone_and_its_prediction(words, source, tmp_path, monkeypatch):
    given = words()
    monkeypatch.setenv("WANDB_MODE", "offline")
    run = fit_and_test(given, tmp_path)
    on_wandb.check(run, 2, {"train/generator/l1", "train/generator/silence"})
    fit, _ = wandb_files(run)
    with av.open(str(fit.file("val/video"))) as container:
        sound = np.concatenate([frame.to_ndarray().ravel() for frame in container.decode(audio=0)])
    assert np.abs(sound).max() > 0.05
    assert list(run.glob("media/*.mp4"))
    assert list(run.glob("media/attention-*.png"))
    main(["predict", *words(), "--ckpt_path", "best", "--data.source", str(source / "3.mp4")])
    (film,) = run.glob("predictions/*/*.mp4")
    with av.open(str(film)) as container:
        frames = sum(1 for _ in container.decode(video=0))
        container.seek(0)
        heard = sum(frame.samples / frame.rate for frame in container.decode(audio=0))
    assert frames == 16
    assert heard == pytest.approx(1.6, abs=0.1)


def test_the_predecessor(words, tmp_path):
    run = fit_and_test(words(experiment="audio_to_video_legacy"), tmp_path, "audio_to_video_legacy")
    assert not list(run.glob("media/attention-*.png"))
    loaded = AudioToVideo.load_from_checkpoint(run / "checkpoints/best.ckpt")
    assert isinstance(loaded.network, AudioToVideoNetLegacy)
    assert (loaded.network.image_size, loaded.network.fps) == (16, 10)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_overlay(overlay, words, tmp_path, assert_written):
    main(["fit", *words(overlay)])
    run = (tmp_path / "runs/audio_to_video/latest").resolve()
    saved = yaml.safe_load((run / "config.yaml").read_text())
    wanted = yaml.safe_load((EXPERIMENTS / "audio_to_video" / f"{overlay}.yaml").read_text())
    assert_written(saved, wanted, TINY)


def test_every_shipped_configuration_fades_pieces_into_each_other_at_prediction():
    base = yaml.safe_load((EXPERIMENTS / "audio_to_video.yaml").read_text())["data"]["init_args"]
    for path in SHIPPED:
        data = base | yaml.safe_load(path.read_text()).get("data", {}).get("init_args", {})
        assert data["stride"] < data["duration"], path.name


def test_grid_gives_one_piece_a_clip():
    names = ("audio_to_video", "audio_to_video/grid")
    data = {}
    for name in names:
        data |= yaml.safe_load((EXPERIMENTS / f"{name}.yaml").read_text())["data"]["init_args"]
    shape = PieceShape(round(data["duration"] * data["fps"]), 48_000, round(data["stride"] * data["fps"]))
    assert evaluation_starts(75, shape) == [0]
    assert len(TrainingPieces([SimpleNamespace(length=75)], shape, 0)) == 1

"""A trained run whose model scores brightness, and videos in which somebody turns on the light."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import yaml

from datamodules.media import VideoWriter
from fulgurite.cli import main

sys.path.append(str(Path(__file__).parents[1] / "packages"))

FPS, EDGE = 10, 48
LIT = (20, 35)
"""First and last frame in which the light is on."""


def write_video(path: Path, frames: int = 60, lit: Sequence[tuple[int, int]] = (LIT,)) -> Path:
    with VideoWriter(path, FPS, (EDGE, EDGE)) as video:
        for number in range(frames):
            bright = any(first <= number <= last for first, last in lit)
            frame = np.full((EDGE, EDGE, 3), 180 if bright else 60, np.uint8)
            place = 2 * number % (EDGE - 8)
            frame[4:12, place : place + 8] = 90
            video.write(frame)
    return path


@pytest.fixture(scope="session")
def film(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("film") / "room.mp4")


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """The folder of a run that has learned nothing, and scores all the same."""
    folder = tmp_path_factory.mktemp("watched")
    for number in range(3):
        write_video(folder / f"clips/{number}.mp4", 24 + number, ())
    config = {
        "trust": ["watchers"],
        "model": {"class_path": "Brightness"},
        "data": {
            "class_path": "VideoSnippetDataModule",
            "init_args": {
                "source": str(folder / "clips"),
                "cache_dir": str(folder / "cache"),
                "image_size": 32,
                "num_frames": 4,
                "eval_stride": 2,
                "eval_batch_size": 3,
                "batch_size": 2,
            },
        },
        "checkpoints": {"monitor": "val/score"},
        "wandb": {"mode": "disabled"},
        "trainer": {
            "max_epochs": 1,
            "limit_train_batches": 1,
            "limit_val_batches": 1,
            "num_sanity_val_steps": 0,
            "accelerator": "cpu",
            "enable_model_summary": False,
            "enable_progress_bar": False,
            "callbacks": [{"class_path": "ClipPredictions", "init_args": {"overlay": False}}],
        },
    }
    (folder / "bright.yaml").write_text(yaml.safe_dump(config))
    before = Path.cwd()
    os.chdir(folder)  # packages that are trusted are looked for there
    try:
        main(["fit", "--config", "bright.yaml", "--run.root", str(folder / "runs")])
    finally:
        os.chdir(before)
    return (folder / "runs/bright/latest").resolve()


@pytest.fixture
def watch(run, tmp_path, monkeypatch):
    """Run ``lightning watch`` on a source, and return the folder that it has written."""
    monkeypatch.chdir(tmp_path)

    def go(source: object, *words: str) -> Path:
        checkpoint = str(run / "checkpoints/last.ckpt")
        out = Path("out")
        main(["watch", "--run", checkpoint, "--source", str(source), "--out", str(out), "--trust", "watchers", *words])
        return out

    return go

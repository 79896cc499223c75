"""A run folder that holds all that a report can show, written by hand within moments."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from callbacks.results import write_rows
from datamodules.media import VideoWriter
from datamodules.png_file import write_png
from datamodules.sound.sound import SoundVideoWriter
from fulgurite.cli import main

ABOUT = {
    "system": "VTAGAN",
    "source": "/data/street",
    "checkpoint": "/elsewhere/best.ckpt",
    "seed": 3,
    "commit": "0123456789abcdef",
    "device": "cpu",
    "processes": 1,
    "date": "2026-11-26T15:08:53+00:00",
    "versions": {"python": "3.11.7", "torch": "2.14.1"},
}
RESULTS = {
    **ABOUT,
    "complete": True,
    "command": ["lightning", "test", "my street/", "--run", "runs/vta_gan"],
    "metrics": {"frame_auroc_micro": 0.8125, "frame_ap": 0.75, "frame_auroc_micro_baseline": 0.65625},
    "undefined": {"pixel_auroc": "no masks"},
    "counts": {"videos": 2, "frames": 160},
    "threshold": 1.5,
    "groups": {
        "video": {"street_01": {"frames": 80, "frame_auroc": 0.9}, "street_02": {"frames": 80, "frame_auroc": None}}
    },
    "headline": "frame_auroc_micro",
    "meanings": {
        "frame_auroc_micro": {
            "means": "how often an anomalous frame scores above a normal one",
            "better": "higher",
            "range": [0, 1],
            "beside": None,
        },
        "frame_auroc_micro_baseline": {
            "means": "what the speed of optical flow reaches",
            "better": "higher",
            "range": [0, 1],
            "beside": "frame_auroc_micro",
        },
    },
    "test_seconds": 2.5,
}
TRAINING = {
    **ABOUT,
    "command": ["lightning", "fit", "--config", "vta_gan"],
    "batches": 12,
    "epochs": 3,
    "seconds": 725.0,
    "step_seconds": 0.25,
    "samples_per_second": 14.5,
    "data_wait_share": 0.08,
    "peak_memory_bytes": 812_000_000,
    "parameters": {"trainable": 1000, "total": 1200},
    "monitor": "val/frame_auroc_micro",
    "mode": "max",
    "best_value": 0.84,
    "best_batches": 8,
    "finished": True,
}


@pytest.fixture
def run(tmp_path) -> Path:
    """A run of VTA-GAN with everything in it; its name is nothing that a page could take as it is."""
    folder = tmp_path / "runs" / "vta_gan" / "a<b>&amp;"
    write_results(folder, "street")
    write_json(folder / "training.json", TRAINING)
    config = {
        "seed_everything": 3,
        "model": {"class_path": "lightning_models.VTAGAN", "init_args": {"ngf": 4, "ema_decay": 0.999}},
        "run": {"experiment": "vta_gan"},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    lines = ["step,train/generator/l1,train/generator/learning_rate,train/health/real,val/frame_auroc_micro"]
    lines += [f"{step},{1 / (1 + step)},0.0002,0.5,{0.8 if step % 4 == 3 else ''}" for step in range(12)]
    (folder / "metrics.csv").write_text("\n".join(lines) + "\n")
    for batches in (4, 12):
        write_png(folder / f"media/batch-{batches:07d}-samples.png", picture(batches, 64))
    clip(folder / "media/batch-0000012.mp4", sound=True)
    write_png(folder / "samples/seed-1/sheet.png", picture(5, 32))
    return folder


def write_results(run: Path, name: str, **changed: Any) -> Path:
    """Write what a test leaves, with its worst and best case, and return its folder."""
    folder = run / "results" / name
    write_json(folder / "results.json", {**RESULTS, **changed})
    rng = np.random.default_rng(0)
    label = (np.arange(80) // 20) % 2
    rows = [
        [video, int(frame), float(rng.normal() + 2 * label[frame]), int(label[frame]), float(rng.normal())]
        for video in ("street_01", "<script>alert('video')</script>")
        for frame in range(80)
    ]
    write_rows(folder / "scores.csv", ["name", "frame", "score", "label", "baseline"], rows)
    write_png(folder / "cases/worst-1.png", picture(1, 48))
    clip(folder / "cases/best-1.mp4")
    cases = [
        {"name": "street_01, frame 3", "kind": "worst", "says": "A false alarm.", "file": "cases/worst-1.png"},
        {"name": "street_02, frame 9", "kind": "best", "says": "Found.", "file": "cases/best-1.mp4"},
    ]
    write_json(folder / "cases.json", {"cases": [{**case, "figures": {"score": 1.25, "rank": 1}} for case in cases]})
    return folder


def write_json(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def picture(seed: int, size: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (size, 2 * size, 3), dtype=np.uint8)


def clip(path: Path, sound: bool = False) -> None:
    size, frames = (48, 64), 10
    writer = SoundVideoWriter(path, 10, size, 16_000) if sound else VideoWriter(path, 10, size)
    with writer:
        for number in range(frames):
            writer.write(np.full((*size, 3), 20 * number, np.uint8))
        if isinstance(writer, SoundVideoWriter):
            writer.write_sound(np.sin(np.arange(16_000, dtype=np.float32) / 20)[None])


@pytest.fixture
def another_test(run) -> Callable[..., Path]:
    """Write what a test of another source leaves: its name, and entries of ``results.json`` that are changed."""
    return lambda name, **changed: write_results(run, name, **changed)


@pytest.fixture
def refused(capsys) -> Callable[..., str]:
    """Return what the command says when it refuses, which is one sentence."""

    def refuse(*words: str) -> str:
        with pytest.raises(SystemExit) as end:
            main(list(words))
        assert end.value.code == 2
        (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
        return line

    return refuse

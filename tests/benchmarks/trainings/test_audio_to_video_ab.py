"""The comparison of both nets that draw pictures to sound, without its trainings."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import yaml

from benchmarks.trainings import audio_to_video_ab as ab
from datamodules import AudioVideoDataModule
from datamodules.sound import audio_video_cache
from datamodules.sound.sound import SoundVideoWriter
from lightning_models.audio_to_video import AudioToVideo

SIZES = {"fps": 10.0, "sample_rate": 4000, "image_size": 16}
NETS = {
    "AudioToVideoNet": {"width": 32, "layers": 1, "heads": 4, "feedforward": 32},
    "AudioToVideoNetLegacy": {"width": 32},
}


@pytest.mark.parametrize("net", ab.NETS)
def test_costs_are_those_of_the_configured_net_and_batch(net, monkeypatch):
    shapes = []
    monkeypatch.setattr(ab, "training_step", lambda model, batch: shapes.append(batch.frames.shape) or (lambda: None))
    network = {"class_path": f"lightning_models.audio_to_video.{net}", "init_args": NETS[net]}
    model = {**SIZES, "network": network}
    found = ab.costs(
        {
            "model": {"init_args": {**model, "optimizer": None, "scheduler": None}},
            "data": {"init_args": {**SIZES, "duration": 1.5, "batch_size": 3}},
        }
    )
    weights = AudioToVideo(**model).parameters()
    assert found["parameters"] == sum(weight.numel() for weight in weights)
    assert found["ms to draw a clip"] > 0
    assert found["MiB of a training step"] >= 0
    assert shapes == [(3, 15, 3, 16, 16)]


@pytest.mark.parametrize(
    ("value", "cell"),
    [(None, "undefined"), (8_236_611, "8,236,611"), (0.123456, "0.1235"), (0.0, "0"), (1234.5678, "1235")],
)
def test_cells(value, cell):
    assert ab._cell(value) == cell


def test_the_cache_is_filled_before_the_first_training(monkeypatch, capsys):
    order = []
    monkeypatch.setattr(ab, "fill_cache", lambda arguments: order.append(("data", arguments)))
    monkeypatch.setattr(ab, "train_and_test", lambda kind, *_: order.append(kind) or {"l1": 0.25, kind: 1.0})
    monkeypatch.setattr(sys, "argv", ["audio_to_video_ab", "--data.fps", "10"])
    ab.main()
    assert order == [("data", ["--data.fps", "10"]), *ab.NETS]
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in capsys.readouterr().out.splitlines()[-3:]]
    net, predecessor = ab.NETS
    assert rows == [["l1", "0.25", "0.25"], [net, "1", "undefined"], [predecessor, "undefined", "1"]]


def test_what_fills_the_cache_is_what_the_command_reads(tmp_path, monkeypatch):
    (tmp_path / "films").mkdir()
    for number in range(6):
        with SoundVideoWriter(tmp_path / "films" / f"{number}.mp4", 10, (16, 16), 8000) as film:
            for _ in range(10):
                film.write(np.full((16, 16, 3), 40 * number, np.uint8))
            film.write_sound(np.zeros((1, 8000), np.float32))
    data = {**SIZES, "duration": 1.0, "stride": 1.0, "source": str(tmp_path / "films"), "cache_dir": str(tmp_path)}
    printed = yaml.safe_dump({"data": {"init_args": data}}).encode()
    asked = []

    def run(words, **_):
        asked.append(words)
        return SimpleNamespace(stdout=printed)

    monkeypatch.setattr(ab, "subprocess", SimpleNamespace(run=run, PIPE=None))
    ab.fill_cache(["--data.fps", "10"])
    assert [words[-3:] for words in asked] == [["--data.fps", "10", "--print_config"]]
    monkeypatch.setattr(audio_video_cache._PairRoom, "decode", lambda *_: pytest.fail("was not decoded before"))
    AudioVideoDataModule(**data).setup("fit")

"""Every system that ships, trained, exported and used both ways by the real commands; and the example without torch."""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import av
import numpy as np
import onnxruntime
import pytest

from callbacks.results import read_rows
from fulgurite.cli import main
from tests.docs import small_worlds

ROOT = Path(__file__).parents[3]
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "disabled")
    monkeypatch.setenv("FULGURITE_CACHE", str(tmp_path / "cache"))
    return tmp_path


def train(experiment, source, *words, smoke=None):
    small_worlds.WORLDS[source](Path(source))
    configs = [f"{ROOT}/experiments/{experiment}.yaml", f"{ROOT}/experiments/{smoke or experiment}/smoke.yaml"]
    small = ["--trainer.limit_train_batches", "2", "--trainer.enable_model_summary", "false"]
    main(["fit", *(f"--config={one}" for one in configs), "--data.source", source, *small, *words])
    return Path("runs", experiment, "latest").resolve()


def predictions(run, source, *words):
    shutil.rmtree(run / "predictions", ignore_errors=True)
    main(["predict", source, "--run", str(run), *words])
    (folder,) = (run / "predictions").iterdir()
    return folder


def compare_tables(run, source):
    """Compare the tables of scores that a prediction writes by either engine."""
    tables = []
    for words in ([], ["--engine", "onnx"]):
        folder = predictions(run, source, *words)
        names = sorted(path.name for path in folder.rglob("*"))
        tables.append((names, read_rows(folder / "scores.csv")))
    (names, rows), (other_names, other_rows) = tables
    assert names == other_names
    assert len(rows) == len(other_rows) > 1
    for row, other in zip(rows, other_rows, strict=True):
        assert row | {"score": ""} == other | {"score": ""}
        assert abs(float(row["score"]) - float(other["score"])) < 1e-3 * max(1, abs(float(row["score"])))


def example(model, video, python=sys.executable, before=""):
    """Run the example, and return the rows of its table."""
    script = ROOT / "examples/deploy_onnx.py"
    code = f"{before}\nimport runpy, sys\nsys.argv = {['x', str(model), str(video)]!r}\n"
    code += f"runpy.run_path({str(script)!r}, run_name='__main__')"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run([str(python), "-c", code], check=True, env=environment)
    return read_rows(Path("scores.csv"))


def test_vta_gan(workplace):
    run = train("vta_gan", "my_videos")
    main(["export", str(run)])
    main(["export", str(run), "--format", "torch_export"])
    assert (run / "export/vta_gan.pt2").stat().st_size > 10_000
    small_worlds.video(Path("today.mp4"), 3, jumps=True)
    compare_tables(run, "today.mp4")
    rows = read_rows(run / "predictions/today/scores.csv")
    environment = workplace / "without_torch"
    venv.create(environment, with_pip=True)
    python = environment / "bin/python"
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", "onnxruntime", "numpy", "av"], check=True)
    assert subprocess.run([str(python), "-c", "import torch"], check=False, capture_output=True).returncode
    for row, other in zip(rows, example(run / "export/vta_gan.onnx", "today.mp4", python), strict=True):
        assert abs(float(row["score"]) - float(other["score"])) < 1e-3 * max(1, abs(float(row["score"])))
        assert row["anomalous"] == other["anomalous"]


def test_vta_gan_with_opencvs_flow(workplace):
    run = train("vta_gan", "my_videos", "--model.flow_backend", "farneback", "--model.flow_width", "null")
    main(["export", str(run)])
    inputs = onnxruntime.InferenceSession(str(run / "export/vta_gan.onnx")).get_inputs()
    assert [port.name for port in inputs] == ["frames", "region", "flow"]
    small_worlds.video(Path("today.mp4"), 3, jumps=True)
    compare_tables(run, "today.mp4")


def test_aitex_vae(workplace):
    run = train("aitex_vae", "aitex", "--model.overlap", "0.5", "--data.tile_size", "32")
    main(["export", str(run)])
    small_worlds.strips(Path("strips"))
    compare_tables(run, "strips")
    small_worlds.cv2.imwrite("strips/0002_000_03.png", np.full((64, 203), 100, np.uint8))
    with pytest.raises(SystemExit):
        main(["predict", "strips", "--run", str(run), "--engine", "onnx"])


def test_cnn_param_tanh(workplace):
    run = train("cnn_param_tanh", "my_pictures")
    main(["export", str(run)])
    main(["export", str(run), "--format", "torch_export"])
    found = [np.load(predictions(run, "my_pictures", *words) / "latents.npy") for words in ([], ["--engine", "onnx"])]
    np.testing.assert_allclose(*found, atol=1e-4)


@pytest.mark.parametrize("experiment", ["audio_to_video", "audio_to_video_legacy"])
def test_audio_to_video(workplace, experiment):
    run = train(experiment, "my_clips", smoke="audio_to_video")
    main(["export", str(run)])
    main(["export", str(run), "--format", "torch_export"])
    small_worlds.song(Path("song.mp3"))
    drawn = []
    for words in ([], ["--engine", "onnx"]):
        with av.open(str(predictions(run, "song.mp3", *words) / "video.mp4")) as file:
            drawn.append([frame.to_ndarray(format="rgb24").astype(int) for frame in file.decode(video=0)])
    assert len(drawn[0]) == len(drawn[1]) > 10
    assert np.abs(np.array(drawn[0]) - drawn[1]).mean() < 0.5


def test_audio_to_video_on_a_still_picture(workplace):
    grid = f"{ROOT}/experiments/audio_to_video/grid.yaml"
    run = train(
        "audio_to_video",
        "my_clips",
        "--config",
        grid,
        "--data.fps",
        "10",
        "--data.batch_size",
        "2",
        "--data.stride",
        "0.5",
    )
    main(["export", str(run)])
    main(["export", str(run), "--format", "torch_export"])
    small_worlds.song(Path("song.mp3"))
    small_worlds.picture(Path("face.png"))
    drawn = []
    for words in (
        [],
        ["--engine", "onnx"],
        ["--data.still", "face.png"],
        ["--engine", "onnx", "--data.still", "face.png"],
    ):
        with av.open(str(predictions(run, "song.mp3", *words) / "video.mp4")) as file:
            drawn.append(np.array([frame.to_ndarray(format="rgb24").astype(int) for frame in file.decode(video=0)]))
    for one, other in (drawn[:2], drawn[2:]):
        assert len(one) == len(other) > 10
        assert np.abs(one - other).mean() < 0.5
    assert np.abs(drawn[0] - drawn[2]).mean() > 5, "another picture is drawn on"

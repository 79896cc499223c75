"""The example scores a video as the project does, in a process that can import nothing of it, nor torch."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from callbacks.clips.window_merger import WindowMerger
from callbacks.results import read_rows
from datamodules import VideoSnippetDataModule
from datamodules.letterbox import Letterbox
from datamodules.media import VideoWriter
from examples import deploy_onnx
from fulgurite.exports.about import about_graph
from fulgurite.exports.files import writer
from fulgurite.exports.programs import captured
from lightning_models import VTAGAN
from lightning_models.deployment import in_torch

SCRIPT = Path(deploy_onnx.__file__)
REFUSE = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        ours = ("lightning_models", "datamodules", "callbacks", "fulgurite")
        if name.split(".")[0] in ("torch", "cv2", "lightning", *ours):
            raise ImportError(name + " is refused")
sys.meta_path.insert(0, Refuse())
"""


def video(path, frames=13, height=60, width=90):
    with VideoWriter(path, 25, (height, width)) as writer:
        for number in range(frames):
            picture = np.random.default_rng(0).integers(60, 120, (height, width, 3), dtype=np.uint8)
            picture = cv2.GaussianBlur(picture, (0, 0), 2)
            picture[20:40, 5 * number : 5 * number + 16] = (200, 80, 30)
            writer.write(picture)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A video, the scores of its frames by the project, and the model that gave them as ``street.onnx``."""
    folder = tmp_path_factory.mktemp("example")
    video(folder / "today.mp4")
    data = VideoSnippetDataModule(
        str(folder / "today.mp4"), num_frames=3, frame_step=2, eval_stride=2, validation_stride=1
    )
    data.setup("predict")
    torch.manual_seed(0)
    model = VTAGAN(
        3, 2, flow_backend="none", temporal_attention=False, adversarial="off", channel_selection="off"
    ).eval()
    batches = list(data.predict_dataloader())
    with torch.no_grad():
        rows = [model.calibration_rows(batch, model.evidence(batch)) for batch in batches]
        model.fit_scale([row for by_index in rows for row in by_index.values()])
        model.threshold.fill_(0.5)
        deployment = model.deployed()
        merger, scores = WindowMerger("today"), []
        for batch in batches:
            answer = model.predict_step(batch, 0)
            for row in range(len(batch)):
                scores += merger.add(
                    *(part[row].numpy() for part in (answer.frame, answer.score.double(), answer.heat))
                )
        scores += merger.rest()
    graph, inputs = deployment.graphs[""], {"frames": batches[0].frames, "region": batches[0].region}
    about = {"system": "VTAGAN", **deployment.facts, "preparation": data.preparation(), "outside": []}
    about |= about_graph("", graph, {**inputs, **in_torch(deployment)("", inputs)})
    (folder / "street.onnx").write_bytes(writer("onnx", captured(graph, inputs), graph)(about))
    return folder, [one.score for one in scores]


def test_it_gives_the_scores_of_the_project_without_it(world):
    folder, expected = world
    code = (
        f"{REFUSE}\nimport runpy\nsys.argv = ['deploy_onnx.py', 'street.onnx', 'today.mp4', '--output', 'found.csv']\n"
    )
    code += f"runpy.run_path({str(SCRIPT)!r}, run_name='__main__')"
    done = subprocess.run([sys.executable, "-I", "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = read_rows(folder / "found.csv")
    found = np.array([float(row["score"]) for row in rows])
    assert len(expected) == 13
    assert np.ptp(found) > 0.1
    np.testing.assert_allclose(found, expected, atol=1e-3)
    assert [int(row["anomalous"]) for row in rows] == [int(score > 0.5) for score in expected]
    assert rows[3]["time"] == "0.120"
    assert f"{sum(score > 0.5 for score in expected)} of 13 frames above the threshold of 0.5" in done.stdout


@pytest.mark.parametrize("fit", ["letterbox", "stretch"])
@pytest.mark.parametrize(("height", "width"), [(60, 90), (64, 64), (33, 20), (240, 130)])
def test_frames_are_fitted_as_the_project_fits_them(height, width, fit):
    frame = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    box = Letterbox(64, 64, fit)
    picture, region = deploy_onnx.letterbox(frame, 64, 64, fit)
    assert tuple(region) == box.region(height, width)
    away = np.abs(picture.astype(int) - box.picture(frame))
    assert away.max() <= 1
    assert (away > 0).mean() < (0.01 if min(height, width) >= 64 else 0.2)  # OpenCV enlarges in whole numbers

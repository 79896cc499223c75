"""The comparison of strides, of a small model that is calibrated and not trained."""

import sys
from copy import deepcopy
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer, seed_everything

from benchmarks.trainings import vta_gan_strides as strides
from callbacks import ClipMetrics
from datamodules import VideoSnippetDataModule
from lightning_models import VTAGAN
from tests.docs.small_worlds import videos

QUIET = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
SEED = 4
"""Of which another clip is held out than by the seed 0."""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder of clips, 24 frames each, and the folder of a run that knows its seed."""
    home = tmp_path_factory.mktemp("strides")
    videos(home / "clips")
    first, end = (5, 9), (14, 20)  # not where something happens, so that no area is 1
    rows = [f"{number},{first[number]},{end[number]}\n" for number in range(2)]
    (home / "clips/test/labels.csv").write_text("".join(["video,start,end\n", *rows]))
    for number in range(2):
        (home / f"clips/test/masks/{number}").mkdir(parents=True)
        for frame in range(24):
            marked = np.zeros((64, 64), np.uint8)
            marked[20:40, 8:30] = 255 * (first[number] <= frame < end[number])
            cv2.imwrite(str(home / f"clips/test/masks/{number}/{frame:03d}.png"), marked)
    (home / "run/checkpoints").mkdir(parents=True)
    (home / "run/checkpoints/best.ckpt").touch()
    (home / "run/config.yaml").write_text(f"seed_everything: {SEED}\n")
    return home


def data_of(home, **settings):
    return VideoSnippetDataModule(str(home / "clips"), 64, 4, cache_dir=str(home / "cache"), **settings)


@pytest.fixture(scope="module")
def model(home):
    torch.manual_seed(0)
    small = VTAGAN(4, ngf=4, ndf=4, flow_backend="farneback", token_width=16)
    Trainer(accelerator="cpu", **QUIET).validate(small, datamodule=data_of(home), verbose=False)
    return small.eval()


@pytest.fixture
def compare(home, model, monkeypatch, capsys):
    """Return a function that gives the rows of the table by joint and stride."""

    def load(run, settings):
        data = data_of(home, **{key.removeprefix("data."): value for key, value in settings.items()})
        path = home / "run/checkpoints/best.ckpt"
        return SimpleNamespace(module=model, data=data, checkpoint=path, system="VTAGAN")

    def run(*words):
        monkeypatch.setattr(strides.fulgurite, "load", load)
        monkeypatch.setattr(sys, "argv", ["vta_gan_strides", "run", *words])
        strides.main()
        lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
        cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[1:]]
        return {(joint, int(stride)): rest for joint, stride, *rest in cells}

    return run


def test_the_windows_of_a_larger_stride_are_among_those_of_the_first(compare):
    rows = compare("--strides", "1", "2", "4")
    assert [rows["largest", stride][0] for stride in (1, 2, 4)] == ["42", "22", "12"]  # of two clips
    for stride in (2, 4):
        assert compare("--strides", str(stride)).items() <= rows.items()
    assert rows["largest", 1] != rows["density", 1]


@pytest.mark.parametrize(("validation", "stage"), [([], "test"), (["--validation"], "validate")])
def test_the_figures_are_those_of_the_command(compare, home, model, validation, stage):
    rows = compare("--strides", "2", *validation)
    seed_everything(SEED)
    judged = [ClipMetrics(plots=False, cases=False)]
    trainer = Trainer(accelerator="cpu", callbacks=judged, default_root_dir=home, **QUIET)
    own = deepcopy(model)  # a validation calibrates it anew
    own.scorer.joint = "largest"
    data = data_of(home, eval_stride=2, validation_stride=2)
    (*_, metrics) = getattr(trainer, stage)(own, datamodule=data, verbose=False)
    found = {name.partition("/")[2]: f"{value:.4f}" for name, value in metrics.items()}
    assert rows["largest", 2][1:] == [found.get(name, "") for name in strides.METRICS]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["5", "10"], "is 5, must be from 1 to 4 and whole: data.num_frames is 4, and windows further apart leave"),
        (["2", "4", "8"], "--strides: is 8, must be from 1 to 4 and whole: data.num_frames is 4, and windows further"),
        (["0", "1"], "is 0, must be from 1 to 4"),
        (["2", "3"], "--strides: windows 3 apart are not all among those of the first, 2; give multiples of it"),
        (["4", "2"], "--strides: windows 2 apart are not all among those of the first, 4"),
    ],
)
def test_what_would_judge_fewer_frames_is_refused_before_anything_is_decoded(compare, monkeypatch, capsys, given, said):
    monkeypatch.setattr(VideoSnippetDataModule, "open_splits", lambda *_: pytest.fail("has decoded"))
    with pytest.raises(SystemExit, match="2"):
        compare("--strides", *given)
    assert said in capsys.readouterr().err


def test_data_that_moved_are_found(compare, home):
    (home / "moved").symlink_to(home / "clips")
    assert compare("--strides", "4", "--source", str(home / "moved")) == compare("--strides", "4")

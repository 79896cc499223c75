"""A run is opened from Python as the command opens it, and refused for the same reasons."""

import os
import shutil
import subprocess
import sys
from contextlib import chdir
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

import fulgurite
from datamodules.errors import InputError
from fulgurite import bad_versions
from fulgurite.cli import main
from tests.fulgurite.conftest import EXPERIMENT

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder in which a painter was trained, whose averaged weight differs from the last one."""
    folder = tmp_path_factory.mktemp("painted")
    config = {**EXPERIMENT, "trust": ["tiny", "painters"]}
    config["model"] = {"class_path": "Filmer", "init_args": {"ema_decay": 0.99}}
    (folder / "tiny.yaml").write_text(yaml.safe_dump(config))
    with chdir(folder):
        main(["fit", "--config", "tiny.yaml"])
    return folder


@pytest.fixture
def run(home, tmp_path, monkeypatch):
    """Its run folder, in a working directory of the test's own."""
    shutil.copytree(home, tmp_path / "here", symlinks=True)
    monkeypatch.chdir(tmp_path / "here")
    return Path("runs/tiny/latest").resolve()


def test_importing_it_costs_next_to_nothing():
    heavy = "{'torch', 'lightning', 'numpy', 'yaml'}"
    code = f"import sys, fulgurite; print(sorted({heavy} & sys.modules.keys()), dir(fulgurite))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("[] [")
    assert all(f"'{name}'" in done.stdout for name in fulgurite.__all__)


def test_every_public_name_leads_somewhere():
    for name in fulgurite.__all__:
        assert getattr(fulgurite, name).__name__ == name
    with pytest.raises(AttributeError, match="has no attribute 'laod'"):
        _ = fulgurite.laod


def test_a_release_that_must_not_run_is_not_imported(monkeypatch):
    monkeypatch.setattr(bad_versions, "BAD", (bad_versions.Bad("numpy", ">=1", "is here", "another"),))
    with pytest.raises(ImportError, match=r"numpy .* is installed, which is here"):
        _ = fulgurite.load


def test_a_run_is_known_by_its_folder_its_experiment_its_name_and_its_file(run):
    best = run / "checkpoints/best.ckpt"
    for named in (run, str(run), "runs/tiny", "tiny", "runs/tiny/latest", best):
        model = fulgurite.load(named)
        assert model.checkpoint.resolve() == best
    assert repr(model) == f"<Filmer of {best} on {model.device}: can sample>"
    assert model.can == ("sample",)
    assert (model.threshold, model.pixel_threshold) == (None, None)
    assert not model.module.training
    last = torch.load(run / "checkpoints/last.ckpt", weights_only=True)
    average = last["weight_average"]["average"]["brush.weight"]
    assert not torch.equal(average, last["state_dict"]["brush.weight"])
    loaded = fulgurite.load("tiny", checkpoint="last", device="cpu")
    torch.testing.assert_close(loaded.module.brush.weight.detach(), average, rtol=0, atol=0)


def test_samples_with_clips_are_those_of_the_command(run):
    main(["sample", "--run", "runs/tiny", "--count", "3", "--output", "drawn"])
    drawn = fulgurite.load("tiny", device="cpu").sample(3, clips=True)
    np.testing.assert_array_equal(drawn.vector, np.load("drawn/latents.npy"))
    assert drawn.picture.shape == (3, 100, 100, 1)
    assert drawn.clip.shape == (3, 3, 100, 100, 1)
    np.testing.assert_array_equal(drawn.clip[:, -1], drawn.picture)


def test_a_lone_checkpoint_and_trust(run):
    shutil.copyfile(run / "checkpoints/best.ckpt", "alone.ckpt")
    shutil.rmtree("runs")
    with pytest.raises(InputError, match=r'the package (tiny|painters) is not trusted.*trust=\["(tiny|painters)"\]'):
        fulgurite.load("alone.ckpt")
    assert fulgurite.load("alone.ckpt", trust=["tiny", "painters"]).can == ("sample",)


def test_a_model_says_what_it_cannot_do_and_what_it_can(run):
    model = fulgurite.load("tiny")
    for ask in (
        lambda: model.score("film.mp4"),
        lambda: model.embed([]),
        lambda: model.draw("song.mp3"),
        lambda: model.stream([]),
    ):
        with pytest.raises(
            fulgurite.NotOffered, match=r"Filmer cannot \w+: it can sample. Of the systems here these can"
        ):
            ask()
    assert issubclass(fulgurite.NotOffered, TypeError)
    assert issubclass(fulgurite.NotOffered, InputError)


def test_the_program_keeps_its_random_numbers_and_its_environment(run):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    before = dict(os.environ)
    fulgurite.load("tiny").sample(2)
    assert torch.equal(torch.rand(3), expected)
    assert dict(os.environ) == before
    assert sorted(path.name for path in Path().iterdir()) == ["runs", "tiny.yaml"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"checkpoint": "newest"}, "checkpoint: is newest; give best or last"),
        ({"device": "toaster"}, "device: is toaster, which this machine does not have; give cpu"),
        ({"settings": {"run.name": "a"}}, "settings: run.name cannot be set here"),
        ({"settings": {"data.source": "a"}}, "hand the source to a method"),
        ({"settings": {"model.ema_decai": 0.5}}, "Filmer has no such option. Did you mean 'ema_decay'"),
        ({"settings": {"trainer.precision": "64-true"}}, "trainer.precision is 64-true; from Python models work in"),
        ({"trust": "no_such_package"}, 'trust=["no_such_package"]: there is no such package'),
    ],
)
def test_mistakes_are_told_in_one_sentence(options, said, run):
    with pytest.raises(InputError) as told:
        fulgurite.load("tiny", **options)
    assert said in str(told.value)


def test_what_is_no_run_or_no_weights_is_refused(run):
    with pytest.raises(InputError, match=r"load runs/tinny: there is no such run"):
        fulgurite.load("runs/tinny")
    best = run / "checkpoints/best.ckpt"
    with pytest.raises(InputError, match="is a checkpoint itself; leave it out"):
        fulgurite.load(best, checkpoint="last")
    best.rename("aside.ckpt")
    with pytest.raises(InputError, match=r'checkpoint="best": \S+ does not exist; beside it lies last.ckpt'):
        fulgurite.load(run)
    Path("aside.ckpt").rename(best)
    whole = torch.load(best, weights_only=True)
    for change, said in (
        (lambda found: found["weight_average"]["average"]["brush.weight"].fill_(float("nan")), "not finite"),
        (lambda found: found["state_dict"].update(more=torch.zeros(1)), "does not fit the model"),
        (lambda found: found["phased_training"].update(system="VTAGAN"), "the checkpoint is one of VTAGAN"),
        (lambda found: found.pop("state_dict"), "holds no weights"),
    ):
        found = torch.load(best, weights_only=True)
        change(found)
        torch.save(found, best)
        with pytest.raises(InputError, match=said):
            fulgurite.load(run)
    torch.save(whole, best)
    damaged = bytearray(best.read_bytes())
    damaged[damaged.find(b"brush.weight") + 400] ^= 255
    place = len(damaged) // 2
    damaged[place : place + 200] = bytes(byte ^ 255 for byte in damaged[place : place + 200])
    best.write_bytes(damaged)
    with pytest.raises(InputError, match=r"is not a whole checkpoint|is refused"):
        fulgurite.load(run)


def test_trust_is_that_of_one_call(run):
    """What a package is trusted for ends with the call: the next one does without it."""
    shutil.copyfile(run / "checkpoints/best.ckpt", "alone.ckpt")
    shutil.rmtree("runs")
    assert fulgurite.load("alone.ckpt", trust=["tiny", "painters"]).system == "Filmer"
    with pytest.raises(InputError, match="is not trusted"):
        fulgurite.load("alone.ckpt")

"""What model and data must agree on, written for one of them."""

import pytest
import yaml

import datamodules  # noqa: F401  # a short class name is that of an imported class
import lightning_models  # noqa: F401
from fulgurite import trust
from fulgurite.given import Given
from fulgurite.shared_arguments import shared_words

CHOSEN = ["--model", "MotorVAEGAN", "--data", "ImageFolderDataModule"]


@pytest.mark.parametrize(
    ("written", "filled"),
    [
        ("--data.image_size 64 --data.channels 1", "--model.image_channels=1 --model.image_size=64"),
        ("--data.image_size=64 --data.init_args.channels=1", "--model.image_channels=1 --model.image_size=64"),
        ("--data.image_size [64,64] --data.channels 1", "--model.image_channels=1 --model.image_size=64"),
        ("--model.image_size 64 --model.image_channels 3", "--data.channels=3 --data.image_size=64"),
        ("--model.image_size 64 --data.channels 3", "--model.image_channels=3 --data.image_size=64"),
        ("--data.image_size [64,96] --data.channels 1", "--model.image_channels=1"),  # the model refuses it
        ("--model.image_size 64 --data.image_size 32 --data.channels 1", "--model.image_channels=1"),  # and this
        ("--data.image_size x --data.channels 1", "--model.image_channels=1 --model.image_size=x"),
        ("", "--data.channels=1 --data.image_size=256"),  # its defaults
    ],
)
def test_the_side_that_is_not_written_takes_the_others_value(written, filled):
    assert sorted(shared_words(Given([*CHOSEN, *written.split()]))) == sorted(filled.split())


def test_classes_and_values_in_files(tmp_path):
    (tmp_path / "base.yaml").write_text(
        "model: {class_path: lightning_models.AudioToVideo, init_args: {image_size: 32}}\n"
        "data: {class_path: AudioVideoDataModule, init_args: {fps: 12.5, sample_rate: 8000}}\n"
    )
    (tmp_path / "overlay.yaml").write_text("model: {init_args: {sample_rate: 4000}}\ndata: {init_args: {fps: 10.0}}\n")
    words = [word for name in ("base", "overlay") for word in ("--config", str(tmp_path / f"{name}.yaml"))]
    # the sample rates differ: both are written, so that the model refuses them
    assert sorted(shared_words(Given(words))) == ["--data.image_size=32", "--model.fps=10.0"]


def test_a_class_with_its_arguments_in_one_word():
    model = '{"class_path": "MotorVAEGAN", "init_args": {"image_size": 64, "image_channels": 1}}'
    words = ["--model", model, "--data", "ImageFolderDataModule"]
    assert sorted(shared_words(Given(words))) == ["--data.channels=1", "--data.image_size=64"]


@pytest.mark.parametrize(
    "words", [["--data.image_size", "64"], CHOSEN[:2], CHOSEN[2:], ["--model", "Nope", *CHOSEN[2:]]]
)
def test_nothing_is_said_of_a_choice_that_is_missing_or_wrong(words):
    assert list(shared_words(Given(words))) == []


def test_data_that_have_no_such_argument_are_left_alone():
    words = ["--model", "MotorVAEGAN", "--data", "AitexDataModule", "--model.image_size", "64"]
    assert list(shared_words(Given(words))) == ["--data.channels=1"]


def test_a_run_saves_both(fit, monkeypatch):
    from tiny import TinyModel

    monkeypatch.setattr(TinyModel, "shared_with_data", {"width": "num_workers"}, raising=False)
    saved = yaml.safe_load((fit("--model.width", "2") / "config.yaml").read_text())
    assert saved["model"]["init_args"]["width"] == saved["data"]["init_args"]["num_workers"] == 2


def test_a_class_in_a_part_of_a_trusted_package_that_nobody_has_imported(tmp_path, monkeypatch):
    (tmp_path / "package_of_mine").mkdir()
    (tmp_path / "package_of_mine/__init__.py").touch()
    (tmp_path / "package_of_mine/models.py").write_text(
        "from lightning_models import MotorVAEGAN\nclass Mine(MotorVAEGAN):\n    pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    words = ["--model", "package_of_mine.models.Mine", *CHOSEN[2:], "--data.image_size", "64", "--data.channels", "1"]
    assert list(shared_words(Given(words))) == []  # it is not trusted, and thus not imported
    monkeypatch.setattr(trust, "_added", ["package_of_mine"])
    assert sorted(shared_words(Given(words))) == ["--model.image_channels=1", "--model.image_size=64"]

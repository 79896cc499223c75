import os
from pathlib import Path

import pytest

from datamodules.errors import InputError
from fulgurite.experiment_files import find
from fulgurite.given import Given

CONFIG = """
model:
  class_path: VTAGAN
  init_args:
    num_frames: 8
    optimizer: {class_path: torch.optim.SGD, init_args: {lr: 3}}
    size: [1, 2]
data: {lr: 1}
trainer:
  callbacks:
  - {class_path: EarlyStopping, init_args: {monitor: a}}
  - {class_path: callbacks.Other, init_args: {monitor: b}}
"""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text(CONFIG)
    return path


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model", "VTAGAN"),
        ("model.num_frames", "8"),
        ("model.optimizer", "torch.optim.SGD"),
        ("model.optimizer.lr", "3"),
        ("model.size", "[1, 2]"),
        ("data.lr", "1"),
    ],
)
def test_where_a_key_was_written(key, value, path):
    assert Given(["--config", str(path)]).place(key) == f" = {value} (in {path})"


@pytest.mark.parametrize("key", ["lr", "model.lr", "model.init_args.num_frames", "frames"])
def test_the_last_part_of_a_key_is_not_the_key(key, path):
    assert Given(["--config", str(path), "--data.lr", "7"]).place(key) == ""


@pytest.mark.parametrize(("owner", "value"), [("EarlyStopping", "a"), ("Other", "b"), ("", "b")])
def test_classes_in_a_list_are_told_apart(owner, value, path):
    assert Given([f"--config={path}"]).place("trainer.callbacks.monitor", owner) == f" = {value} (in {path})"


def test_the_last_one_counts(path, tmp_path):
    later = tmp_path / "later.yaml"
    later.write_text("data: {lr: 9}")
    words = ["--data.lr", "5", "--config", str(path), "--config", str(later)]
    assert Given(words).place("data.lr") == f" = 9 (in {later})"
    assert Given([*words, "--data.init_args.lr=2"]).place("data.lr") == " = 2"
    assert list(Given(words).configs) == [Path(path), later]


def test_a_word_that_is_not_utf8_is_refused():
    with pytest.raises(InputError, match=r"b'caf\\xe9': this is not UTF-8, .* ln -s"):
        Given(["--data.source", os.fsdecode(b"caf\xe9")])


def test_a_configuration_that_is_no_file_is_told_as_what_it_is(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name, what in (("", "this is a folder"), ("pipe", "this is no file, but a pipe"), ("none", "there is no such")):
        with pytest.raises(InputError, match=f"{what}.* Give the path of a YAML file"):
            Given(["--config", str(tmp_path / name)])


@pytest.mark.parametrize("path", ["foo/smoke", "audio_to_video_legacy/smoke", "mine/ped2.yaml"])
def test_a_file_in_a_folder_of_ones_own_has_no_former_name(path):
    with pytest.raises(InputError, match="there is no such file") as refused:
        Given(["--config", path])
    assert "now called" not in str(refused.value)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("experiments/overlays/ped2.yaml", "vta_gan/ped2"),
        ("overlays/smoke.yaml", "vta_gan/smoke"),
        ("aitex_vae_v1", "aitex_vae/original"),
        ("experiments/overlays/motor_vae_gan_larsen.yaml", "motor_vae_gan/larsen"),
        ("audio_to_video_grid.yaml", "audio_to_video/grid"),
    ],
)
def test_an_overlay_by_its_former_name_is_told_the_present_one(old, new, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=rf"there is no such file\. It is now called {new}: --config {new}\."):
        Given(["--config", old])
    assert find(new)

"""What the messages advise is there: options, classes and verbs that they name."""

import os

import pytest
import torch
from PIL import Image

from datamodules import ImageFolderDataModule, VideoSnippetDataModule
from datamodules.errors import InputError
from datamodules.listing import walk
from fulgurite.class_names import unknown_class
from fulgurite.cli import main


def answer(capsys, *words):
    with pytest.raises(SystemExit) as end:
        main([*words])
    assert end.value.code == 2
    return capsys.readouterr().err.strip().splitlines()[-1]


@pytest.mark.parametrize("source", ["rtsp://camera/1", "https://example.org/a.zip", "s3://bucket/videos"])
@pytest.mark.parametrize("room", [VideoSnippetDataModule, ImageFolderDataModule])
def test_an_address_is_no_source(room, source):
    with pytest.raises(InputError, match=rf"data\.source: {source} is an address, .* download or record it first"):
        room(source)


def test_a_pipe_is_no_data(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"a\.png: is a pipe, a socket or a device"):
        walk(tmp_path, (".png",))


def test_a_class_is_not_proposed_for_itself():
    said = unknown_class("trainer.callbacks", "lightning.Callback", "a configuration may not name this")
    assert "Did you mean 'lightning.Callback'" not in said


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is one")
def test_an_accelerator_that_is_not_there_has_a_remedy(experiment, capsys):
    said = answer(capsys, "fit", "--config", experiment, "--trainer.accelerator", "gpu")
    assert said.startswith("error: trainer: ")
    assert "--trainer.accelerator auto" in said


def test_a_set_without_test_clips_has_a_remedy(tmp_path):
    for number in range(3):
        (tmp_path / "train" / f"{number}").mkdir(parents=True)
        (tmp_path / "train" / f"{number}" / "0.png").touch()
    data = VideoSnippetDataModule(str(tmp_path))
    with pytest.raises(InputError, match=r"no test clip .* use lightning predict"):
        data.setup("test")


@pytest.mark.parametrize(("split", "advice"), [("train", "a smaller data.validation_fraction and data.test_fraction")])
def test_the_shares_of_pictures_that_are_named_exist(split, advice, tmp_path):
    for number in range(8):
        Image.new("L", (8, 8), 20 * number).save(tmp_path / f"{number}.png")
    data = ImageFolderDataModule(
        str(tmp_path), 16, validation_fraction=0.49, test_fraction=0.49, cache_dir=str(tmp_path / "c"), batch_size=1
    )
    with pytest.raises(InputError, match=f"is for {split}; .*{advice}"):
        data.setup("fit")

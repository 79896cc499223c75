"""What can be trained on a folder, by the layouts that the documents show; nearly all files are empty."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from datamodules.errors import InputError
from fulgurite.preparation import recognise as module
from fulgurite.preparation.recognise import LAYOUTS, choose, recognise

PICTURES = {"motor_vae_gan", "cnn_param_tanh"}
UCSD = ["Train/Train001/001.tif", "Test/Test001/001.tif", "Test/Test001_gt/001.bmp"]
AVENUE = ["training_videos/01.avi", "testing_videos/01.avi"]
RESEARCH = ["training/frames/01/1.jpg", "testing/frames/01/1.jpg", "gt_masks_png/01/1.png"]
AITEX = ["NODefect_images/0001_000_03.png", "Defect_images/0018_010_03.png", "Mask_images/0018_010_03_mask.png"]
MVTEC = ["train/good/0.png", "test/good/0.png", "test/hole/0.png", "ground_truth/hole/0_mask.png"]


@pytest.fixture
def made(tmp_path):
    """Make files below a folder."""

    def make(*names, below="."):
        for name in names:
            path = tmp_path / below / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix == ".png":
                cv2.imwrite(str(path), np.zeros((2, 2), np.uint8))
            else:
                path.touch()
        return tmp_path

    return make


@pytest.mark.parametrize(
    ("files", "experiment", "layout", "read"),
    [
        (UCSD, "vta_gan", "ped2", "UCSD"),
        (RESEARCH, "vta_gan", "ped2", "research"),
        (AVENUE, "vta_gan", "avenue", "Avenue"),
        (["training/videos/1.avi", "testing/frames/01_1/1.jpg"], "vta_gan", "shanghaitech", "research"),
        (AITEX, "aitex_vae", "aitex", "AITEX"),
        (MVTEC, "aitex_vae", "mvtec", "MVTec AD"),
        ([f"bottle/{name}" for name in MVTEC] + ["cable/train/good/1.png"], "aitex_vae", "mvtec", "MVTec AD"),
        (["a.mp4", "b.mp4"], "vta_gan", "folder", "flat"),
    ],
)
def test_layouts_of_published_data_tell_the_experiment(files, experiment, layout, read, made):
    found = recognise(made(*files))
    assert found.layouts[experiment] == read
    assert choose(found, None, None) == choose(found, None, layout) == choose(found, experiment, layout) == experiment
    for other in LAYOUTS.keys() - {key for key, names in LAYOUTS.items() if read in names}:
        with pytest.raises(InputError, match=rf"--layout {other}: .* is read as .*{read}"):
            choose(found, experiment, other)


def test_pictures_are_for_several_experiments(made):
    found = recognise(made("1.jpg", "2.jpg"))
    assert found.layouts.keys() == PICTURES | {"aitex_vae"}
    with pytest.raises(InputError, match="choose one by --experiment aitex_vae or motor_vae_gan or cnn_param_tanh"):
        choose(found, None, None)
    assert choose(found, "cnn_param_tanh", None) == "cnn_param_tanh"
    with pytest.raises(InputError, match=r"--experiment vta_gan: data\.source: .* has no known layout"):
        choose(found, "vta_gan", None)
    assert choose(found, "my/experiment.yaml", None) == "my/experiment.yaml"


def test_classes_of_pictures_are_no_parts(made):
    assert recognise(made("rose/1.jpg", "tulip/1.jpg")).layouts.keys() == PICTURES


def test_films_with_sound_are_for_two(made, monkeypatch):
    folder = made(*(f"{number}.mp4" for number in range(6)))
    heard = []
    monkeypatch.setattr(module, "read_sound", lambda path, rate: iter([heard.append(path)]))
    assert recognise(folder).layouts == {"vta_gan": "flat", "audio_to_video": "sound"}
    assert heard == [folder / "0.mp4"]

    def silent(path, rate):
        raise InputError(f"{path}: has no sound track")
        yield

    monkeypatch.setattr(module, "read_sound", silent)
    found = recognise(folder)
    assert found.layouts == {"vta_gan": "flat"}
    with pytest.raises(InputError, match=r"--experiment audio_to_video: .*has no sound track"):
        choose(found, "audio_to_video", None)


def test_folders_of_sound_and_video_are_for_one(made, monkeypatch):
    monkeypatch.setattr(module, "read_sound", lambda path, rate: iter([path]))
    files = [f"{folder}/{number}.{end}" for folder, end in (("audio", "wav"), ("video", "mp4")) for number in range(6)]
    assert recognise(made(*files)).layouts == {"audio_to_video": "sound"}


@pytest.mark.parametrize("files", [UCSD, AVENUE, RESEARCH, AITEX, MVTEC, ["rose/1.jpg", "tulip/1.jpg"]])
def test_what_an_archive_wraps_around_is_looked_through(files, made):
    folder = made(*files, below="archive-1.0/data")
    (folder / "README.txt").touch()
    found = recognise(folder)
    # a category of MVTec AD may lie in a folder of categories
    assert found.folder == folder / ("archive-1.0" if files is MVTEC else "archive-1.0/data")
    assert found.layouts == recognise(found.folder).layouts


def test_a_set_with_training_data_alone_is_not_taken_for_its_wrapping(made):
    folder = made("train/monday.mp4", "train/tuesday.mp4")
    assert recognise(folder).folder == folder
    assert recognise(folder).layouts == {"vta_gan": "plain"}


def test_pictures_in_a_single_folder_are_those_of_that_folder(made):
    folder = made("photos/1.jpg")
    assert recognise(folder).folder == folder / "photos"


def test_several_sets_are_named(made):
    folder = made(*UCSD, below="v1p2/UCSDped1")
    made(*UCSD, below="v1p2/UCSDped2")
    made("1.jpg", below="v1p2/photos")
    with pytest.raises(
        InputError, match=r"v1p2 holds data sets of its own: name \S+photos or \S+UCSDped1 or \S+UCSDped2"
    ):
        recognise(folder)


def test_what_nothing_can_be_trained_on_is_told_of_each_experiment(made):
    folder = made("notes.txt", "a/b.doc")
    with pytest.raises(InputError, match="no experiment can be trained on it") as error:
        recognise(folder)
    for experiment in PICTURES | {"vta_gan", "aitex_vae", "audio_to_video"}:
        assert f"- {experiment}: " in str(error.value)


def test_every_experiment_that_ships_is_asked():
    root = Path(__file__).parents[3]
    shipped = {path.stem for path in root.glob("experiments/*.yaml") if path.with_suffix("").is_dir()}
    assert {name for names in module.READERS.values() for name in names} == shipped

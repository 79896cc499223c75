import math
import warnings

import cv2
import numpy as np
import pytest
from PIL import Image

from datamodules import warn_once
from datamodules.clips.video_snippets import VideoSnippetDataModule
from datamodules.deep_pictures import checked_bit_range
from datamodules.errors import InputError
from datamodules.images.image_folder import ImageFolderDataModule
from datamodules.media import read_frames
from datamodules.parts.aitex import AitexDataModule
from datamodules.picture_file import read_picture
from datamodules.sound.audio_video import AudioVideoDataModule

LOW, HIGH = 29_000, 30_600


@pytest.fixture
def thermal():
    """(40, 60) uint16 within 1,600 levels of 65,536, as thermal cameras write."""
    values = np.linspace(LOW, HIGH, 40 * 60).round().astype(np.uint16)
    return np.random.default_rng(0).permutation(values).reshape(40, 60)


@pytest.mark.parametrize("ending", ["png", "tif", "pgm"])
def test_a_range_keeps_the_levels_that_matter(thermal, ending, tmp_path):
    path = tmp_path / f"a.{ending}"
    cv2.imwrite(str(path), thermal)
    expected = np.rint((thermal.astype(float) - LOW) * (255 / (HIGH - LOW))).astype(np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(read_picture(path, 1, bit_range=(LOW, HIGH))[..., 0], expected)
    assert len(np.unique(expected)) == 256
    half = np.rint((thermal.astype(float) - LOW).clip(0, 800) * (255 / 800)).astype(np.uint8)
    np.testing.assert_array_equal(read_picture(path, 1, bit_range=(LOW, LOW + 800))[..., 0], half)


def test_without_one_the_loss_is_told_once(thermal, tmp_path, monkeypatch):
    monkeypatch.setattr(warn_once, "_said", set())
    (tmp_path / "b").mkdir()
    for name in ("a.png", "b/b.png"):
        cv2.imwrite(str(tmp_path / name), thermal)
    with pytest.warns(
        UserWarning, match=r"a\.png: of its 1601 grey levels, from 29000 to 30600, 7 remain .*\[29000, 30600\]"
    ):
        read_picture(tmp_path / "a.png", 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_picture(tmp_path / "b/b.png", 1)


def test_colour_of_sixteen_bits_too(thermal, tmp_path):
    colour = np.stack([thermal, thermal[::-1], thermal[:, ::-1]], axis=2)
    cv2.imwrite(str(tmp_path / "a.png"), colour[..., ::-1])
    expected = np.rint((colour.astype(float) - LOW) * (255 / (HIGH - LOW))).astype(np.uint8)
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png", 3, bit_range=(LOW, HIGH)), expected)


def test_pictures_of_eight_bits_are_read_as_they_are(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png", 3, bit_range=(LOW, HIGH)), pixels)


@pytest.mark.parametrize("given", [(5, 5), (9, 3), (-1, 4), (0, 65_536), (0, math.nan), (1,), 7, [0.5, 3]])
def test_what_is_no_range_is_refused(given):
    with pytest.raises(InputError, match=r"data\.bit_range: is"):
        checked_bit_range(given)


def test_frames_of_a_folder_take_it(thermal, tmp_path):
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"{number}.png"), thermal)
    (first, *_) = read_frames(tmp_path, (LOW, HIGH))
    assert len(np.unique(first)) == 256


ROOMS = (VideoSnippetDataModule, ImageFolderDataModule, AitexDataModule)


@pytest.mark.parametrize("room", ROOMS)
def test_a_checkpoint_that_learned_with_another_range_is_refused(room):
    trained = room(bit_range=(LOW, HIGH)).state_dict()
    room(bit_range=(LOW, HIGH)).load_state_dict(trained)
    with pytest.raises(InputError, match=r"data\.bit_range is null, .* give --data\.bit_range '\[29000, 30600\]'"):
        room().load_state_dict(trained)
    with pytest.raises(InputError, match=r"data\.bit_range is \[1, 2\], .* scaled with null"):
        room(bit_range=(1, 2)).load_state_dict(room().state_dict())
    older = {key: value for key, value in trained.items() if key != "bit_range"}
    room().load_state_dict(older)


def test_video_files_have_none():
    with pytest.raises(InputError, match=r"data\.bit_range: changes nothing here"):
        AudioVideoDataModule(bit_range=(LOW, HIGH))

import errno
from pathlib import Path

import numpy as np
import pytest

from datamodules.arrays import GrowingArray, GrowingPictures, mapped


def test_items_are_read_back(tmp_path):
    expected = np.arange(24, dtype=np.float32).reshape(4, 2, 3)
    with GrowingArray(tmp_path / "a.npy", np.float32, (2, 3)) as array:
        array.append(expected[:1])
        array.append(expected[1:])
        assert array.length == 4
    read = mapped(tmp_path / "a.npy")
    assert (read.dtype, read.shape) == (np.float32, (4, 2, 3))
    np.testing.assert_array_equal(read, expected)


def test_an_array_without_items_keeps_its_shape(tmp_path):
    with GrowingArray(tmp_path / "a.npy", np.uint8, (3, 4)):
        pass
    assert np.load(tmp_path / "a.npy").shape == (0, 3, 4)


@pytest.mark.parametrize("wrong", [np.zeros((1, 4), np.uint8), np.zeros((1, 3), np.float32)])
def test_items_of_another_kind_are_refused(tmp_path, wrong):
    with GrowingArray(tmp_path / "a.npy", np.uint8, (3,)) as array, pytest.raises(ValueError, match=r"expected uint8"):
        array.append(wrong)


@pytest.mark.parametrize("grey", [0, 1, 5])
def test_grey_is_kept_in_one_channel_until_colour_appears(tmp_path, grey):
    pictures = np.random.default_rng(0).integers(0, 256, (6, 3, 4, 5), np.uint8)
    pictures[:grey] = pictures[:grey, :1]
    with GrowingPictures(tmp_path / "a.npy", 4, 5) as array:
        for picture in pictures:
            array.append(picture[None])
    np.testing.assert_array_equal(mapped(tmp_path / "a.npy"), pictures)
    with GrowingPictures(tmp_path / "grey.npy", 4, 5) as array:
        array.append(pictures[:grey])
    np.testing.assert_array_equal(np.load(tmp_path / "grey.npy"), pictures[:grey, :1])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npy", "grey.npy"]


def test_an_error_while_grey_becomes_colour_is_not_hidden(tmp_path, monkeypatch):
    def fails(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", fails)
    grey, colour = np.zeros((1, 3, 4, 4), np.uint8), np.arange(48, dtype=np.uint8).reshape(1, 3, 4, 4)
    with pytest.raises(OSError, match="No space left"), GrowingPictures(tmp_path / "a.npy", 4, 4) as pictures:
        (pictures.append(grey), pictures.append(colour))

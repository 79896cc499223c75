import errno
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from callbacks.picture_file import keep_newest
from datamodules.errors import InputError
from datamodules.png_file import write_png


def test_colours_and_grey_are_written_as_they_are(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    write_png(tmp_path / "new" / "rgb.png", picture)
    write_png(tmp_path / "grey.png", picture[..., 0])
    read = cv2.imread(str(tmp_path / "new" / "rgb.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(read[..., ::-1], picture)
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "grey.png"), cv2.IMREAD_UNCHANGED), picture[..., 0])


def test_kept_is_what_was_written_last_whatever_its_name(tmp_path):
    for second, name in enumerate(["batch-3.png", "batch-4.png", "batch-5.png", "other.png", "batch-1.png"]):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (second, second))
    keep_newest(tmp_path, "batch-*.png", 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["batch-1.png", "batch-5.png", "other.png"]


def test_an_old_picture_that_cannot_be_removed_is_told(tmp_path, monkeypatch):
    def fails(*_):
        raise OSError(errno.EROFS, "Read-only file system")

    (tmp_path / "batch-1.png").touch()
    (tmp_path / "batch-2.png").touch()
    monkeypatch.setattr(Path, "unlink", fails)
    with pytest.raises(InputError, match=r"batch-1\.png cannot be written: Read-only file system"):
        keep_newest(tmp_path, "batch-*.png", 1)

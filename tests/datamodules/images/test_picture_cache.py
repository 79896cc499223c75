import json
import os
import time

import numpy as np
import pytest
import torch
from PIL import Image

from datamodules import parallel
from datamodules.arrays import mapped
from datamodules.errors import InputError
from datamodules.images.picture_cache import PictureForm, cache_pictures
from datamodules.images.picture_layouts import find_pictures


def form(**changes):
    settings = {"height": 16, "width": 24, "channels": 3, "fit": "stretch", "background": 255, "max_pixels": 10**6}
    return PictureForm(**(settings | changes))


@pytest.fixture
def folder(tmp_path):
    """Five pictures of 32x48 in one colour each."""
    (tmp_path / "set").mkdir()
    for number in range(5):
        save(tmp_path / "set" / f"{number}.png", 40 * number)
    return tmp_path / "set"


def save(path, level):
    Image.fromarray(np.full((32, 48, 3), (level, 255 - level, 7), np.uint8)).save(path)


def opened(folder, on_bad_file="error", **changes):
    return cache_pictures(find_pictures(folder), form(**changes), folder.parent / "cache", on_bad_file)


def test_rows_hold_the_pictures(folder):
    cached = opened(folder)
    array = mapped(cached.path)
    assert array.shape == (5, 3, 16, 24)
    assert array.dtype == np.uint8
    for number in range(5):
        row = array[cached.row[f"{number}.png"]]
        np.testing.assert_array_equal(row, np.broadcast_to([[[40 * number]], [[255 - 40 * number]], [[7]]], row.shape))


def test_pictures_are_decoded_once(folder, monkeypatch):
    first = opened(folder)
    monkeypatch.setattr(PictureForm, "read", lambda *_: pytest.fail("decoded again"))
    assert opened(folder) == first


def test_a_changed_file_and_every_setting_make_another_set(folder):
    paths = {opened(folder).path}
    paths.add(opened(folder, channels=1).path)
    paths.add(opened(folder, fit="crop").path)
    paths.add(opened(folder, background=0).path)
    paths.add(opened(folder, max_pixels=10**5).path)
    paths.add(opened(folder, height=17).path)
    os.utime(folder / "0.png", ns=(0, 1))
    assert opened(folder).path in paths
    save(folder / "0.png", 77)
    paths.add(opened(folder).path)
    save(folder / "new.png", 3)
    paths.add(opened(folder).path)
    assert len(paths) == 8


def test_more_pictures_than_are_decoded_at_once_keep_their_order(folder, monkeypatch):
    monkeypatch.setattr(parallel, "AHEAD", 2)
    read = PictureForm.read

    def late_for_even_numbers(self, path):
        time.sleep(0.02 * (int(path.stem) % 2 == 0))
        return read(self, path)

    monkeypatch.setattr(PictureForm, "read", late_for_even_numbers)
    cached = opened(folder)
    assert mapped(cached.path)[[cached.row[f"{n}.png"] for n in range(5)], 0, 0, 0].tolist() == [0, 40, 80, 120, 160]


def test_all_unreadable_pictures_are_named_at_once(folder):
    (folder / "1.png").write_bytes(b"nothing")
    save(folder / "3.png", 1)
    Image.new("RGB", (2000, 2000)).save(folder / "4.png")
    with pytest.raises(InputError) as error:
        opened(folder)
    message = str(error.value)
    assert "1.png: unreadable" in message
    assert "4.png: measures 2000x2000" in message
    assert "data.on_bad_file: skip" in message
    assert "3.png" not in message


def test_unreadable_pictures_can_be_left_out(folder):
    (folder / "1.png").write_bytes(b"nothing")
    (folder / "2.png").unlink()
    (folder / "2.png").symlink_to(folder / "gone.png")
    for _ in range(2):  # the second time from the cache
        with pytest.warns(UserWarning, match=r"left out 2 of 5 pictures:(.|\n)*1\.png(.|\n)*2\.png: no such file"):
            cached = opened(folder, "skip")
        assert set(cached.row) == {"0.png", "3.png", "4.png"}
        assert set(cached.unreadable) == {"1.png", "2.png"}
        assert mapped(cached.path)[cached.row["3.png"], 0, 0, 0] == 120


def test_only_a_few_of_many_unreadable_pictures_are_named(folder):
    for number in range(12):
        (folder / f"bad{number:02d}.png").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"bad04\.png: (.|\n)*and 7 more") as error:
        opened(folder)
    assert "bad05.png" not in str(error.value)


def test_what_cannot_be_read_is_named_where_it_is_now(folder):
    (folder / "1.png").write_bytes(b"nothing")
    with pytest.warns(UserWarning, match=f"{folder}/1.png: unreadable"):
        first = opened(folder, "skip")
    moved = folder.rename(folder.with_name("moved"))
    with pytest.warns(UserWarning, match=f"{moved}/1.png: unreadable"):
        assert opened(moved, "skip").path == first.path


def test_nothing_readable_is_an_error_even_if_bad_files_are_left_out(folder):
    for path in folder.iterdir():
        path.write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"0\.png: unreadable"):
        opened(folder, "skip")


def test_equal_pictures_have_equal_digests_whatever_their_file(folder):
    Image.open(folder / "1.png").save(folder / "copy.bmp")
    digest = opened(folder).digest
    assert digest["1.png"] == digest["copy.bmp"]
    assert len(set(digest.values())) == 5


def test_interrupted_and_failed_decoding_leave_nothing(folder, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(PictureForm, "read", interrupt)
    with pytest.raises(KeyboardInterrupt):
        opened(folder)
    assert list((folder.parent / "cache/pictures").iterdir()) == []


def test_full_disk_is_named(folder, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(json, "dumps", full)
    with pytest.raises(InputError, match=r"data\.cache_dir: cannot write to .*No space left.*with room"):
        opened(folder)
    assert list((folder.parent / "cache/pictures").iterdir()) == []


@pytest.fixture
def ramp():
    """(3, 40, 80): each column has its own level, 3 * column, and every row its own in the third channel."""
    picture = torch.zeros(3, 40, 80, dtype=torch.uint8)
    picture[:2] = 3 * torch.arange(80)
    picture[2] = 6 * torch.arange(40)[:, None]
    return picture


def test_crop_keeps_the_middle_in_the_right_shape(ramp):
    cut = form(height=20, width=20, fit="crop").bring(ramp)
    assert cut.shape == (3, 20, 20)
    # columns 20..59 of 80 remain, and two of them become one
    np.testing.assert_allclose(cut[0, 5, 2:-2], 3 * (20.5 + 2 * np.arange(2, 18)), atol=2)
    tall = form(height=40, width=10, fit="crop").bring(ramp)
    assert torch.equal(tall, ramp[:, :, 35:45])


def test_stretch_fills_the_picture(ramp):
    filled = form(height=40, width=20, fit="stretch").bring(ramp)
    np.testing.assert_allclose(filled[0, 7, 1:-1], 3 * (1.5 + 4 * np.arange(1, 19)), atol=2)
    np.testing.assert_array_equal(filled[2, :, 3], ramp[2, :, 0])


def test_letterbox_keeps_the_shape_and_fills_the_rest(ramp):
    boxed = form(height=40, width=40, fit="letterbox", background=99).bring(ramp)
    assert (boxed[:, :10] == 99).all()
    assert (boxed[:, 30:] == 99).all()
    np.testing.assert_allclose(boxed[0, 20, 1:-1], 3 * (0.5 + 2 * np.arange(1, 39)), atol=2)


@pytest.mark.parametrize("fit", ["letterbox", "stretch", "crop"])
@pytest.mark.parametrize("size", [(1, 1), (1, 900), (900, 1), (16, 24), (17, 23)])
def test_any_size_fits(fit, size):
    for height, width in ((16, 24), (8, 80), (80, 8)):
        brought = form(height=height, width=width, fit=fit).bring(torch.full((1, *size), 50, dtype=torch.uint8))
        assert brought.shape == (1, height, width)
        assert (brought == 50).any()


def test_fine_patterns_are_averaged_not_sampled():
    checks = (torch.arange(64)[:, None] + torch.arange(64)) % 2 * 255
    small = form(height=8, width=8).bring(checks.to(torch.uint8)[None])
    assert (small.int() - 127).abs().max() <= 2


@pytest.mark.parametrize("on_bad_file", ["error", "skip"])
def test_where_nothing_can_be_read_leaving_out_is_no_remedy(folder, on_bad_file):
    for path in folder.iterdir():
        path.write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"none of the \d+ pictures can be read; name others") as refused:
        opened(folder, on_bad_file)
    assert "on_bad_file" not in str(refused.value)

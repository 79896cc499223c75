"""Boxes of each published form, generated, must be the same; what does not fit its clip is named with its line."""

import numpy as np
import pytest

from datamodules.clips.boxes import box_files, boxed_pixels, read_boxes
from datamodules.errors import InputError

SIZE, WHOLE = (24, 32), (0, 0, 24, 32)
EXPECTED = [[0, 0, 4, 6, 12, 20], [3, 0, 5, 7, 13, 21], [3, 2, 0, 0, 2, 3]]
FORMS = {
    "own.csv": "frame,track,x,y,width,height\n3,0,7,5,14,8\n0,0,6,4,14,8\n3,2,0,0,3,2\n",
    "reordered.csv": "track;height;width;y;x;frame\n0;8;14;4;6;0\n0;8;14;5;7;3\n2;2;3;0;0;3\n",
    "middle.txt": "001.jpg 0 13 8 14 8\n\n004.jpg\t0 14 9 14 8\n004 2 1.5 1 3 2\n",
    "corners.txt": "0,0,6,4,19,11\n0,3,7,5,20,12\n2, 3, 0, 0, 2, 1\n",
}


def read(tmp_path, name, text, **changes):
    path = tmp_path / name
    path.write_text(text)
    return read_boxes(path, **({"frames": 10, "size": SIZE, "region": WHOLE} | changes))


@pytest.mark.parametrize("name", FORMS)
def test_every_form_says_the_same(tmp_path, name):
    assert read(tmp_path, name, FORMS[name]).tolist() == EXPECTED


@pytest.mark.parametrize(("name", "text"), [("none.txt", ""), ("none.csv", "frame,track,x,y,width,height\n")])
def test_a_clip_may_have_none(tmp_path, name, text):
    assert read(tmp_path, name, text).shape == (0, 6)


def test_boxes_are_scaled_into_the_letterbox_and_cut_at_the_picture(tmp_path):
    text = "frame,track,x,y,width,height\n0,7,-4,12,12,90\n"
    boxes = read(tmp_path, "a.csv", text, region=(2, 0, 6, 8))
    assert boxes.tolist() == [[0, 7, 5, 0, 8, 2]]  # a quarter as large, 2 pixels further down


def test_a_pixel_of_which_any_part_is_in_a_box_is_marked():
    boxes = np.array([[1, 0, 2, 3, 4, 5.25], [1, 1, 0.5, 0, 1, 1], [2, 0, 0, 0, 9, 9], [1, 0, 3, 3, 5 + 1e-9, 4]])
    expected = np.zeros((8, 9), np.uint8)
    expected[2:4, 3:6] = expected[0, 0] = expected[3:5, 3] = 1
    np.testing.assert_array_equal(boxed_pixels(boxes, 1, 8, 9), expected)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.txt", "001.jpg 0 13 8 14 8\nx.jpg 0 13 8 14 8", r"a\.txt, line 2: 'x 0 13 8 14 8' must be six numbers"),
        ("a.txt", "000.jpg 0 13 8 14 8", r"line 1: the frame '000\.jpg' must be counted from 1"),
        ("a.txt", "0,1,2,3,4", "line 1: '0 1 2 3 4' must be six numbers.*x_min, y_min"),
        ("a.txt", "0,1,2,3,nan,5", "line 1: '0 1 2 3 nan 5' must be six numbers"),
        ("a.txt", "0.5,1,2,3,4,5", "the first two of them whole"),
        ("a.csv", "frame,track,x,y,w,h\n0,0,1,1,2,2\n", "the first line must be frame,track,x,y,width,height"),
        ("a.csv", "frame,track,x,y,width,height\n0,0,1,1,,2\n", r"a\.csv, line 2: .* must be six numbers"),
        ("a.csv", "frame,track,x,y,width,height\n10,0,1,1,2,2\n", "line 2: is of frame 10 .*, its clip has 10;"),
        ("a.csv", "frame,track,x,y,width,height\n0,0,1,1,0,2\n", "line 2: the box is 0 wide and 2 high"),
        (
            "a.csv",
            "frame,track,x,y,width,height\n0,0,32,1,2,2\n",
            "line 2: .* x 32, y 1 lies outside of its clip.*32x24",
        ),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, name, text, message):
    with pytest.raises(InputError, match=message):
        read(tmp_path, name, text)


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe\x00\xd8")
    with pytest.raises(InputError, match=r"a\.txt: cannot be read as text"):
        read_boxes(tmp_path / "a.txt", 1, SIZE, WHOLE)


def test_a_folder_of_anything_else_is_refused(tmp_path):
    (tmp_path / "tracks").mkdir()
    (tmp_path / "tracks" / "song.mp3").write_bytes(b"")
    with pytest.raises(InputError, match=r"tracks: holds no \.csv or \.txt"):
        box_files(tmp_path / "tracks")

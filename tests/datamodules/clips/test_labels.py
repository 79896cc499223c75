import numpy as np
import pytest
import scipy.io

from datamodules.clips.labels import (
    FrameFlags,
    Spans,
    read_array,
    read_csv_spans,
    read_masks,
    read_mat_spans,
    read_ucsd_spans,
)
from datamodules.errors import InputError


def test_spans_end_is_exclusive(tmp_path):
    assert Spans(tmp_path, ((1, 3), (4, 5))).read(6).tolist() == [0, 1, 1, 0, 1, 0]
    assert Spans(tmp_path, ()).read(2).tolist() == [0, 0]


@pytest.mark.parametrize("span", [(3, 3), (-1, 2), (4, 7)])
def test_span_outside_its_clip_is_named(tmp_path, span):
    with pytest.raises(InputError, match=rf"the span from frame {span[0]} up to {span[1]} .* 6 frames"):
        Spans(tmp_path / "labels.csv", (span,)).read(6)


def test_flags_of_another_length_are_named(tmp_path):
    assert FrameFlags(tmp_path, np.array([0, 2, 1])).read(3).tolist() == [0, 1, 1]
    with pytest.raises(InputError, match=r"a\.npy: labels 3 frames, its clip has 4"):
        FrameFlags(tmp_path / "a.npy", np.zeros(3)).read(4)


def test_ucsd_list_counts_from_one_with_the_end_included(tmp_path):
    path = tmp_path / "UCSDped1.m"
    path.write_text(
        "TestVideoFile = {};\nTestVideoFile{end+1}.gt_frame = [3:5];\nTestVideoFile{end+1}.gt_frame = [1:2, 6:7 9];\n"
    )
    assert [clip.spans for clip in read_ucsd_spans(path)] == [((2, 5),), ((0, 2), (5, 7), (8, 9))]
    path.write_text("TestVideoFile{end+1}.gt_frame = [a:b];")
    with pytest.raises(InputError, match=r"UCSDped1\.m: cannot read the frames \[a:b\]"):
        read_ucsd_spans(path)


@pytest.mark.parametrize("cells", [[[[3], [5]], [[1, 6], [2, 7]]], [[[3], [5]], [[1], [2]]]])
def test_mat_counts_from_one_with_the_end_included(tmp_path, cells):
    values = np.empty((1, 2), object)
    values[0, :] = [np.array(cell) for cell in cells]
    scipy.io.savemat(tmp_path / "ped2.mat", {"gt": values})
    expected = [tuple((a - 1, b) for a, b in zip(*cell, strict=True)) for cell in cells]
    assert [clip.spans for clip in read_mat_spans(tmp_path / "ped2.mat")] == expected


def test_mat_of_one_span_per_clip_as_a_matrix(tmp_path):
    scipy.io.savemat(tmp_path / "ped2.mat", {"gt": np.array([[3, 5], [1, 2]])})
    assert [clip.spans for clip in read_mat_spans(tmp_path / "ped2.mat")] == [((2, 5),), ((0, 2),)]
    scipy.io.savemat(tmp_path / "other.mat", {"x": 1})
    assert read_mat_spans(tmp_path / "other.mat") is None


def test_csv(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("video,start,end\na,0,3\na,5,6\nb,,\n")
    assert {name: spans.spans for name, spans in read_csv_spans(path).items()} == {"a": ((0, 3), (5, 6)), "b": ()}
    path.write_text("video,start,end\na,0,x\n")
    with pytest.raises(InputError, match="line 2: start '0' and end 'x'"):
        read_csv_spans(path)
    path.write_text("clip;from;to\n")
    with pytest.raises(InputError, match="first line must be video,start,end"):
        read_csv_spans(path)


def test_pickled_labels_are_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.array({"01": [1]}, object), allow_pickle=True)
    with pytest.raises(InputError, match="opening a pickle can run code"):
        read_array(tmp_path / "a.npy")


def test_masks_of_every_kind_are_equal(tmp_path, masks):
    expected = np.random.default_rng(0).integers(0, 2, (3, 6, 8), np.uint8)
    cells = np.empty((1, 3), object)
    cells[0, :] = list(expected.astype(bool))
    scipy.io.savemat(tmp_path / "1_label.mat", {"volLabel": cells})
    np.save(tmp_path / "a.npy", expected)
    for path in (tmp_path / "1_label.mat", tmp_path / "a.npy", masks(tmp_path / "m", expected, ".bmp")):
        np.testing.assert_array_equal(np.stack(list(read_masks(path))), expected)


def test_damaged_mat_is_named(tmp_path):
    (tmp_path / "a.mat").write_bytes(b"MATLAB" * 40)
    with pytest.raises(InputError, match=r"a\.mat: not a readable MATLAB file"):
        list(read_masks(tmp_path / "a.mat"))


@pytest.mark.parametrize(
    "text",
    [
        "%TestVideoFile{end+1}.gt_frame = [1:2];\n{}.gt_frame = [3:5]; % gt_frame = [9]\n{}.gt_frame = [];\n",
        "%{\n{}.gt_frame = [1:2];\n  %{\n  {}.gt_frame = [1:2];\n  %}\n%}\n{}.gt_frame = [3:5];\n{}.gt_frame = [ ];\n",
        "{}.gt_frame = [3: ...  the beginning\n 5];\n{}.gt_frame = [...\n];\n",
    ],
)
def test_comments_of_matlab_label_no_clip(text, tmp_path):
    path = tmp_path / "UCSDped1.m"
    path.write_text("TestVideoFile = {};\n" + text.replace("{}", "TestVideoFile{end+1}"))
    assert [clip.spans for clip in read_ucsd_spans(path)] == [((2, 5),), ()]

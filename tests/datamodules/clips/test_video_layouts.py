"""Each layout in the wild, generated small, must give the same clips, labels and masks."""

import cv2
import numpy as np
import pytest
import scipy.io

from datamodules.clips.labels import read_masks
from datamodules.clips.video_layouts import read_layout
from datamodules.errors import InputError

COUNT = 12
LABELS = {1: [0] * 4 + [1] * 5 + [0] * 3, 2: [1] * 6 + [0] * 6}
SPANS = {1: (4, 9), 2: (0, 6)}


def masks_of(number):
    mask = np.zeros((COUNT, 24, 32), np.uint8)
    mask[np.array(LABELS[number]) == 1, 4:12, 6:20] = 1
    return mask


@pytest.fixture
def build(tmp_path, frames, images, video):
    """Write two training and two test clips under names made from their number."""

    def write(train, test, suffix):
        for where, seed in ((train, 0), (test, 10)):
            for number in (1, 2):
                path = tmp_path / where.format(number)
                content = frames(COUNT, seed=seed + number)
                if suffix in (".mp4", ".avi"):
                    video(path.with_suffix(".mp4"), content)
                else:
                    images(path, content, suffix)
        return tmp_path

    return write


def labels_of(clip):
    if clip.labels is not None:
        return clip.labels.read(COUNT).tolist()
    return [int(mask.any()) for mask in read_masks(clip.masks)]


def check(root, layout, names, with_masks):
    source = read_layout(root)
    assert source.layout == layout
    assert [clip.name for clip in source.test] == names
    assert [labels_of(clip) for clip in source.train] == [[0] * COUNT] * 2
    assert [labels_of(clip) for clip in source.test] == [LABELS[1], LABELS[2]]
    if with_masks:
        for number, clip in enumerate(source.test, start=1):
            np.testing.assert_array_equal(np.stack(list(read_masks(clip.masks))), masks_of(number))


def write_ucsd_list(root):
    lines = [f"TestVideoFile{{end+1}}.gt_frame = [{a + 1}:{b}];" for a, b in SPANS.values()]
    (root / "Test" / "UCSDped2.m").write_text("TestVideoFile = {};\n" + "\n".join(lines))


@pytest.mark.parametrize("kind", ["masks", "list", "both"])
def test_ucsd(build, masks, kind):
    root = build("Train/Train00{}", "Test/Test00{}", ".tif")
    (root / "Test" / ".DS_Store").write_bytes(b"")
    if kind != "list":
        for number in (1, 2):
            masks(root / "Test" / f"Test00{number}_gt", masks_of(number), ".bmp")
    if kind != "masks":
        write_ucsd_list(root)
    check(root, "UCSD", ["Test001", "Test002"], with_masks=kind != "list")


@pytest.mark.parametrize("kind", ["masks", "mat", "npy per clip", "npy of all"])
def test_research(build, masks, kind):
    root = build("training/frames/0{}", "testing/frames/0{}", ".jpg")
    if kind == "masks":
        for number in (1, 2):
            masks(root / "gt_masks_png" / f"Test00{number}", masks_of(number))
    elif kind == "mat":
        cells = np.empty((1, 2), object)
        cells[0, :] = [np.array([[a + 1], [b]]) for a, b in SPANS.values()]
        scipy.io.savemat(root / "ped2.mat", {"gt": cells})
    elif kind == "npy per clip":
        (root / "testing" / "frame_labels").mkdir()
        for number in (1, 2):
            np.save(root / "testing" / "frame_labels" / f"0{number}.npy", np.array(LABELS[number]))
    else:
        np.save(root / "frame_labels_ped2.npy", np.array([LABELS[1] + LABELS[2]]))
    check(root, "research", ["01", "02"], with_masks=kind == "masks")


def test_research_with_clips_directly_in_the_folders(build, masks):
    root = build("training/0{}", "testing/0{}", ".jpg")
    for number in (1, 2):
        masks(root / "testing" / "masks" / f"0{number}", masks_of(number))
    check(root, "research", ["01", "02"], with_masks=True)


def test_list_of_the_full_set_serves_a_part_of_its_clips(tmp_path, frames, images):
    for name in ("02", "04"):
        images(tmp_path / "testing" / "frames" / name, frames(COUNT))
    cells = np.empty((1, 5), object)
    cells[0, :] = [np.array([[number + 1], [number + 2]]) for number in range(5)]
    scipy.io.savemat(tmp_path / "ped2.mat", {"gt": cells})
    assert [clip.labels.spans for clip in read_layout(tmp_path).test] == [((1, 3),), ((3, 5),)]


@pytest.mark.parametrize("pixel", [True, False])
def test_shanghaitech(build, pixel):
    root = build("training/videos/01_00{}", "testing/frames/01_001{}", ".jpg")
    (root / "testing" / "test_frame_mask").mkdir()
    for number in (1, 2):
        np.save(root / "testing" / "test_frame_mask" / f"01_001{number}.npy", np.array(LABELS[number], np.int8))
        if pixel:
            (root / "testing" / "test_pixel_mask").mkdir(exist_ok=True)
            np.save(root / "testing" / "test_pixel_mask" / f"01_001{number}.npy", masks_of(number))
    check(root, "ShanghaiTech", ["01_0011", "01_0012"], with_masks=pixel)


@pytest.mark.parametrize("folder", ["testing_label_mask", "ground_truth_demo/testing_label_mask"])
def test_avenue(build, folder):
    root = build("training_videos/0{}", "testing_videos/0{}", ".avi")
    (root / folder).mkdir(parents=True)
    for number in (1, 2):
        cells = np.empty((1, COUNT), object)
        cells[0, :] = list(masks_of(number))
        scipy.io.savemat(root / folder / f"{number}_label.mat", {"volLabel": cells})
    check(root, "Avenue", ["01", "02"], with_masks=True)


@pytest.mark.parametrize("suffix", [".mp4", ".png"])
@pytest.mark.parametrize("kind", ["csv", "masks"])
def test_plain(build, masks, suffix, kind):
    root = build("train/walk {}", "test/Straße {}", suffix)
    if kind == "masks":
        for number in (1, 2):
            masks(root / "test" / "masks" / f"Straße {number}", masks_of(number))
    else:
        ending = suffix if suffix == ".mp4" else ""
        rows = [f"Straße {number}{ending},{a},{b}" for number, (a, b) in SPANS.items()]
        (root / "test" / "labels.csv").write_text("\n".join(["video,start,end", *rows]), encoding="utf-8")
    check(root, "plain", ["Straße 1", "Straße 2"], with_masks=kind == "masks")


def test_unlabelled_test_clips_have_no_labels(build):
    root = build("train/{}", "test/{}", ".png")
    assert [(clip.labels, clip.masks) for clip in read_layout(root).test] == [(None, None)] * 2


def test_clip_without_labels_among_labelled_ones_is_named(build, masks):
    root = build("Train/Train00{}", "Test/Test00{}", ".tif")
    masks(root / "Test" / "Test001_gt", masks_of(1), ".bmp")
    with pytest.raises(
        InputError,
        match=r"for 1 of 2 test clips \(Test002\); there are some for Test001_gt",
    ):
        read_layout(root)


def test_labels_of_an_unknown_clip_are_named(build):
    root = build("train/{}", "test/{}", ".png")
    (root / "test" / "labels.csv").write_text("video,start,end\n1,0,2\n2,,\n3,0,2\n")
    with pytest.raises(InputError, match="names 3, no such video"):
        read_layout(root)


def test_labels_of_another_number_of_clips_are_named(tmp_path, frames, images):
    for name in ("a", "b"):
        images(tmp_path / "testing" / "frames" / name, frames(COUNT))
    scipy.io.savemat(tmp_path / "ped2.mat", {"gt": np.array([[1, 2], [1, 2], [1, 2]])})
    with pytest.raises(InputError, match="labels 3 clips, there are 2"):
        read_layout(tmp_path)


def test_labels_of_another_number_of_frames_are_named(build):
    root = build("training/frames/0{}", "testing/frames/0{}", ".jpg")
    np.save(root / "frame_labels.npy", np.zeros(23))
    with pytest.raises(InputError, match="holds 23 labels, the 2 test clips have 24 frames"):
        read_layout(root)


def test_unknown_layout_says_what_was_looked_for(tmp_path):
    (tmp_path / "clips").mkdir()
    with pytest.raises(InputError, match=r"(?s)no known layout\. Found: clips\. Looked for:.*UCSD.*Avenue.*plain"):
        read_layout(tmp_path)
    with pytest.raises(InputError, match=r"data\.source: .*missing is not a folder"):
        read_layout(tmp_path / "missing")


def test_frames_without_a_folder_of_their_own_are_explained(tmp_path, frames, images):
    images(tmp_path / "train", frames(4))
    with pytest.raises(InputError, match="put the frames of each clip in a folder of its own"):
        read_layout(tmp_path)


def test_two_clips_of_one_name_are_named(tmp_path, frames, video):
    video(tmp_path / "train" / "a.mp4", frames(2))
    video(tmp_path / "train" / "a.mov", frames(2))
    with pytest.raises(InputError, match="have the same name a"):
        read_layout(tmp_path)


def test_masks_do_not_count_as_clips(build, masks):
    root = build("train/{}", "test/{}", ".png")
    masks(root / "test" / "masks" / "1", masks_of(1))
    masks(root / "test" / "masks" / "2", masks_of(2))
    cv2.imwrite(str(root / "test" / "preview.png"), np.zeros((4, 4, 3), np.uint8))
    assert len(read_layout(root).test) == 2


def test_a_folder_of_frames_that_is_called_like_a_video_can_be_named(build):
    root = build("train/{}", "test/cam{}.mp4", ".png")
    rows = [f"cam{number}.mp4,{a},{b}" for number, (a, b) in SPANS.items()]
    (root / "test" / "labels.csv").write_text("\n".join(["video,start,end", *rows]))
    check(root, "plain", ["cam1.mp4", "cam2.mp4"], with_masks=False)


def test_an_accent_may_be_composed_otherwise_in_the_table(build):
    root = build("train/{}", "test/cafe\u0301 {}", ".png")
    rows = [f"caf\u00e9 {number},{a},{b}" for number, (a, b) in SPANS.items()]
    (root / "test" / "labels.csv").write_text("\n".join(["video,start,end", *rows]), encoding="utf-8")
    check(root, "plain", ["cafe\u0301 1", "cafe\u0301 2"], with_masks=False)


def test_a_clip_that_is_named_twice_is_told(build):
    root = build("train/{}", "test/{}", ".png")
    (root / "test" / "labels.csv").write_text("video,start,end\n1,0,2\n1.mp4,3,4\n2,,\n")
    with pytest.raises(InputError, match=r"1\.mp4 and a row above it name the same video, 1;"):
        read_layout(root)


def test_arrays_that_are_no_labels_are_left_out_and_named(build):
    root = build("training/frames/0{}", "testing/frames/0{}", ".jpg")
    np.save(root / "bboxes_train.npy", np.array([[1], [2, 3]], object), allow_pickle=True)
    np.save(root / "features.npy", np.zeros((4, 3)))
    with pytest.warns(UserWarning, match=r"not known as labels here \(2 \.npy\): bboxes_train\.npy, features\.npy"):
        assert [clip.labels for clip in read_layout(root).test] == [None, None]
    np.save(root / "all.npy", np.array(LABELS[1] + LABELS[2]))
    with pytest.warns(UserWarning, match=r"not known as labels here \(2 \.npy\)"):
        source = read_layout(root)
    assert [labels_of(clip) for clip in source.test] == [LABELS[1], LABELS[2]]


def test_frame_masks_are_labels_of_every_frame(build):
    root = build("training/videos/0{}", "testing/frames/01_001{}", ".jpg")
    (root / "testing" / "frame_masks").mkdir()
    for number in (1, 2):
        np.save(root / "testing" / "frame_masks" / f"01_001{number}.npy", np.array(LABELS[number], np.int8))
    assert [labels_of(clip) for clip in read_layout(root).test] == [LABELS[1], LABELS[2]]


def test_a_list_of_other_length_than_the_clips_is_told(build):
    root = build("Train/Train00{}", "Test/Test00{}", ".tif")
    write_ucsd_list(root)
    with (root / "Test" / "UCSDped2.m").open("a") as file:
        file.write("\nTestVideoFile{end+1}.gt_frame = [1:2];\n")
    with pytest.warns(UserWarning, match=r"labels 3 clips, and 2 are there: each has those of its own number"):
        check(root, "UCSD", ["Test001", "Test002"], with_masks=False)


def test_videos_alone_are_all_normal(tmp_path, frames, video):
    for number in (10, 9):
        video(tmp_path / f"cam{number}.mp4", frames(COUNT, seed=number))
    (tmp_path / "notes.txt").write_text("the gate")
    source = read_layout(tmp_path)
    assert source.layout == "flat"
    assert [clip.name for clip in source.train] == ["cam9", "cam10"]
    assert all(clip.labels is not None and not clip.labels.spans for clip in source.train)
    assert source.test == ()


@pytest.mark.parametrize("picture", ["1.png", "clip/1.png"])
def test_videos_and_pictures_are_a_question(tmp_path, frames, video, images, picture):
    video(tmp_path / "cam.mp4", frames(COUNT))
    (tmp_path / picture).parent.mkdir(exist_ok=True)
    cv2.imwrite(str(tmp_path / picture), np.zeros((8, 8), np.uint8))
    with pytest.raises(
        InputError,
        match=rf"holds videos \(cam\.mp4\) and pictures \({picture}\): move the pictures .* or make each clip",
    ):
        read_layout(tmp_path)


def test_a_folder_beside_videos_alone_is_no_clip(tmp_path, frames, video):
    for name in ("a", "b"):
        video(tmp_path / f"{name}.mp4", frames(COUNT))
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/config.yaml").write_text("model: {}\n")
    assert [clip.name for clip in read_layout(tmp_path).train] == ["a", "b"]


@pytest.mark.parametrize(
    ("clips", "folder", "name"),
    [
        ("Test/Test00{}", "Test/tracks", "Test00{}_gt.txt"),
        ("testing/0{}", "testing/tracks", "0{}.txt"),
        ("testing_videos/0{}", "tracks", "Test0{}_gt.txt"),
        ("test/{}", "test/tracks", "{}.csv"),
    ],
)
def test_boxes_belong_to_clips_by_name(build, clips, folder, name):
    train = {"Test": "Train/Train00{}", "testing": "training/0{}", "testing_videos": "training_videos/0{}"}
    root = build(train.get(clips.partition("/")[0], "train/{}"), clips, ".png")
    (root / folder).mkdir()
    for number in (1, 2):
        (root / folder / name.format(number)).write_text("")
    source = read_layout(root)
    assert [clip.boxes.name for clip in source.test] == [name.format(1), name.format(2)]
    assert all(clip.boxes is None for clip in source.train)
    (root / folder / name.format(2)).unlink()
    with pytest.raises(InputError, match=rf"tracks: there is no file for 1 of 2 test clips \({source.test[1].name}\)"):
        read_layout(root)


def test_a_clip_with_labels_needs_no_boxes(build):
    root = build("train/{}", "test/{}", ".png")
    (root / "test" / "labels.csv").write_text("video,start,end\n1,0,2\n2,,\n")
    (root / "test" / "tracks").mkdir()
    (root / "test" / "tracks" / "1.txt").write_text("")
    assert [clip.boxes is None for clip in read_layout(root).test] == [False, True]

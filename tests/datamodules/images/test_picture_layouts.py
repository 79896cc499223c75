import random

import pytest

from datamodules.errors import InputError
from datamodules.images.picture_layouts import Picture, find_pictures, hashed_split, part_copies, read_pictures


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())
    return root


def listed(source):
    return [(picture.name, picture.label) for picture in source.pictures]


def split_of(source):
    return {picture.name: picture.split for picture in source.pictures}


def test_flat_folder(tmp_path):
    source = read_pictures(touch(tmp_path, "10.jpg", "9.PNG", "notes.txt", ".hidden.jpg", "meta.mat"), 0.1, 0.1)
    assert source.layout == "flat"
    assert source.classes == [""]
    assert listed(source) == [("9.PNG", 0), ("10.jpg", 0)]
    assert source.pictures[0].path == tmp_path / "9.PNG"


def test_one_folder_per_class(tmp_path):
    touch(tmp_path, "b/1.jpg", "a/deeper/2.jpg", "a/1.jpg", ".checkpoints/3.jpg", "a/.trash/4.jpg", "empty/readme.txt")
    source = read_pictures(tmp_path, 0.1, 0.1)
    assert source.layout == "classes"
    assert source.classes == ["a", "b"]
    assert listed(source) == [("a/1.jpg", 0), ("a/deeper/2.jpg", 0), ("b/1.jpg", 1)]


@pytest.mark.parametrize("names", [("train", "val", "test"), ("Training", "validation", "testing")])
def test_folders_name_the_splits(tmp_path, names):
    train, validation, test = names
    touch(tmp_path, f"{train}/b/1.jpg", f"{train}/a/1.jpg", f"{validation}/b/2.jpg", f"{test}/b/3.jpg")
    source = read_pictures(tmp_path, 0.5, 0.49)
    assert source.layout == "splits"
    assert source.classes == ["a", "b"]
    assert split_of(source) == {
        f"{train}/a/1.jpg": "train",
        f"{train}/b/1.jpg": "train",
        f"{validation}/b/2.jpg": "validation",
        f"{test}/b/3.jpg": "test",
    }
    assert dict(listed(source))[f"{validation}/b/2.jpg"] == 1


def test_missing_validation_folder_is_chosen_from_training_and_never_from_test(tmp_path):
    touch(tmp_path, *(f"{folder}/{n}.jpg" for folder in ("train", "test") for n in range(60)))
    splits = split_of(read_pictures(tmp_path, 0.3, 0.3))
    assert {split for name, split in splits.items() if name.startswith("test")} == {"test"}
    assert {split for name, split in splits.items() if name.startswith("train")} == {"train", "validation"}


def test_a_class_may_be_called_train(tmp_path):
    source = read_pictures(touch(tmp_path, "train/1.jpg", "plane/1.jpg"), 0.1, 0.1)
    assert source.classes == ["plane", "train"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("a/1.jpg", "2.jpg"), "holds both pictures and folders of pictures"),
        (("train/1.jpg", "test/1.jpg", "plane/1.jpg"), "unclear what is to train"),
        (("train/1.jpg", "test/1.jpg", "2.jpg"), "single pictures, so that it is unclear"),
        (("train/1.jpg", "val/1.jpg", "validation/1.jpg"), "unclear what is to train"),
        (("train/a/1.jpg", "test/b/1.jpg"), "holds the classes 'b', those to train on are 'a'"),
        (
            ("train/a/1.jpg", "test/1.jpg"),
            r"test: its pictures lie directly .* in folders of classes \(a\); sort all",
        ),
        (("notes.txt",), "holds no picture; looked for files ending in"),
    ],
)
def test_folders_that_can_be_read_in_no_or_several_ways_are_refused(tmp_path, names, message):
    with pytest.raises(InputError, match=message):
        read_pictures(touch(tmp_path, *names), 0.1, 0.1)


def test_missing_folder_and_file_are_named(tmp_path):
    with pytest.raises(InputError, match="nowhere is neither a picture nor a folder"):
        read_pictures(tmp_path / "nowhere", 0.1, 0.1)
    with pytest.raises(InputError, match="is neither a picture nor a folder"):
        find_pictures(tmp_path / "nowhere.png")


def test_a_link_that_leads_back_is_not_followed(tmp_path):
    touch(tmp_path, "a/1.jpg")
    (tmp_path / "a" / "again").symlink_to(tmp_path / "a")
    (tmp_path / "a" / "root").symlink_to(tmp_path)
    assert listed(read_pictures(tmp_path, 0.1, 0.1)) == [("a/1.jpg", 0)]


def test_second_name_of_a_file_is_refused(tmp_path):
    touch(tmp_path / "link", "1.jpg")
    (tmp_path / "link" / "2.jpg").symlink_to(tmp_path / "link" / "1.jpg")
    with pytest.raises(InputError, match=r"1\.jpg .*are one file"):
        read_pictures(tmp_path / "link", 0.1, 0.1)


def test_classes_may_be_links_to_folders_of_links(tmp_path):
    touch(tmp_path / "elsewhere", "deep/1.jpg")
    (tmp_path / "set" / "a").mkdir(parents=True)
    (tmp_path / "set" / "a" / "linked").symlink_to(tmp_path / "elsewhere" / "deep")
    assert listed(read_pictures(tmp_path / "set", 0.1, 0.1)) == [("a/linked/1.jpg", 0)]


def test_names_do_not_depend_on_how_a_system_writes_accents(tmp_path):
    touch(tmp_path, "cafe\u0301.jpg")  # e and an accent, as macOS stores it
    assert listed(read_pictures(tmp_path, 0.1, 0.1)) == [("caf\u00e9.jpg", 0)]


def test_prediction_takes_one_picture_or_all_at_any_depth(tmp_path):
    touch(tmp_path, "2.jpg", "a/b/1.png", "a/notes.txt", ".git/3.jpg")
    assert [picture.name for picture in find_pictures(tmp_path)] == ["2.jpg", "a/b/1.png"]
    assert [picture.name for picture in find_pictures(tmp_path / "a" / "b" / "1.png")] == ["1.png"]


def test_hashed_split_follows_the_name_alone(tmp_path, monkeypatch):
    names = [f"{number}.jpg" for number in range(200)]
    random.Random(0).shuffle(names)
    before = split_of(read_pictures(touch(tmp_path, *names[:120]), 0.2, 0.1))
    monkeypatch.setenv("PL_GLOBAL_SEED", "7")
    after = split_of(read_pictures(touch(tmp_path, *names[120:]), 0.2, 0.1))
    assert len(before) == 120
    assert before.items() <= after.items()
    # Written down, since another rule would move pictures that a model was trained on into its test set.
    splits = [hashed_split(f"{number}.jpg", 0.2, 0.1) for number in range(30)]
    assert [number for number in range(30) if splits[number] == "validation"] == [2, 7, 17, 24, 27]
    assert [number for number in range(30) if splits[number] == "test"] == [11, 20]


def test_hashed_split_has_the_shares_asked_for():
    splits = [hashed_split(f"picture {number}", 0.2, 0.1) for number in range(4000)]
    assert splits.count("validation") == pytest.approx(800, abs=4 * (4000 * 0.2 * 0.8) ** 0.5)
    assert splits.count("test") == pytest.approx(400, abs=4 * (4000 * 0.1 * 0.9) ** 0.5)
    assert "test" not in {hashed_split(f"picture {number}", 0.5, 0.0) for number in range(400)}


def test_a_larger_validation_share_moves_nothing_out_of_test():
    names = [f"picture {number}" for number in range(500)]
    small, large = ([hashed_split(name, share, 0.1) for name in names] for share in (0.1, 0.4))
    assert all(b == a for a, b in zip(small, large, strict=True) if a != "train")


def test_copies_stay_where_it_is_measured(tmp_path):
    content = {"a": "x", "b": "x", "c": "x", "d": "y", "e": "y", "f": "z", "g": "z"}
    splits = {
        "train": [Picture(tmp_path, name, 0, "train") for name in "adfg"],
        "validation": [Picture(tmp_path, name, 0, "validation") for name in "be"],
        "test": [Picture(tmp_path, "c", 0, "test")],
    }
    kept, notes = part_copies(splits, lambda picture: content[picture.name])
    assert {split: [picture.name for picture in pictures] for split, pictures in kept.items()} == {
        "train": ["f", "g"],
        "validation": ["e"],
        "test": ["c"],
    }
    assert sorted(notes) == [
        "a (train) shows the same as c (test)",
        "b (validation) shows the same as c (test)",
        "d (train) shows the same as e (validation)",
    ]


def test_names_that_differ_in_how_an_accent_is_composed_are_two_pictures(tmp_path):
    touch(tmp_path, "caf\u00e9.jpg")
    touch(tmp_path, "cafe\u0301.jpg")
    names = [name for name, _ in listed(read_pictures(tmp_path, 0.1, 0.1))]
    assert sorted(names) == ["cafe\u0301.jpg", "caf\u00e9.jpg"]


def test_pictures_and_videos_are_a_question(tmp_path):
    root = touch(tmp_path, "1.jpg", "holiday/film.mov")
    with pytest.raises(
        InputError, match=r"holds videos \(holiday/film\.mov\) and pictures \(1\.jpg\): move the videos"
    ):
        read_pictures(root, 0.1, 0.1)

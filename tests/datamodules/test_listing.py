"""One walk for all sources: what is data, whatever it is called and however it is reached."""

import shutil

import numpy as np
import pytest
from PIL import Image

from datamodules.clips.video_layouts import read_layout
from datamodules.errors import InputError
from datamodules.images.picture_layouts import find_pictures, read_pictures
from datamodules.listing import COMPANIONS, IMAGE_SUFFIXES, children, folder_named, folders, other_files, walk
from datamodules.media import find_videos, read_frames
from datamodules.parts.inspection_folder import list_parts, read_inspection
from datamodules.picture_file import read_picture
from datamodules.sound.audio_video_sources import find_pairs

JUNK = ("@eaDir", "__MACOSX", ".ipynb_checkpoints", "._a", ".DS_Store", "Thumbs.db", "desktop.ini", "@EADIR")


@pytest.fixture
def tree(tmp_path):
    def make(*names):
        for name in names:
            path = tmp_path / "set" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(name.encode())
        return tmp_path / "set"

    return make


def names(paths, root):
    return [path.relative_to(root).as_posix() for path in paths]


def test_files_at_any_depth_in_natural_order(tree):
    root = tree("10.png", "9.PNG", "b/2.jfif", "b/a/1.Gif", "notes.txt")
    assert names(walk(root, IMAGE_SUFFIXES), root) == ["9.PNG", "10.png", "b/2.jfif", "b/a/1.Gif"]
    assert names(other_files(root, IMAGE_SUFFIXES), root) == ["notes.txt"]
    assert names(folders(root), root) == ["b"]
    assert walk(root / "missing", IMAGE_SUFFIXES) == folders(root / "missing") == []


@pytest.mark.parametrize("junk", JUNK)
def test_junk_is_no_data_whether_file_or_folder(tree, junk):
    root = tree("a.png", f"{junk}/b.png", f"sub/{junk}", f"sub/{junk}.png" if junk.startswith(".") else "sub/c.png")
    assert names(walk(root, IMAGE_SUFFIXES), root) == (["a.png"] if junk.startswith(".") else ["a.png", "sub/c.png"])
    assert other_files(root, IMAGE_SUFFIXES) == []
    assert names(children(root), root) == ["a.png", "sub"]


def test_links_are_followed_but_not_back(tree, tmp_path):
    root = tree("a/1.png")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/2.png").touch()
    (root / "linked").symlink_to(tmp_path / "elsewhere")
    (root / "a/up").symlink_to(root)
    (root / "a/itself").symlink_to(root / "a")
    (root / "gone.png").symlink_to(tmp_path / "nothing")
    assert names(walk(root, IMAGE_SUFFIXES), root) == ["a/1.png", "gone.png", "linked/2.png"]


def test_folders_are_found_in_capitals_too(tree):
    root = tree("TEST/Good/1.png", "test2/x")
    assert folder_named(root, "test", "good") == root / "TEST/Good"
    assert not folder_named(root, "train", "good").exists()


@pytest.mark.parametrize("suffix", IMAGE_SUFFIXES)
def test_every_ending_can_be_read(tmp_path, suffix):
    kind = {".dib": "DIB", ".pbm": "PPM", ".pnm": "PPM", ".jfif": "JPEG", ".jpe": "JPEG"}.get(suffix)
    levels = np.tile(np.arange(0, 240, 10, dtype=np.uint8), (16, 1))
    Image.fromarray(levels).save(tmp_path / f"a{suffix}", kind)
    assert np.abs(read_picture(tmp_path / f"a{suffix}", 1)[..., 0].astype(int) - levels).max() <= 12


def picture_names(root):
    return [picture.name for picture in read_pictures(root, 0.0, 0.0).pictures]


ROOMS = {
    "pictures": ("1.png", "2.png", picture_names),
    "pictures to predict": ("1.png", "b/2.png", lambda root: [picture.name for picture in find_pictures(root)]),
    "parts": (
        "good/1.png",
        "cut/2.png",
        lambda root: names(
            [part.path for part in (*read_inspection(root, "error").normal, *read_inspection(root, "error").defective)],
            root,
        ),
    ),
    "parts to predict": ("1.png", "b/2.png", lambda root: names([part.path for part in list_parts(root, ())], root)),
    "clips": (
        "train/a/1.png",
        "Test/b/2.png",
        lambda root: names(
            [
                clip.path / name
                for clip, name in zip(
                    (*read_layout(root).train, *read_layout(root).test), ("1.png", "2.png"), strict=True
                )
            ],
            root,
        ),
    ),
    "clips to predict": ("a.mp4", "b.mp4", lambda root: names(find_videos(root), root)),
    "sound": ("a.mp4", "b/c.mp4", lambda root: names([pair.video for pair in find_pairs(root)], root)),
}


@pytest.mark.parametrize("room", ROOMS)
def test_no_room_takes_junk_for_data_and_each_names_once_what_it_leaves_out(tree, room, recwarn):
    first, second, found = ROOMS[room]
    beside = first.rsplit("/", 1)[0] + "/" if "/" in first else ""
    root = tree(first, second, *(f"{beside}{junk}" for junk in JUNK[3:7]), f"{beside}@eaDir/{first.rsplit('/', 1)[-1]}")
    tree(f"__MACOSX/{first}", f"{beside}IMG_1.heic", f"{beside}IMG_2.HEIC")
    assert sorted(found(root)) == sorted([first, second])
    told = {str(warning.message) for warning in recwarn}
    assert len(told) == 1
    assert f"(2 .heic): {beside}IMG_1.heic, {beside}IMG_2.HEIC" in told.pop()


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_follows_links_to_folders(tree, tmp_path, room):
    first, second, found = ROOMS[room]
    expected = sorted(found(tree(first, second)))
    moved = tmp_path / "moved"
    for folder in folders(tmp_path / "set"):
        shutil.move(folder, moved / folder.name)
        folder.symlink_to(moved / folder.name)
    assert sorted(found(tmp_path / "set")) == expected


def test_the_files_of_ucsd_may_be_in_small_letters(tree):
    source = read_layout(
        tree(
            "train/train001/1.tif",
            "TEST/test003/1.tif",
            "TEST/test003_gt/1.bmp",
            "TEST/Test004/1.tif",
            "TEST/Test004_GT/1.bmp",
        )
    )
    assert source.layout == "UCSD"
    assert [(clip.name, clip.masks.name) for clip in source.test] == [
        ("test003", "test003_gt"),
        ("Test004", "Test004_GT"),
    ]


def test_images_beside_videos_are_refused_or_named(tree):
    with pytest.raises(InputError, match=r"holds images, .* beside them b\.mp4; put"):
        find_videos(tree("1.png", "b.mp4"))
    with pytest.warns(UserWarning, match=r"left out, not known as clips here \(1 \.png\): 1\.png"):
        read_layout(tree("train/1.png", "train/b.mp4"))


def test_companions_are_no_data():
    assert not {*COMPANIONS} & {*IMAGE_SUFFIXES}


def test_frames_of_a_video_may_be_gifs(tmp_path):
    for number in range(2):
        Image.new("L", (8, 6), 100 * number).save(tmp_path / f"{number}.gif")
    assert [int(frame.mean()) for frame in read_frames(tmp_path)] == [0, 100]

import shutil

import pytest

from datamodules.errors import InputError
from datamodules.file_identity import refuse_shared_videos


@pytest.mark.parametrize("how", ["same file", "link", "copy"])
@pytest.mark.parametrize("kind", ["video", "images"])
def test_the_same_video_in_two_splits_is_refused(tmp_path, frames, video, images, how, kind):
    save = video if kind == "video" else images
    suffix = ".mp4" if kind == "video" else ""
    first = save(tmp_path / f"first{suffix}", frames(4))
    other = save(tmp_path / f"other{suffix}", frames(4, seed=3))
    second = tmp_path / f"second{suffix}"
    if how == "same file":
        second = first
    elif how == "link":
        second.symlink_to(first)
    else:
        (shutil.copytree if first.is_dir() else shutil.copy)(first, second)
    splits = {"train": [first, other], "test": [second]}
    with pytest.raises(InputError, match=rf"first{suffix} \(train\) and .*{second.name} \(test\) are the same"):
        refuse_shared_videos(splits, tmp_path / "memory")
    refuse_shared_videos({"train": [first], "test": [other]}, tmp_path / "memory")


def test_different_middle_frames_with_equal_ends_are_not_confused(tmp_path, frames, images):
    """Two clips of a fixed camera that begin and end with the same picture, one of them as long as the other."""
    images(tmp_path / "a", frames(5)[[0, 1, 2, 0]])
    images(tmp_path / "b", frames(5)[[0, 1, 2, 3, 0]])
    images(tmp_path / "c", frames(5)[[0, 1, 3, 0]])
    splits = {"train": [tmp_path / "a"], "validation": [tmp_path / "b"], "test": [tmp_path / "c"]}
    refuse_shared_videos(splits, tmp_path / "memory")

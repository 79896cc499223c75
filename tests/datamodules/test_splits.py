import shutil

import pytest

from datamodules.errors import InputError
from datamodules.splits import hold_out, refuse_shared_videos
from datamodules.video_layouts import Clip


def clips(tmp_path, count):
    return [Clip(f"{number:02d}", tmp_path / str(number)) for number in range(count)]


@pytest.mark.parametrize(("count", "fraction", "held_out"), [(10, 0.2, 2), (2, 0.0, 1), (2, 0.9, 1), (5, 0.5, 2)])
def test_whole_clips_are_held_out(tmp_path, count, fraction, held_out):
    train, validation = hold_out(clips(tmp_path, count), fraction)
    assert (len(train), len(validation)) == (count - held_out, held_out)
    assert {c.name for c in train} | {c.name for c in validation} == {f"{n:02d}" for n in range(count)}
    assert [c.name for c in train] == sorted(c.name for c in train)


def test_choice_depends_on_seed_and_names_but_not_on_order(tmp_path, monkeypatch):
    every = clips(tmp_path, 20)
    chosen = {clip.name for clip in hold_out(every, 0.3)[1]}
    assert {clip.name for clip in hold_out(every[::-1], 0.3)[1]} == chosen
    monkeypatch.setenv("PL_GLOBAL_SEED", "1")
    assert {clip.name for clip in hold_out(every, 0.3)[1]} != chosen


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_clips_are_refused(tmp_path, count):
    with pytest.raises(InputError, match=rf"data\.source: {count} usable training clips found, at least 2"):
        hold_out(clips(tmp_path, count), 0.2)


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
    splits = {"train": [Clip("a", first), Clip("b", other)], "test": [Clip("c", second)]}
    with pytest.raises(InputError, match=rf"first{suffix} \(train\) and .*{second.name} \(test\) are the same"):
        refuse_shared_videos(splits)
    refuse_shared_videos({"train": [Clip("a", first)], "test": [Clip("b", other)]})


def test_different_middle_frames_with_equal_ends_are_not_confused(tmp_path, frames, images):
    """Two clips of a fixed camera that begin and end with the same picture but differ in length."""
    images(tmp_path / "a", frames(5)[[0, 1, 2, 0]])
    images(tmp_path / "b", frames(5)[[0, 1, 2, 3, 0]])
    refuse_shared_videos({"train": [Clip("a", tmp_path / "a")], "test": [Clip("b", tmp_path / "b")]})

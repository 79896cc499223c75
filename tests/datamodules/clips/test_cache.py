import multiprocessing
import os
import pickle
import warnings
from dataclasses import replace

import numpy as np
import pytest

from datamodules.arrays import GrowingArray
from datamodules.clips import cache
from datamodules.clips.cache import cache_clips
from datamodules.clips.labels import Spans
from datamodules.clips.video_layouts import Clip
from datamodules.errors import InputError
from datamodules.letterbox import Letterbox

BOX = Letterbox(24, 32)


@pytest.fixture
def clip(tmp_path, frames, images):
    return Clip("a", images(tmp_path / "a", frames(10)))


def test_cached_frames_are_the_decoded_ones(tmp_path, clip, frames):
    (cached,) = cache_clips([clip], BOX, tmp_path / "cache", 1, "error")
    expected = frames(10).transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(cached.frames(slice(None)), expected)
    np.testing.assert_array_equal(cached.frames(slice(1, 8, 3)), expected[1:8:3])
    np.testing.assert_array_equal(cached.frames(np.array([4, 4, 2])), expected[[4, 4, 2]])
    assert (cached.length, cached.region, cached.has_masks) == (10, (0, 0, 24, 32), False)
    assert cached.label.tolist() == [-1] * 10
    assert not cached.masks(slice(2, 4)).any()


def test_grey_is_kept_in_one_channel_until_colour_appears(tmp_path, frames, images):
    grey = frames(6, grey=True)
    mixed = np.concatenate([grey[:4], frames(2)])
    clips = [Clip("grey", images(tmp_path / "g", grey)), Clip("mixed", images(tmp_path / "m", mixed))]
    first, second = cache_clips(clips, BOX, tmp_path / "cache", 1, "error")
    np.testing.assert_array_equal(first.frames(slice(None)), grey.transpose(0, 3, 1, 2)[:, :1])
    np.testing.assert_array_equal(second.frames(slice(None)), mixed.transpose(0, 3, 1, 2))


def test_nothing_is_decoded_twice_and_nothing_is_opened_per_read(tmp_path, clip, monkeypatch):
    cache_clips([clip], BOX, tmp_path / "cache", 1, "error")
    monkeypatch.setattr(cache, "read_frames", lambda path: pytest.fail(f"{path} decoded again"))
    (cached,) = cache_clips([clip], BOX, tmp_path / "cache", 1, "error")
    cached.frames(slice(0, 2))
    monkeypatch.setattr(np, "load", lambda *_, **__: pytest.fail("opened again"))
    cached.frames(slice(2, 4))


def test_what_is_cached_follows_contents_and_settings_alone(tmp_path, clip):
    def opened(path=clip.path, box=BOX, name="a"):
        return cache_clips([Clip(name, path)], box, tmp_path / "cache", 1, "error")[0].folder

    known = {opened(), opened(box=Letterbox(24, 33)), opened(box=Letterbox(24, 32, "stretch"))}
    assert len(known) == 3
    image = clip.path / "003.png"
    os.utime(image, ns=(0, 1))
    assert opened() in known
    moved = clip.path.rename(tmp_path / "moved")
    assert opened(moved, name="another") in known
    image = moved / "003.png"  # neither the first nor the last
    status, data = image.stat(), bytearray(image.read_bytes())
    data[len(data) // 2] ^= 1  # as long and as old as before
    image.write_bytes(data)
    os.utime(image, ns=(status.st_atime_ns, status.st_mtime_ns))
    with pytest.raises(InputError, match=r"003\.png"):  # it was decoded again, and is damaged now
        opened(moved)
    image.unlink()
    known.add(opened(moved))
    assert len(known) == 4


def test_labels_changed_later_are_read_without_decoding(tmp_path, clip):
    for spans in (((0, 3),), ((2, 5),)):
        labelled = Clip("a", clip.path, Spans(tmp_path, spans))
        (cached,) = cache_clips([labelled], BOX, tmp_path / "cache", 1, "error")
        assert np.flatnonzero(cached.label).tolist() == list(range(*spans[0]))
    assert len(list((tmp_path / "cache/video").iterdir())) == 1


def test_masks_are_cached_and_imply_labels(tmp_path, clip, masks):
    mask = np.zeros((10, 24, 32), np.uint8)
    mask[4:6, 3:9, 5:20] = 1
    labelled = Clip("a", clip.path, masks=masks(tmp_path / "masks", mask))
    (cached,) = cache_clips([labelled], BOX, tmp_path / "cache", 1, "error")
    np.testing.assert_array_equal(cached.masks(slice(None)), mask)
    assert cached.label.tolist() == mask.any(axis=(1, 2)).astype(int).tolist()


def test_labels_that_disagree_with_the_masks_are_told(tmp_path, clip, masks):
    marked = np.zeros((10, 24, 32), np.uint8)
    marked[4:7, 2:6, 3:9] = 1
    both = replace(clip, labels=Spans(tmp_path, ((3, 6),)), masks=masks(tmp_path / "gt", marked))
    with pytest.warns(UserWarning, match=r"labels and masks disagree in 2 of 10 frames \(first: 3\)"):
        (cached,) = cache_clips([both], BOX, tmp_path / "cache", 1, "error")
    assert cached.label.tolist() == [0, 0, 0, 1, 1, 1, 0, 0, 0, 0]
    agreeing = replace(both, labels=Spans(tmp_path, ((4, 7),)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cache_clips([agreeing], BOX, tmp_path / "cache", 1, "error")


@pytest.mark.parametrize(
    ("shape", "message"),
    [((9, 24, 32), "holds 9 masks, its clip has 10 frames"), ((10, 24, 30), "mask 0 measures 30x24, .* 32x24")],
)
def test_masks_that_do_not_fit_are_named(tmp_path, clip, masks, shape, message):
    mask = np.ones(shape, np.uint8)
    mask[:, 8:] = 0
    labelled = Clip("a", clip.path, masks=masks(tmp_path / "masks", mask))
    with pytest.raises(InputError, match=message):
        cache_clips([labelled], BOX, tmp_path / "cache", 1, "error")


def test_bad_clips_end_the_run_or_are_left_out(tmp_path, clip, frames, images):
    (clip.path.parent / "text.mp4").write_text("no video")
    (clip.path.parent / "zero.mp4").touch()
    (tmp_path / "empty").mkdir()
    clips = [
        Clip("text", tmp_path / "text.mp4"),
        Clip("zero", tmp_path / "zero.mp4"),
        Clip("empty", tmp_path / "empty"),
        Clip("gone", tmp_path / "gone.mp4"),
        Clip("short", images(tmp_path / "short", frames(3))),
    ]
    for bad in clips:
        with pytest.raises(InputError, match=bad.path.name):
            cache_clips([clip, bad], BOX, tmp_path / "cache", 8, "error")
    with pytest.warns(UserWarning, match="left out") as warned:
        usable = cache_clips([clip, *clips], BOX, tmp_path / "cache", 8, "skip")
    assert [cached.name for cached in usable] == ["a"]
    assert len(warned) == len(clips)
    assert any("has 3 frames" in str(warning.message) and "needs 8" in str(warning.message) for warning in warned)


def test_failed_building_leaves_nothing_behind(tmp_path, clip):
    data = (clip.path / "007.png").read_bytes()
    (clip.path / "007.png").write_bytes(data[:100])
    with pytest.raises(InputError, match=r"007\.png"):
        cache_clips([clip], BOX, tmp_path / "cache", 1, "error")
    assert list((tmp_path / "cache/video").iterdir()) == []
    (clip.path / "007.png").write_bytes(data)
    assert cache_clips([clip], BOX, tmp_path / "cache", 1, "error")[0].length == 10


def test_processes_that_build_at_once_agree(tmp_path, clip):
    context = multiprocessing.get_context("fork")
    gate, answers = context.Barrier(4), context.Queue()

    def build():
        gate.wait()
        (cached,) = cache_clips([clip], BOX, tmp_path / "cache", 1, "error")
        answers.put(int(cached.frames(slice(None)).sum()))

    processes = [context.Process(target=build) for _ in range(4)]
    for process in processes:
        process.start()
    found = {answers.get(timeout=30) for _ in processes}
    for process in processes:
        process.join(timeout=30)
    assert len(found) == 1
    assert len(list((tmp_path / "cache/video").iterdir())) == 1


def test_unwritable_cache_is_named(tmp_path, clip):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"data\.cache_dir: cannot write to"):
        cache_clips([clip], BOX, tmp_path / "file" / "cache", 1, "error")


def test_full_disk_is_named_and_leaves_nothing(tmp_path, clip, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(GrowingArray, "append", full)
    with pytest.raises(InputError, match="No space left on device"):
        cache_clips([clip], BOX, tmp_path / "cache", 1, "error")
    assert list((tmp_path / "cache/video").iterdir()) == []


def test_cached_clip_travels_to_workers_as_its_path(tmp_path, clip):
    (cached,) = cache_clips([clip], BOX, tmp_path / "cache", 1, "error")
    cached.frames(slice(None))
    assert len(pickle.dumps(cached)) < 2000


BOXES = "frame,track,x,y,width,height\n2,0,4,3,10,6\n3,0,5,3,10,6\n3,1,20,20,4,4\n"


def boxed(tmp_path, clip, **changes):
    (tmp_path / "boxes.csv").write_text(BOXES)
    clip = replace(clip, boxes=tmp_path / "boxes.csv", **changes)
    return cache_clips([clip], BOX, tmp_path / "cache", 1, "error")[0]


def test_boxes_alone_are_masks_and_labels_too(tmp_path, clip):
    plain = cache_clips([clip], BOX, tmp_path / "cache", 1, "error")[0]
    assert plain.boxes() is None
    cached = boxed(tmp_path, clip)
    assert cached.folder != plain.folder
    assert cached.boxes().tolist() == [[2, 0, 3, 4, 9, 14], [3, 0, 3, 5, 9, 15], [3, 1, 20, 20, 24, 24]]
    assert cached.label.tolist() == [0, 0, 1, 1] + [0] * 6
    expected = np.zeros((2, 24, 32), np.uint8)
    expected[0, 3:9, 4:14] = expected[1, 3:9, 5:15] = expected[1, 20:24, 20:24] = 1
    np.testing.assert_array_equal(cached.masks(slice(2, 4)), expected)
    assert cached.masks(slice(None)).sum() == expected.sum()


def test_masks_beside_boxes_say_which_pixels(tmp_path, clip, masks):
    drawn = np.zeros((10, 24, 32), np.uint8)
    drawn[2:4, 5, 6] = 1
    cached = boxed(tmp_path, clip, masks=masks(tmp_path / "masks", drawn))
    np.testing.assert_array_equal(cached.masks(slice(None)), drawn)
    assert len(cached.boxes()) == 3


def test_labels_that_differ_from_boxes_are_told(tmp_path, clip):
    with pytest.warns(UserWarning, match=r"labels and boxes disagree in 1 of 10 frames \(first: 2\)"):
        cached = boxed(tmp_path, clip, labels=Spans(tmp_path, ((3, 4),)))
    assert cached.label.tolist() == [0, 0, 0, 1] + [0] * 6

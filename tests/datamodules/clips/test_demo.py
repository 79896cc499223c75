import multiprocessing
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

from datamodules.clips import demo
from datamodules.clips.boxes import boxed_pixels, read_boxes
from datamodules.clips.demo import FRAMES, TRAINING_CLIPS, demo_folder
from datamodules.clips.labels import read_masks
from datamodules.clips.scenes import SCENES, SceneName
from datamodules.clips.video_layouts import read_layout
from datamodules.errors import InputError
from datamodules.media import probe, read_frames


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return demo_folder(tmp_path_factory.mktemp("cache"))


def test_demo_is_a_labelled_dataset_of_real_video_files(folder):
    source = read_layout(folder)
    assert source.layout == "plain"
    assert (len(source.train), len(source.test)) == (TRAINING_CLIPS, len(SCENES["street"].tests))
    for clip in (*source.train, *source.test):
        assert clip.path.suffix == ".mp4"
        assert probe(clip.path).frames == FRAMES


def labels_and_masks(folder):
    for clip in read_layout(folder).test:
        yield clip, clip.labels.read(FRAMES), np.stack(list(read_masks(clip.masks)))


def test_every_test_clip_has_normal_and_anomalous_frames_that_its_masks_show(folder):
    for _, labels, masks in labels_and_masks(folder):
        assert 10 <= labels.sum() <= FRAMES - 10
        assert masks.shape == (FRAMES, 128, 128)
        np.testing.assert_array_equal(masks.any(axis=(1, 2)), labels == 1)


def test_boxes_hold_what_the_masks_show_one_track_for_each_stranger(folder):
    for clip, _, masks in labels_and_masks(folder):
        height, width = masks.shape[1:]
        boxes = read_boxes(clip.boxes, FRAMES, (height, width), (0, 0, height, width))
        assert len(np.unique(boxes[:, 1])) == len(SCENES["street"].tests[int(clip.name[-2:]) - 1])
        for frame, mask in enumerate(masks):
            inside = boxed_pixels(boxes, frame, height, width)
            assert not (mask > inside).any()
            for _, _, top, left, bottom, right in boxes[boxes[:, 0] == frame].astype(int):
                part = mask[top:bottom, left:right]
                assert all(edge.any() for edge in (part[0], part[-1], part[:, 0], part[:, -1]))


def test_neither_the_frame_number_nor_movement_alone_tells_the_label(folder):
    """Rank correlation as a chance: 0.5 tells nothing, 1.0 everything."""
    numbers, movement, labels = [], [], []
    for clip in read_layout(folder).test:
        frames = np.stack([frame.astype(np.int16) for frame in read_frames(clip.path)])
        moved = np.abs(np.diff(frames, axis=0)).mean(axis=(1, 2, 3))
        movement += [moved[0], *moved]
        numbers += range(FRAMES)
        labels += clip.labels.read(FRAMES).tolist()
    truth = np.array(labels) == 1
    for values in (np.array(numbers), np.array(movement)):
        ahead = values[truth][:, None] > values[~truth][None]
        assert 0.3 < ahead.mean() < 0.8


def test_every_scene_is_another_place_with_a_slow_cyclist():
    assert get_args(SceneName) == tuple(SCENES)
    others = {name: scene for name, scene in SCENES.items() if name != "street"}
    assert len(others) >= 4
    for name, scene in others.items():
        assert ("slow cyclist",) in scene.tests
        assert scene.seed not in [one.seed for other, one in SCENES.items() if other != name]


@pytest.mark.parametrize("name", ["night"])
def test_a_scene_is_drawn_at_its_size_and_light(tmp_path, monkeypatch, name):
    monkeypatch.setattr(demo, "FRAMES", 3)
    monkeypatch.setattr(demo, "TRAINING_CLIPS", 1)
    scene = SCENES[name]
    monkeypatch.setitem(SCENES, name, replace(scene, tests=(("cart",),)))
    source = read_layout(demo_folder(tmp_path, name))
    (clip,), (test,) = source.train, source.test
    frames = np.stack(list(read_frames(clip.path)))
    assert frames.shape == (3, scene.height, scene.width, 3)
    street = np.stack(list(read_frames(read_layout(demo_folder(tmp_path)).train[0].path)))
    assert frames.mean() < 0.8 * street.mean()
    assert clip.name == test.name == f"{name}_01"
    assert np.stack(list(read_masks(test.masks))).shape == (3, scene.height, scene.width)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in SCENES if name != "street"])
def test_in_every_scene_anomalies_come_and_go_and_the_slow_cyclist_is_as_fast_as_walkers(tmp_path, name):
    scene = SCENES[name]
    for clip, labels, masks in labels_and_masks(demo_folder(tmp_path, name)):
        assert 10 <= labels.sum() <= FRAMES - 10
        np.testing.assert_array_equal(masks.any(axis=(1, 2)), labels == 1)
        if scene.tests[int(clip.name[-2:]) - 1] == ("slow cyclist",):
            seen = np.flatnonzero(masks.sum(axis=(1, 2)) > 0.9 * masks.sum(axis=(1, 2)).max())
            middle = [np.nonzero(masks[frame])[1].mean() for frame in seen]
            pace = abs(np.polyfit(seen, middle, 1)[0])
            body = scene.far + scene.growth * (scene.lanes[-2][0] - scene.horizon)
            assert 0.8 < pace / (scene.walk * body) < 1.2


def test_recipe_is_deterministic_and_clips_differ(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "FRAMES", 12)
    monkeypatch.setattr(demo, "TRAINING_CLIPS", 2)
    monkeypatch.setitem(SCENES, "street", replace(SCENES["street"], tests=(("cart", "runner"),)))
    contents = []
    for name in ("a", "b"):
        root = demo_folder(tmp_path / name)
        files = sorted(path for path in root.rglob("*") if path.is_file())
        contents.append({str(path.relative_to(root)): path.read_bytes() for path in files})
    assert contents[0] == contents[1]
    assert contents[0]["train/street_01.mp4"] != contents[0]["train/street_02.mp4"]


def test_demo_is_written_once_even_by_several_processes(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "FRAMES", 5)
    monkeypatch.setattr(demo, "TRAINING_CLIPS", 1)
    monkeypatch.setitem(SCENES, "street", replace(SCENES["street"], tests=()))
    context = multiprocessing.get_context("fork")
    gate = context.Barrier(3)

    def write():
        gate.wait()
        demo_folder(tmp_path)

    processes = [context.Process(target=write) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert len(list(tmp_path.iterdir())) == 1
    monkeypatch.setattr(demo, "write_demo", lambda *_: pytest.fail("written again"))
    demo_folder(tmp_path)


def test_interrupted_writing_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(folder, name):
        (folder / "train").mkdir()
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "write_demo", interrupt)
    with pytest.raises(KeyboardInterrupt):
        demo_folder(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_unwritable_cache_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"data\.cache_dir: cannot write the demo"):
        demo_folder(tmp_path / "file")

import tracemalloc
import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest

from datamodules.clips import video_stream
from datamodules.clips.video_stream import StreamedWindows, find_predict_sources
from datamodules.clips.windows import evaluation_starts
from datamodules.errors import InputError
from datamodules.letterbox import Letterbox
from datamodules.media import read_frames

BOX = Letterbox(24, 32)


@pytest.mark.parametrize(("num_frames", "frame_step", "stride"), [(4, 1, 1), (4, 1, 3), (3, 2, 2), (2, 3, 2)])
@pytest.mark.parametrize("count", [6, 7, 13, 20])
def test_stream_yields_the_windows_of_evaluation(tmp_path, frames, images, num_frames, frame_step, stride, count):
    content = frames(count)
    sources = find_predict_sources(images(tmp_path / "clip", content), 6, "error")
    windows = StreamedWindows(sources, BOX, num_frames, frame_step, stride)
    found = list(windows)
    starts = evaluation_starts(count, num_frames, frame_step, stride)
    assert [window.frame[0] for window in found] == starts
    assert len(windows) == len(found)
    assert [window.index for window in found] == list(range(len(found)))
    for window in found:
        np.testing.assert_array_equal(window.frames, content[window.frame].transpose(0, 3, 1, 2))
        assert window.label.tolist() == [-1] * num_frames
        assert (window.video, window.region) == ("clip", (0, 0, 24, 32))


def test_several_videos_follow_each_other(tmp_path, frames, images, video):
    images(tmp_path / "in" / "b", frames(9, seed=1))
    video(tmp_path / "in" / "a.mp4", frames(8))
    sources = find_predict_sources(tmp_path / "in", 4, "error")
    assert [(source.name, source.frames) for source in sources] == [("a", 8), ("b", 9)]
    assert (sources[0].fps, sources[0].height, sources[0].width) == (10, 24, 32)
    windows = list(StreamedWindows(sources, BOX, 4, 1, 4))
    assert [(w.video, int(w.frame[0])) for w in windows] == [("a", 0), ("a", 4), ("b", 0), ("b", 4), ("b", 5)]
    assert [window.index for window in windows] == [0, 1, 2, 3, 4]


def test_memory_does_not_grow_with_the_length(tmp_path, frames, images, monkeypatch):
    sources = find_predict_sources(images(tmp_path / "clip", frames(8)), 8, "error")
    (picture, *_) = read_frames(sources[0].path)
    peaks = []
    for count in (1000, 8000):  # how many of the 64 frames ahead are decoded at once is up to the threads
        monkeypatch.setattr(video_stream, "read_frames", lambda *_, n=count: (picture.copy() for _ in range(n)))
        windows = StreamedWindows(sources, BOX, 8, 1, 4)
        tracemalloc.start()
        assert sum(1 for _ in windows) == len(evaluation_starts(count, 8, 1, 4))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 2 * peaks[0]


def test_unknown_length_is_no_length(tmp_path, frames, images):
    (source,) = find_predict_sources(images(tmp_path / "clip", frames(8)), 4, "error")
    unknown = video_stream.PredictSource("clip", source.path, 25, 24, 32, None)
    windows = StreamedWindows([unknown], BOX, 4, 1, 1)
    with pytest.raises(TypeError, match="known only at its end"):
        len(windows)
    assert len(list(windows)) == 5
    with pytest.raises(InputError, match=r"has 8 frames, .* needs 16"):
        list(StreamedWindows([unknown], BOX, 16, 1, 1))


def test_bad_sources_are_named_or_left_out(tmp_path, frames, images, video):
    images(tmp_path / "in" / "good", frames(9))
    images(tmp_path / "in" / "short", frames(3))
    (tmp_path / "in" / "text.mp4").write_text("no video")
    with pytest.raises(InputError, match=r"short: has 3 frames, .* needs 8"):
        find_predict_sources(tmp_path / "in", 8, "error")
    with pytest.warns(UserWarning, match="left out") as warned:
        (source,) = find_predict_sources(tmp_path / "in", 8, "skip")
    assert (source.name, len(warned)) == ("good", 2)
    with pytest.warns(UserWarning, match="left out"), pytest.raises(InputError, match="no usable video"):
        find_predict_sources(tmp_path / "in" / "text.mp4", 8, "skip")
    video(tmp_path / "in" / "good.mp4", frames(9))
    with pytest.raises(InputError, match="have the same name good"):
        find_predict_sources(tmp_path / "in", 8, "skip")


def test_a_folder_of_images_given_by_dots_has_its_own_name(tmp_path, frames, images, monkeypatch):
    (images(tmp_path / "clip", frames(6)) / "below").mkdir()
    monkeypatch.chdir(tmp_path / "clip/below")
    assert [source.name for source in find_predict_sources(Path(".."), 4, "error")] == ["clip"]


def test_deep_frames_are_described_and_read_in_their_range(tmp_path):
    (tmp_path / "a").mkdir()
    for number in range(6):
        values = np.linspace(29_000, 30_600, 24 * 32).round().astype(np.uint16).reshape(24, 32)
        cv2.imwrite(str(tmp_path / "a" / f"{number}.png"), values)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (source,) = find_predict_sources(tmp_path / "a", 4, "error", (29_000, 30_600))
        (window, *_) = StreamedWindows([source], BOX, 4, 1, 1)
    assert source.bit_range == (29_000, 30_600)
    assert len(np.unique(window.frames)) > 200

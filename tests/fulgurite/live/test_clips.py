import errno
import os

import av
import numpy as np
import pytest

from datamodules.atomic_file import DiskError
from datamodules.clips.live_stream import to_jpeg
from fulgurite.live import clips
from fulgurite.live.clips import ClipRecorder, Kept


def frame(number, size=(32, 48), fps=10):
    return Kept(number, number / fps, to_jpeg(np.full((*size, 3), 5 * number % 256, np.uint8)), size)


def shown(path):
    """What is seen in a clip, by the number that its brightness stands for."""
    with av.open(str(path)) as film:
        return [round(picture.to_ndarray(format="gray").mean() / 5) for picture in film.decode(video=0)]


def test_a_clip_has_what_was_before_and_what_is_after(tmp_path):
    finished = []
    recorder = ClipRecorder(before=0.5, shortest=0.2, longest=60, tell=print)
    for number in range(30):
        recorder.add(frame(number))
        if number == 12:
            recorder.begin(tmp_path / "1.mp4", 1.0, finished.append)
        if number == 15:
            recorder.end_at(1.8)
    recorder.close()
    assert finished == [tmp_path / "1.mp4"]
    assert shown(tmp_path / "1.mp4") == list(range(5, 19))
    with av.open(str(tmp_path / "1.mp4")) as film:
        assert film.streams.video[0].average_rate == 10


def test_a_second_alarm_ends_the_clip_of_the_first(tmp_path):
    finished = []
    recorder = ClipRecorder(0.2, 0, 60, print)
    for number in range(20):
        recorder.add(frame(number))
        if number in (5, 10):
            recorder.begin(tmp_path / f"{number}.mp4", number / 10, finished.append)
    recorder.close()
    assert finished == [tmp_path / "5.mp4", tmp_path / "10.mp4"]
    assert shown(finished[0]) == list(range(3, 11))
    assert shown(finished[1]) == list(range(8, 20))


def test_a_picture_of_another_size_ends_it(tmp_path):
    finished = []
    recorder = ClipRecorder(1, 0, 60, print)
    for number in range(10):
        recorder.add(frame(number, (32, 48) if number < 6 else (48, 32)))
        if number in (3, 7):
            recorder.begin(tmp_path / f"{number}.mp4", number / 10, finished.append)
    recorder.close()
    assert [len(shown(path)) for path in finished] == [6, 4]


@pytest.mark.parametrize("where", ["begin", "write"])
def test_a_full_disk_is_told_and_the_next_clip_is_tried(tmp_path, monkeypatch, where):
    told, finished = [], []
    real, full = clips.VideoWriter, [True]

    class Writer(real):
        def __init__(self, path, *given):
            if full[0] and where == "begin":
                raise DiskError(f"{path} cannot be written", "No space left on device")
            super().__init__(path, *given)

        def write(self, picture):
            if full[0]:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            super().write(picture)

    monkeypatch.setattr(clips, "VideoWriter", Writer)
    recorder = ClipRecorder(0, 0, 60, told.append)
    for number in range(12):
        recorder.add(frame(number))
        if number in (2, 8):
            recorder._work.join()
            full[0] = number == 2
            recorder.begin(tmp_path / f"{number}.mp4", number / 10, finished.append)
    recorder.close()
    assert finished == [None, tmp_path / "8.mp4"]
    assert told == [f"{tmp_path}/2.mp4 cannot be written: No space left on device. The watch goes on without it"]
    assert [path.name for path in tmp_path.iterdir()] == ["8.mp4"]


def test_a_defect_is_not_swallowed(tmp_path, monkeypatch):
    monkeypatch.setattr(clips, "from_jpeg", lambda _: 1 / 0)
    recorder = ClipRecorder(0, 0, 60, print)
    recorder.add(frame(0))
    recorder.begin(tmp_path / "a.mp4", 0, print)
    with pytest.raises(ZeroDivisionError):
        recorder.close()

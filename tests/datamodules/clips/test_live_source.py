import threading
import time

import av
import numpy as np
import pytest

from datamodules.clips import live_source
from datamodules.clips.live_source import LiveSource, follow, open_live, read_source, without_secrets
from datamodules.errors import InputError


@pytest.mark.parametrize(
    ("text", "kind", "opened", "shown"),
    [
        ("0", "camera", "0", "camera 0"),
        ("/dev/video2", "camera", "2", "camera 2"),
        ("rtsp://me:pass@cam/1?key=2", "address", "rtsp://me:pass@cam/1?key=2", "rtsp://***@cam/1?***"),
        ("HTTP://cam:81/video.mjpg", "address", "HTTP://cam:81/video.mjpg", "http://cam:81/video.mjpg"),
    ],
)
def test_sources_are_known_by_how_they_are_written(text, kind, opened, shown):
    assert read_source(text) == LiveSource(kind, opened, shown)
    assert read_source(text).is_live


def test_a_path_must_lead_somewhere(tmp_path):
    (tmp_path / "0").touch()
    assert read_source(str(tmp_path / "0")).kind == "file"
    with pytest.raises(InputError, match="there is no such file; give a video"):
        read_source(str(tmp_path / "1"))
    with pytest.raises(InputError, match=r"--source file://\*\*\*@x/y: give an address of rtsp"):
        read_source("file://a:b@x/y")
    assert without_secrets("rtsp://a:b@c@d:5/e") == "rtsp://***@d:5/e"


def test_a_camera_gives_red_green_and_blue_and_is_given_back(monkeypatch):
    released = []

    class Capture:
        def __init__(self, number):
            self.left = 2 if number == 0 else 0
            self.number = number

        def isOpened(self):
            return self.number == 0

        def read(self):
            self.left -= 1
            return self.left >= 0, np.full((4, 6, 3), (1, 2, 3), np.uint8)

        def release(self):
            released.append(self.number)

    monkeypatch.setattr(live_source.cv2, "VideoCapture", Capture)
    found = list(open_live(read_source("0")))
    assert [(moment, frame[0, 0].tolist()) for moment, frame in found] == [(None, [3, 2, 1])] * 2
    with pytest.raises(InputError, match="it cannot be opened; is it plugged in"):
        list(open_live(read_source("7")))
    assert released == [0, 7]


def test_an_address_where_nobody_answers_is_told_by_what_is_wrong(monkeypatch):
    with pytest.raises(InputError, match=r"^Connection refused$"):
        list(open_live(read_source("http://127.0.0.1:9/x")))


def encode(path, count, options):
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream("libx264", rate=10, options={"preset": "ultrafast", "tune": "zerolatency"})
        stream.height = stream.width = 32
        stream.pix_fmt = "yuv420p"
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 4 * number, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def test_a_file_that_grows_is_read_to_where_it_stops(tmp_path, monkeypatch):
    monkeypatch.setattr(live_source, "_LOOKS", 0.01)
    encode(tmp_path / "whole.ts", 40, {})
    content = (tmp_path / "whole.ts").read_bytes()
    growing = tmp_path / "growing.ts"
    growing.write_bytes(content[: len(content) // 2])

    def write():
        time.sleep(0.2)
        with growing.open("ab") as file:
            file.write(content[len(content) // 2 :])

    writer = threading.Thread(target=write)
    writer.start()
    found = list(follow(read_source(str(growing)), 0.6, lambda: False))
    writer.join()
    assert len(found) == 40
    assert [round(when, 3) for when, _ in found] == [number / 10 for number in range(40)]
    assert np.abs(found[30][1].mean() - 120) < 4


def test_following_ends_when_it_is_asked_to(tmp_path):
    encode(tmp_path / "a.ts", 10, {})
    began = time.monotonic()
    assert len(list(follow(read_source(str(tmp_path / "a.ts")), 60.0, lambda: True))) == 10
    assert time.monotonic() - began < 5


def test_what_is_whole_only_in_the_end_is_refused_while_it_grows(tmp_path):
    encode(tmp_path / "a.mp4", 10, {})
    half = tmp_path / "half.mp4"
    half.write_bytes((tmp_path / "a.mp4").read_bytes()[:-600])
    with pytest.raises(InputError, match=r"cannot be read while it grows .*; record as \.ts or \.mkv"):
        list(follow(read_source(str(half)), 0.1, lambda: False))

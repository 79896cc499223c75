import threading
import time

import cv2
import numpy as np
import pytest

from datamodules.clips import live_stream
from datamodules.clips.live_stream import Clock, FileStream, LiveStream, Prepare
from datamodules.errors import InputError
from datamodules.letterbox import Letterbox

PREPARE = Prepare(Letterbox(8, 8), keep_original=False)
FRAME = np.zeros((10, 12, 3), np.uint8)


def live(open_source, room=100, is_over=lambda: False):
    told = []
    return LiveStream("yard", open_source, PREPARE, room, told.append, is_over), told


def test_what_cannot_be_taken_is_left_out_in_one_piece():
    gate, ended = threading.Event(), threading.Event()

    def camera():
        for _ in range(50):
            yield None, FRAME
        gate.set()
        assert ended.wait(5)
        for _ in range(5):
            yield None, FRAME
        raise InputError("unplugged")

    stream, _ = live(camera, room=8)
    shots = iter(stream)
    numbers = [next(shots).number]
    assert gate.wait(5)
    assert stream.dropped == pytest.approx(42, abs=1)  # the first may have been taken out before or after
    numbers += [next(shots).number for _ in range(8 - 1)]
    ended.set()
    while (shot := next(shots)) is not None or numbers[-1] < 40:
        numbers.append(None if shot is None else shot.number)
    gaps = [place for place, number in enumerate(numbers) if number is None]
    assert len(gaps) == 1
    (place,) = gaps
    assert numbers[:place] == list(range(place))
    assert numbers[place + 1 :] == list(range(numbers[place + 1], 55))
    assert numbers[place + 1] >= 50
    assert stream.dropped == numbers[place + 1] - place
    shots.close()


def test_a_source_that_is_lost_is_tried_again_with_longer_waits(monkeypatch):
    waits, opened, over = [], [], threading.Event()

    class Event(threading.Event):
        def wait(self, timeout=None):
            waits.append(timeout)
            return super().wait(0)

    def camera():
        opened.append(time.monotonic())
        if len(opened) in (2, 3, 4):
            raise InputError("no route")
        yield from ((None, FRAME), (None, FRAME))
        if len(opened) > 5:
            over.set()

    monkeypatch.setattr(live_stream.threading, "Event", Event)
    stream, told = live(camera, is_over=over.is_set)
    found = list(stream)
    waits = [one for one in waits if one is not None and one >= 1]
    assert waits[:5] == [1.0, 2.0, 4.0, 8.0, 1.0]  # when it is back they begin anew
    numbers = [shot if shot is None else shot.number for shot in found]
    assert numbers[:6] == [0, 1, None, 2, 3, None][: len(numbers[:6])]
    assert told[0] == "yard is lost: it has ended. Trying again"
    assert told[1].startswith("yard is back after 0.")
    assert stream.losses >= 2


def test_one_that_was_never_there_is_an_error():
    def camera():
        raise InputError("no route")
        yield

    stream, told = live(camera)
    with pytest.raises(InputError, match="--source yard: no route"):
        list(stream)
    assert told == []


def test_a_defect_of_the_reader_is_raised_where_frames_are_waited_for():
    def camera():
        yield None, FRAME
        raise ZeroDivisionError

    stream, _ = live(camera)
    with pytest.raises(ZeroDivisionError):
        list(stream)


def test_frames_have_the_time_at_which_they_came():
    def camera():
        yield None, FRAME
        time.sleep(0.05)
        yield None, np.zeros((20, 20, 3), np.uint8)
        raise ZeroDivisionError

    stream, _ = live(camera)
    shots = iter(stream)
    first, gap, second = (next(shots) for _ in range(3))
    assert gap is None  # it has another size
    assert (first.time, first.size, second.size) == (0.0, (10, 12), (20, 20))
    assert second.time >= 0.05
    assert (second.at - first.at).total_seconds() == pytest.approx(second.time, abs=0.02)
    shots.close()


def test_frames_that_come_in_a_burst_have_the_times_of_their_source():
    clock = Clock()
    came = [5.0, 5.001, 5.002, 5.3, 5.4]
    found = [clock.time_of(moment, when) for moment, when in zip([90.0, 90.1, 90.2, 90.3, 90.4], came, strict=True)]
    assert found == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    clock.forget_source()
    assert clock.time_of(1000.0, 8.4) == pytest.approx(3.4)  # three seconds later, whatever it says
    assert clock.time_of(1000.1, 8.4) == pytest.approx(3.5)


@pytest.mark.parametrize("moment", [None, 90.0, 89.0, 500.0])
def test_a_clock_that_cannot_be_believed_is_not(moment):
    clock = Clock()
    clock.time_of(90.0, 5.0)
    assert clock.time_of(moment, 5.25) == pytest.approx(0.25)
    again = clock.time_of(moment, 5.25)
    assert 0.25 < again < 0.26  # times must rise


def test_a_file_is_read_whole_or_at_its_own_pace():
    frames = [(number / 50, FRAME) for number in range(6)]
    began = time.monotonic()
    assert [shot.number for shot in FileStream(frames, PREPARE, lambda: False, real_time=False)] == list(range(6))
    quick = time.monotonic() - began
    began = time.monotonic()
    assert [shot.time for shot in FileStream(frames, PREPARE, lambda: False, real_time=True)] == [
        n / 50 for n in range(6)
    ]
    assert time.monotonic() - began >= 0.1 > quick


def test_a_file_ends_when_it_is_asked_to():
    seen = []
    for shot in FileStream([(n, FRAME) for n in range(9)], PREPARE, lambda: len(seen) == 3, real_time=False):
        seen.append(shot.number)
    assert seen == [0, 1, 2]


def test_originals_are_kept_where_somebody_needs_them():
    picture = np.full((10, 12, 3), (200, 30, 60), np.uint8)
    assert PREPARE(0, 0.0, picture).jpeg is None
    shot = Prepare(Letterbox(8, 8), keep_original=True)(0, 0.0, picture)
    back = cv2.imdecode(np.frombuffer(shot.jpeg, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert np.abs(back.astype(int) - picture).max() < 8
    assert shot.small.shape == (3, 8, 8)

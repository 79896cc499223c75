import numpy as np
import pytest
import torch

from datamodules.clips.live_stream import Shot
from datamodules.clips.live_windows import LiveWindows, frames_until_final
from datamodules.clips.video_stream import StreamedWindows, WindowCutter, find_predict_sources
from datamodules.clips.windows import collate
from datamodules.letterbox import Letterbox
from datamodules.streamed_loader import StreamedLoader

BOX = Letterbox(24, 32)


class Stream:
    dropped = 0

    def __init__(self, shots):
        self.shots = shots

    def __iter__(self):
        return iter(self.shots)


class Watcher:
    def __init__(self):
        self.seen = []

    def begin(self, first):
        self.seen.append(("begin", first.number))

    def take(self, shot):
        self.seen.append(shot.number)

    def end(self):
        self.seen.append("end")


def shots(content, pieces=((0, None),)):
    for first, last in pieces:
        for number, frame in list(enumerate(content))[first:last]:
            yield Shot(
                number, number / 10, BOX.picture(frame), BOX.region(*frame.shape[:2]), frame.shape[:2], None, None
            )
        yield None


def watched(stream, shape, batch_size=3):
    watcher = Watcher()
    cut = lambda name, region: WindowCutter(name, region, *shape)  # noqa: E731
    return LiveWindows(stream, cut, batch_size, collate, watcher), watcher


@pytest.mark.parametrize("shape", [(4, 1, 1), (4, 1, 3), (3, 2, 2), (2, 3, 2)])
@pytest.mark.parametrize("count", [6, 7, 20])
def test_batches_are_those_of_a_prediction(tmp_path, frames, images, shape, count):
    content = frames(count)
    sources = find_predict_sources(images(tmp_path / "clip", content), 6, "error")
    expected = list(StreamedLoader(StreamedWindows(sources, BOX, *shape), 3, collate))
    found = list(iter(watched(Stream(shots(content)), shape)[0]))  # list() alone would ask for its length
    assert len(found) == len(expected) > 0
    for one, other in zip(found, expected, strict=True):
        for name in ("frames", "frame", "label", "region"):
            assert torch.equal(getattr(one, name), getattr(other, name))


def test_no_window_reaches_over_what_is_missing(frames):
    windows, watcher = watched(Stream(shots(frames(20), [(0, 7), (9, 12), (13, 20)])), (4, 1, 2))
    spans = []
    for batch in windows:
        watcher.seen.append("scored")
        spans += [(name, int(frame[0]), int(frame[-1])) for name, frame in zip(batch.video, batch.frame, strict=True)]
    pieces = {name: [span[1:] for span in spans if span[0] == name] for name in "012"}
    assert pieces == {"0": [(0, 3), (2, 5), (3, 6)], "1": [], "2": [(0, 3), (2, 5), (3, 6)]}
    # the end of a piece is told when its last batch was scored
    assert watcher.seen[-3:] == [19, "scored", "end"]
    assert watcher.seen.count("end") == 3
    assert [one for one in watcher.seen if isinstance(one, tuple)] == [("begin", 0), ("begin", 9), ("begin", 13)]


@pytest.mark.parametrize("shape", [(4, 1, 1), (8, 1, 2), (4, 1, 4), (3, 2, 2), (2, 3, 1)])
@pytest.mark.parametrize("batch_size", [1, 4])
def test_the_delay_is_that_of_a_stream(shape, batch_size):
    num_frames, step, stride = shape
    count = 40 * step * stride * batch_size
    picture = np.zeros((3, 24, 32), np.uint8)
    stream = Stream([Shot(n, float(n), picture, (0, 0, 24, 32), (24, 32), None, None) for n in range(count)])
    windows, watcher = watched(stream, shape, batch_size)
    delays, final = [], 0
    for batch in windows:
        read = sum(isinstance(one, int) for one in watcher.seen)
        if read == count:
            break
        newest = int(batch.frame[:, 0].max())
        delays += [read - 1 - frame for frame in range(final, newest)]
        final = max(final, newest)
    assert frames_until_final(num_frames, step, stride, batch_size) == max(delays)


def test_nothing_is_read_ahead_of_what_was_asked_for(frames):
    windows, watcher = watched(Stream(shots(frames(20))), (4, 1, 1), batch_size=1)
    next(iter(windows))
    assert watcher.seen[-1] == 4
    assert len(windows) > 10**15

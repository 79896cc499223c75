"""Which stream of a file is read, and pictures that are shown on for longer than one interval."""

import warnings
from fractions import Fraction

import av
import numpy as np
import pytest
from av.stream import Disposition

from datamodules.errors import InputError
from datamodules.media import probe, read_frames

SIZE = (32, 48)


def grey(level):
    return av.VideoFrame.from_ndarray(np.full((*SIZE, 3), level, np.uint8), format="rgb24")


def add_stream(container, codec, rate=10, pixels="yuv420p"):
    stream = container.add_stream(codec, rate=rate)
    stream.height, stream.width = SIZE
    stream.pix_fmt = pixels
    return stream


def encode(container, stream, levels, moments, rate=10):
    for level, moment in zip(levels, moments, strict=True):
        frame = grey(level).reformat(format=stream.pix_fmt)
        frame.pts, frame.time_base = moment, Fraction(1, rate)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def levels_of(path):
    return [round(float(frame.mean())) for frame in read_frames(path)]


def test_a_picture_of_the_cover_is_no_video(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        cover, video = add_stream(container, "mjpeg", pixels="yuvj420p"), add_stream(container, "mpeg4")
        cover.disposition = Disposition.attached_pic
        encode(container, cover, [250], [0])
        encode(container, video, [40] * 12, range(12))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert probe(path).frames == 12
        assert levels_of(path) == pytest.approx([40] * 12, abs=4)


def test_of_several_videos_players_choose_the_default(tmp_path):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        first, second = add_stream(container, "mpeg4"), add_stream(container, "mpeg4")
        first.disposition, second.disposition = Disposition(0), Disposition.default
        encode(container, first, [40] * 6, range(6))
        encode(container, second, [200] * 6, range(6))
    with pytest.warns(UserWarning, match=r"a\.mkv: has 2 video tracks; track 1 is taken, the default one"):
        assert levels_of(path) == pytest.approx([200] * 6, abs=4)


SHOWN_ON = [0, 1, 2, 5, 6, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19]  # of twenty intervals; what is missing is repeated


def test_an_avi_with_dropped_frames_is_whole(tmp_path):
    path = tmp_path / "a.avi"
    with av.open(str(path), "w") as container:
        encode(
            container, add_stream(container, "mjpeg", pixels="yuvj420p"), [10 * moment for moment in SHOWN_ON], SHOWN_ON
        )
    info = probe(path)
    assert (info.frames, info.fps) == (20, 10.0)
    assert levels_of(path) == pytest.approx(
        [10 * max(shown for shown in SHOWN_ON if shown <= moment) for moment in range(20)], abs=4
    )
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"a\.avi: truncated, its index lists 20 frames"):
        probe(path)


def test_an_empty_packet_shows_the_picture_before(tmp_path):
    path, whole = tmp_path / "a.nut", tmp_path / "whole.mkv"  # a container that keeps empty packets
    with av.open(str(whole), "w") as container:
        encode(container, add_stream(container, "mjpeg", pixels="yuvj420p"), [20 * n for n in range(12)], range(12))
    with av.open(str(whole)) as source, av.open(str(path), "w") as container:
        stream = container.add_stream_from_template(source.streams.video[0])
        for number, packet in enumerate(source.demux(video=0)):
            if packet.dts is None:
                continue
            if number % 3:
                empty = av.Packet(0)
                empty.pts, empty.dts, empty.time_base = packet.pts, packet.dts, packet.time_base
                packet = empty
            packet.stream = stream
            container.mux(packet)
    assert levels_of(path) == pytest.approx([0, 0, 0, 60, 60, 60, 120, 120, 120, 180], abs=4)


def test_a_title_may_have_any_encoding(tmp_path):
    path = tmp_path / "a.avi"
    with av.open(str(path), "w") as container:
        container.metadata["title"] = "caf#"
        encode(container, add_stream(container, "mjpeg", pixels="yuvj420p"), [40] * 5, range(5))
    path.write_bytes(path.read_bytes().replace(b"caf#", b"caf\xe9"))
    with av.open(str(path), metadata_errors="surrogateescape") as container:
        assert container.metadata["title"] == "caf\udce9"
    assert levels_of(path) == pytest.approx([40] * 5, abs=4)


@pytest.mark.parametrize(("suffix", "codec"), [(".mkv", "mpeg4"), (".webm", "libvpx")])
def test_a_file_that_ends_before_its_header_says_is_told(suffix, codec, tmp_path):
    whole, cut = tmp_path / f"whole{suffix}", tmp_path / f"cut{suffix}"
    noise = np.random.default_rng(0)
    with av.open(str(whole), "w") as container:
        stream = add_stream(container, codec)
        for number in range(30):
            frame = av.VideoFrame.from_ndarray(noise.integers(0, 256, (*SIZE, 3), np.uint8), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert sum(1 for _ in read_frames(whole)) == 30
    content = whole.read_bytes()
    for tenth in range(3, 9):
        cut.write_bytes(content[: len(content) * tenth // 10])
        with pytest.warns(UserWarning, match=rf"cut\{suffix}: its header says 3\.00 seconds and its last frame is at"):
            assert 0 < sum(1 for _ in read_frames(cut)) < 30

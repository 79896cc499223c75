import struct
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from PIL import ExifTags, Image

from datamodules.errors import InputError
from datamodules.media import FOLDER_FPS, VideoWriter, find_videos, probe, read_frames
from datamodules.picture_file import read_picture


def test_folder_is_read_in_natural_order_with_hidden_files_left_out(tmp_path):
    for number in (10, 9, 1):
        cv2.imwrite(str(tmp_path / f"f{number}.png"), np.full((4, 6, 3), number, np.uint8))
    (tmp_path / "._f1.png").write_bytes(b"what a Mac leaves behind")
    (tmp_path / "notes.txt").write_text("not an image")
    assert [frame[0, 0, 0] for frame in read_frames(tmp_path)] == [1, 9, 10]
    info = probe(tmp_path)
    assert (info.fps, info.height, info.width, info.frames) == (FOLDER_FPS, 4, 6, 3)


@pytest.mark.parametrize("size", [(24, 32), (25, 33)])
def test_written_video_reads_back(tmp_path, frames, video, size):
    written = frames(12, *size)
    path = video(tmp_path / "straße 街.mp4", written, fps=29.97)
    read = list(read_frames(path))
    height, width = (side + side % 2 for side in size)
    info = probe(path)
    assert (info.height, info.width, info.frames) == (height, width, 12)
    assert info.fps == pytest.approx(29.97, abs=1e-3)
    assert all(frame.dtype == np.uint8 and frame.shape == (height, width, 3) for frame in read)
    difference = np.abs(np.stack(read)[:, : size[0], : size[1]].astype(int) - written)
    assert np.median(difference) < 8  # H.264 with halved colour, of a noisy picture


def test_video_plays_in_browsers_while_it_loads(tmp_path, frames, video):
    path = video(tmp_path / "a.mp4", frames())
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")


def test_failed_writing_leaves_no_file(tmp_path):
    def fail():
        with VideoWriter(tmp_path / "a.mp4", 10, (8, 8)) as video:
            video.write(np.zeros((8, 8, 3), np.uint8))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_writer_refuses_frames_of_another_size(tmp_path):
    with pytest.raises(ValueError, match="expected uint8"), VideoWriter(tmp_path / "a.mp4", 10, (8, 8)) as video:
        video.write(np.zeros((8, 10, 3), np.uint8))


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "I;16", "1"])
def test_unusual_frames_read_as_pillow_reads_them(tmp_path, mode):
    levels = np.linspace(0, 255, 20 * 30).reshape(20, 30).astype(np.uint8)
    colour = np.stack([levels, levels[::-1], levels[:, ::-1]], -1)
    path = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    if mode == "I;16":
        assert cv2.imwrite(str(path), levels.astype(np.uint16) * 257)
        expected = np.repeat(levels[..., None], 3, -1)
    else:
        image = Image.fromarray(colour).convert("L" if mode == "L" else mode)
        image.save(path)
        expected = np.asarray(image.convert("RGB"))
    read = next(read_frames(tmp_path))
    assert read.shape == (20, 30, 3)
    tolerance = 3 if mode == "CMYK" else 0
    assert np.abs(read.astype(int) - expected).max() <= tolerance


def test_frames_lie_on_black_and_upright_as_pictures_do(tmp_path, frames):
    colour = frames(1, 20, 30)[0]
    alpha = np.zeros((20, 30, 1), np.uint8)
    alpha[:10] = 255
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 3
    Image.fromarray(np.concatenate([colour, alpha], axis=-1)).save(tmp_path / "a.png", exif=exif)
    (read,) = read_frames(tmp_path)
    np.testing.assert_array_equal(read, (colour * (alpha > 0))[::-1, ::-1])
    np.testing.assert_array_equal(read, read_picture(tmp_path / "a.png", 3, background=0))


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".tif"])
def test_truncated_image_is_named(tmp_path, frames, suffix):
    cv2.imwrite(str(tmp_path / f"whole{suffix}"), frames(1, 64, 64)[0])
    data = (tmp_path / f"whole{suffix}").read_bytes()
    for tenth in range(11):
        path = tmp_path / f"cut{tenth}{suffix}"
        path.write_bytes(data[: len(data) * tenth // 10 - 20] if tenth else b"")
        with pytest.raises(InputError, match=f"cut{tenth}.*: unreadable picture"):
            read_picture(path, 3)


def test_text_named_as_image_is_refused(tmp_path):
    (tmp_path / "a.jpg").write_text("hello")
    with pytest.raises(InputError, match=r"a\.jpg: unreadable picture"):
        next(read_frames(tmp_path))


@pytest.mark.parametrize(("suffix", "codec"), [(".mp4", "libx264"), (".avi", "mpeg4")])
def test_truncated_video_is_named(tmp_path, frames, suffix, codec):
    whole = tmp_path / f"whole{suffix}"
    with av.open(str(whole), "w", options={"movflags": "+faststart"} if suffix == ".mp4" else {}) as container:
        stream = container.add_stream(codec, rate=10)
        stream.height, stream.width, stream.pix_fmt = 64, 64, "yuv420p"
        for frame in frames(60, 64, 64):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
    assert len(list(read_frames(whole))) == 60
    data = whole.read_bytes()
    for tenth in range(10):
        path = tmp_path / f"cut{tenth}{suffix}"
        path.write_bytes(data[: len(data) * tenth // 10])
        with pytest.raises(InputError, match=f"cut{tenth}"):
            list(read_frames(path))


def test_text_named_as_video_is_refused(tmp_path):
    (tmp_path / "a.mp4").write_text("#EXTM3U\nhttp://127.0.0.1/other.mp4\n" * 20)
    with pytest.raises(InputError, match=r"a\.mp4"):
        list(read_frames(tmp_path / "a.mp4"))


def test_one_frame_is_a_video(tmp_path, frames, video):
    path = video(tmp_path / "a.mp4", frames(1))
    assert probe(path).frames == len(list(read_frames(path))) == 1


def test_frames_of_two_sizes_are_refused(tmp_path, frames, images):
    folder = images(tmp_path / "clip", frames(3))
    cv2.imwrite(str(folder / "003.png"), np.zeros((10, 12, 3), np.uint8))
    with pytest.raises(InputError, match="frame 3 measures 12x10, the first one 32x24"):
        list(read_frames(folder))


def _write_timed(path, times):
    """One grey level per frame (its number times 8), shown at ``times`` in milliseconds."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=1000)
        stream.height, stream.width, stream.pix_fmt = 32, 32, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for number, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 8 * (number % 32), np.uint8), format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def test_variable_rate_is_put_on_a_grid_by_time(tmp_path):
    times = [*range(0, 1000, 100), *range(1000, 2001, 50)]  # 10, then 20 frames a second
    _write_timed(tmp_path / "a.mp4", times)
    info = probe(tmp_path / "a.mp4")
    assert info.fps == pytest.approx(15)
    assert info.frames == len(times)
    shown = [round(float(frame.mean()) / 8) for frame in read_frames(tmp_path / "a.mp4")]
    grid = np.arange(len(times)) / 15 * 1000 + 1000 / 30 + 1e-4
    expected = [int(np.searchsorted(times, moment, side="right")) - 1 for moment in grid]
    assert shown == expected


def test_a_lone_dropped_frame_does_not_shift_the_labels(tmp_path):
    times = [time for time in range(0, 20_000, 100) if time != 5000]
    _write_timed(tmp_path / "a.mp4", times)
    shown = [round(float(frame.mean()) / 8) for frame in read_frames(tmp_path / "a.mp4")]
    assert shown == [number % 32 for number in range(len(times))]


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_rotated_file_is_read_upright(tmp_path, frames, video, turns):
    """The matrix in the track header says how players must turn the picture, here clockwise."""
    upright = frames(3, 32, 48)
    path = video(tmp_path / "a.mp4", np.ascontiguousarray(np.rot90(upright, turns, axes=(1, 2))))
    data = bytearray(path.read_bytes())
    cosine, sine = [(0, 1), (-1, 0), (0, -1)][turns - 1]
    matrix = [cosine, sine, 0, -sine, cosine, 0, 0, 0, 1]
    fixed = [int(value * (1 << (30 if place % 3 == 2 else 16))) for place, value in enumerate(matrix)]
    at = data.index(b"tkhd") + 4 + 40
    data[at : at + 36] = struct.pack(">9i", *fixed)
    path.write_bytes(data)
    read = np.stack(list(read_frames(path)))
    assert read.shape == upright.shape
    assert np.median(np.abs(read.astype(int) - upright)) < 8
    assert (probe(path).height, probe(path).width) == (32, 48)


def test_find_videos(tmp_path, frames, images, video):
    for name in ("b10.mp4", "b9.mp4"):
        video(tmp_path / "mixed" / name, frames(2))
    images(tmp_path / "mixed" / "a", frames(2))
    (tmp_path / "mixed" / "notes.txt").write_text("")
    assert [path.name for path in find_videos(tmp_path / "mixed")] == ["a", "b9.mp4", "b10.mp4"]
    assert find_videos(tmp_path / "mixed" / "b9.mp4") == [tmp_path / "mixed" / "b9.mp4"]
    assert find_videos(tmp_path / "mixed" / "a") == [tmp_path / "mixed" / "a"]
    (tmp_path / "empty").mkdir()
    for wrong, what in (("empty", "holds no video"), ("none", "no such file"), ("mixed/notes.txt", "not a video")):
        with pytest.raises(InputError, match=what):
            find_videos(tmp_path / wrong)


def test_the_same_frames_give_the_same_bytes(tmp_path):
    noise = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 255, (240, 360, 3), dtype=np.uint8), (0, 0), 5)
    films = []
    for number in range(4):
        with VideoWriter(tmp_path / f"{number}.mp4", 25, (240, 360)) as video:
            for shift in range(60):
                video.write(np.roll(noise, 2 * shift, axis=1))
        films.append((tmp_path / f"{number}.mp4").read_bytes())
    assert len(set(films)) == 1

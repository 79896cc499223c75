"""Clips with sound as they are stored: decoded once, on an even grid of time, whatever the container."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from datamodules.errors import InputError
from datamodules.letterbox import Letterbox
from datamodules.sound import audio_video_cache
from datamodules.sound.audio_video_cache import Settings, cache_pairs
from datamodules.sound.audio_video_sources import find_pairs
from datamodules.sound.sound import SoundVideoWriter

RATE, FPS = 8000, 25
FLASH, LENGTH = 0.6, 1.6  # seconds


def write_film(path, grey=60, level=0.25, pictures=20, seconds=0.8):
    """A film of one grey and one loudness."""
    path.parent.mkdir(exist_ok=True)
    with SoundVideoWriter(path, FPS, (16, 24), RATE) as film:
        for _ in range(pictures):
            film.write(np.full((16, 24, 3), grey, np.uint8))
        film.write_sound(np.full((1, round(seconds * RATE)), level, np.float32))


def write_flash(path, video_codec, sound_codec, rate, layout):
    """A film that is bright and loud from ``FLASH`` on, in any container."""
    path.parent.mkdir(exist_ok=True)
    with av.open(str(path), "w") as container:
        video = container.add_stream(video_codec, rate=FPS)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sound = container.add_stream(sound_codec, rate=rate, layout=layout)
        tone = 0.5 * np.sin(2 * np.pi * 500 * np.arange(round(LENGTH * rate)) / rate)
        tone[: round(FLASH * rate)] = 0
        convert = av.AudioResampler(format=sound.format, layout=layout, rate=rate, frame_size=sound.frame_size or 1024)
        piece = np.repeat(tone[None].astype(np.float32), sound.channels, axis=0)
        frame = av.AudioFrame.from_ndarray(piece, format="fltp", layout=layout)
        frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), 0
        parts = [*convert.resample(frame), *convert.resample(None)]
        for number in range(round(LENGTH * FPS)):
            grey = np.full((48, 64, 3), 230 if number >= FLASH * FPS else 16, np.uint8)
            container.mux(video.encode(av.VideoFrame.from_ndarray(grey)))
            while parts and parts[0].pts <= number * rate / FPS:  # in step, as recorders write them
                container.mux(sound.encode(parts.pop(0)))
        for part in [*parts, None]:
            container.mux(sound.encode(part))
        container.mux(video.encode(None))


def settings(**changes):
    size = changes.pop("image_size", 16)
    return Settings(**{"sample_rate": RATE, "fps": 25.0, "letterbox": Letterbox(size, size), **changes})


def opened(root, **changes):
    """The one clip of a folder, cached beside it."""
    (clip,) = cache_pairs(find_pairs(root), settings(**changes), root.parent / "cache", 1, "error")
    return clip


def test_a_clip_is_decoded_once(tmp_path, monkeypatch):
    write_film(tmp_path / "films" / "a.mp4")
    before = opened(tmp_path / "films")
    monkeypatch.setattr(audio_video_cache, "read_timed_frames", lambda *_: pytest.fail("was decoded again"))
    after = opened(tmp_path / "films")
    np.testing.assert_array_equal(before.frames(0, 20), after.frames(0, 20))
    np.testing.assert_array_equal(before.sound(0, 6400), after.sound(0, 6400))


def test_a_changed_file_is_decoded_anew(tmp_path):
    root = tmp_path / "pairs"
    root.mkdir()
    for kind in ("audio", "video"):
        write_film(root / kind / "a.mp4")
    first = opened(root)
    write_film(root / "video" / "a.mp4", grey=200)
    brighter = opened(root)
    write_film(root / "audio" / "a.mp4", level=0.5)
    louder = opened(root)
    assert [int(clip.frames(5, 1)[:, :, 8].mean()) for clip in (first, brighter, louder)] == pytest.approx(
        [60, 200, 200], abs=6
    )
    assert [clip.sound(5, 800).mean() for clip in (first, brighter, louder)] == pytest.approx(
        [0.25, 0.25, 0.5], abs=0.03
    )


def test_other_settings_are_another_clip_in_the_same_cache(tmp_path):
    write_film(tmp_path / "films" / "a.mp4")
    opened(tmp_path / "films")
    assert opened(tmp_path / "films", fps=50.0).length == 40
    assert opened(tmp_path / "films", image_size=32).frames(0, 20)[:, :, 16].min() > 40  # nowhere padding
    slower = opened(tmp_path / "films", sample_rate=4000)
    assert slower.sound(0, 3200)[0, 100:3000].min() > 0.2
    assert slower.sound(0, 3300)[0, 3200:].max() == 0
    stretched = opened(tmp_path / "films", letterbox=Letterbox(16, 16, "stretch"))
    assert stretched.frames(0, 20).min() > 40


def test_sound_ends_with_the_clip_even_where_the_file_goes_on(tmp_path):
    write_film(tmp_path / "films" / "a.mp4", seconds=2.0)
    clip = opened(tmp_path / "films")
    assert clip.length == 20
    for start in (0, 15):
        sound = clip.sound(start, 8000)[0]
        rest = round((0.8 - start / 25) * RATE)
        assert sound[200 : rest - 1].min() > 0.2
        assert np.abs(sound[rest:]).max() == 0


@pytest.mark.parametrize(
    ("name", "video_codec", "sound_codec", "rate", "layout"),
    [
        ("a.avi", "mpeg4", "libmp3lame", 44_100, "stereo"),
        ("a.webm", "libvpx", "libopus", 48_000, "stereo"),
        ("a.mov", "libx264", "pcm_s16le", 48_000, "5.1"),
        ("a.ts", "mpeg2video", "mp2", 32_000, "mono"),
    ],
)
def test_every_container_keeps_sound_and_pictures_together(tmp_path, name, video_codec, sound_codec, rate, layout):
    write_flash(tmp_path / "films" / name, video_codec, sound_codec, rate, layout)
    clip = opened(tmp_path / "films")
    assert clip.length == pytest.approx(LENGTH * FPS, abs=1)
    seen = np.flatnonzero(clip.frames(0, clip.length).mean(axis=(1, 2, 3)) > 80)[0] / FPS
    heard = np.flatnonzero(np.abs(clip.sound(0, 2 * RATE)[0]) > 0.2)[0] / RATE
    assert abs(seen - heard) <= 0.02
    assert seen == pytest.approx(FLASH, abs=1.001 / FPS)  # AVI moves pictures by whole ones, after the delay of MP3


def on_grid(times, fps):
    """Numbers of the pictures shown, of which one is at each of ``times``."""
    numbered = ((time, np.array(number)) for number, time in enumerate(times))
    return [int(shown) for shown in audio_video_cache._on_grid(Path("a.mp4"), next(numbered), numbered, fps)]


def test_every_instant_shows_what_the_film_shows_in_its_middle():
    of_25 = on_grid(np.arange(25) / 25, 30.0)
    five = [0, 1, 2, 2, 3, 4]  # the third twice: its 40 ms hold the middles of two instants
    assert of_25 == [start + number for start in range(0, 25, 5) for number in five]
    rounded = np.round(0.7 + np.arange(60) / 30, 3)  # as containers round, and with a clock that begins late
    assert on_grid(rounded, 30.0) == [*range(60)]
    ties = [0.0, *(np.arange(1, 60) / 60 + 1e-9)]
    assert on_grid(ties, 30.0) == [*range(1, 60, 2)]  # the picture that begins
    assert on_grid([0.0, 0.1, 0.16, 0.5, 0.58], 10.0) == [0, 1, 2, 2, 2, 3, 4]
    assert on_grid([3.0], 10.0) == [0]


def test_a_clock_that_jumps_is_named():
    with pytest.raises(InputError, match=r"a\.mp4: no picture for 61 s from 0\.5 s on"):
        on_grid([0.0, 0.5, 61.5], 10.0)

import warnings
import wave
from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import pytest
import torch
import torchaudio
from av.stream import Disposition

from datamodules.errors import InputError
from datamodules.media import VideoWriter, read_timed_frames
from datamodules.sound.sound import Resampler, SoundVideoWriter, count_samples, read_sound, track_rate

RATE = 16_000
LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1"}


def write_sound(path, samples, rate, codec="pcm_s16le", sample_format="s16", pts=None):
    """Encode float (channels, n) in [-1, 1]; ``pts`` are the time stamps of pieces of 1,000 samples."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout=LAYOUTS[len(samples)])
        stream.codec_context.format = sample_format
        stream.options = {"strict": "experimental"}  # FFmpeg calls its own Vorbis encoder so
        convert = av.AudioResampler(format=sample_format, layout=LAYOUTS[len(samples)], rate=rate)
        for number, first in enumerate(range(0, samples.shape[1], 1000)):
            piece = np.ascontiguousarray(samples[:, first : first + 1000], dtype=np.float32)
            frame = av.AudioFrame.from_ndarray(piece, format="fltp", layout=LAYOUTS[len(samples)])
            frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
            frame.pts = first if pts is None else pts[number]
            for part in convert.resample(frame):
                container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return path


def tones(seconds, rate, channels=1, seed=0):
    """A sum of three sines below 3 kHz, faded in and out, the same in all channels."""
    time = np.arange(round(seconds * rate)) / rate
    wave = sum(0.2 * np.sin(2 * np.pi * hertz * time + seed) for hertz in (311, 933, 2750))
    return np.repeat((wave * np.minimum(1, 20 * np.minimum(time, seconds - time)))[None], channels, axis=0)


def read(path, rate=16_000, **options):
    return np.concatenate(list(read_sound(path, rate, **options)), axis=1)


@pytest.mark.parametrize("source", [8000, 16_000, 22_050, 44_100, 48_000])
def test_pieces_resample_as_the_whole_does(tmp_path, source):
    random = np.random.default_rng(source)
    whole = random.uniform(-0.6, 0.6, (2, 3 * source + 123)).astype(np.float32)
    resampler = Resampler(tmp_path, source, 16_000, 2)
    cuts = [0, 7, source // 3, source + 11, len(whole[0])]
    pieces = [resampler.push(whole[:, first:last]) for first, last in pairwise(cuts)]
    joined = np.concatenate([*pieces, resampler.rest()], axis=1)
    expected = torchaudio.functional.resample(torch.from_numpy(whole), source, 16_000).clamp(-1, 1).numpy()
    assert joined.shape == expected.shape
    np.testing.assert_allclose(joined, expected, atol=5e-5)  # the filters are rounded differently


def test_rates_without_a_common_factor_are_refused(tmp_path):
    with pytest.raises(InputError, match="44099 Hz"):
        Resampler(tmp_path / "odd.wav", 44_099, 16_000, 1)


@pytest.mark.parametrize(
    ("name", "codec", "sample_format", "rate", "channels", "error"),
    [
        ("a.wav", "pcm_s16le", "s16", 44_100, 2, 2e-3),
        ("a.wav", "pcm_u8", "u8", 8000, 1, 2e-2),
        ("a.wav", "pcm_s32le", "s32", 48_000, 6, 2e-3),
        ("a.wav", "pcm_f32le", "flt", 22_050, 1, 2e-3),
        ("a.flac", "flac", "s16", 48_000, 1, 2e-3),
        ("a.mp3", "libmp3lame", "fltp", 44_100, 2, 0.03),
        ("a.ogg", "libopus", "flt", 48_000, 2, 0.06),
        ("a.ogg", "vorbis", "fltp", 44_100, 2, 0.03),
        ("a.m4a", "aac", "fltp", 48_000, 6, 0.05),
    ],
)
def test_every_format_keeps_its_samples_in_place(tmp_path, name, codec, sample_format, rate, channels, error):
    # of six equal channels front, centre and surround add up in each of the two: 1 + 2 / sqrt(2)
    level = 1 if channels <= 2 else 1 / (1 + 2**0.5)
    path = write_sound(tmp_path / name, level * tones(2.5, rate, channels), rate, codec, sample_format)
    sound = read(path)
    assert sound.dtype == np.float32
    expected = tones(2.5, 16_000)[0]
    assert abs(sound.shape[1] - 40_000) <= 1600
    common = min(sound.shape[1], 40_000)
    difference = (sound[0] - np.pad(expected, (0, 4000))[: sound.shape[1]])[400 : common - 400]
    assert np.sqrt((difference**2).mean()) < error  # a shift by 1 ms alone makes it 0.3
    assert count_samples(path, 16_000) == sound.shape[1]


def test_channels_are_averaged_and_stereo_is_kept(tmp_path):
    left = tones(0.5, 16_000)
    path = write_sound(tmp_path / "a.wav", np.concatenate([left, -left / 2]), 16_000)
    np.testing.assert_allclose(read(path)[0], left[0] / 4, atol=1e-4)
    np.testing.assert_allclose(read(path, stereo=True)[1], -left[0] / 2, atol=1e-4)


@pytest.mark.parametrize(
    ("place", "level"), [(0, 0.5), (1, 0.5), (2, 0.5**0.5), (3, 0.0), (4, 0.5**1.5), (5, 0.5**1.5)]
)
def test_five_channels_and_a_sixth_have_the_levels_of_bs_775(place, level, tmp_path):
    sound = np.zeros((6, 8000))
    sound[place] = tones(0.5, 16_000)[0]
    path = write_sound(tmp_path / "a.wav", sound, 16_000)
    np.testing.assert_allclose(read(path)[0], level * sound[place], atol=1e-3)


def test_channels_that_cancel_each_other_out_are_told(tmp_path):
    left = tones(0.5, 16_000)
    path = write_sound(tmp_path / "a.wav", np.concatenate([left, -left]), 16_000)
    with pytest.warns(UserWarning, match=r"a\.wav: the channels of its sound cancel each other out"):
        assert np.abs(read(path)).max() < 1e-3
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read(path, stereo=True)
        read(write_sound(tmp_path / "b.wav", np.concatenate([left, 0 * left]), 16_000))


def two_tracks(path, default):
    """A silent track and one with a tone; ``default`` is which players choose, None: no word of it."""
    with av.open(str(path), "w") as container:
        tracks = [container.add_stream("pcm_s16le", rate=16_000, layout="mono") for _ in range(2)]
        for number, track in enumerate(tracks):
            track.disposition = Disposition.default if number == default else Disposition(0)
        for track, level in zip(tracks, (0.0, 0.5), strict=True):
            samples = (level * 32767 * np.sin(np.arange(8000) / 5)).astype(np.int16)[None]
            frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = 16_000, 0, Fraction(1, 16_000)
            container.mux(track.encode(frame))
            container.mux(track.encode(None))
    return path


@pytest.mark.parametrize(("default", "taken", "loudest"), [(0, "track 0", 0.0), (1, "track 1", 0.5)])
def test_of_several_tracks_players_choose_the_default(default, taken, loudest, tmp_path):
    path = two_tracks(tmp_path / "a.mka", default)
    with pytest.warns(UserWarning, match=rf"has 2 audio tracks; {taken} is taken, the default one"):
        assert np.abs(read(path)).max() == pytest.approx(loudest, abs=0.01)


def test_pieces_are_short_however_long_the_file_is(tmp_path):
    path = write_sound(tmp_path / "a.wav", tones(20, 8000), 8000)
    assert max(piece.shape[1] for piece in read_sound(path, 16_000)) < 32_000


def test_a_pause_in_the_time_stamps_is_silence_and_a_late_start_too(tmp_path):
    sound = np.full((1, 4000), 0.5)
    stamps = [2000, 3000, 8000, 9000]
    path = write_sound(tmp_path / "a.mka", sound, 8000, pts=stamps)
    samples = read(path, 8000, origin=0.0)[0]
    assert samples.shape == (10_000,)
    heard = samples > 0.25
    assert np.flatnonzero(np.diff(heard.astype(int))).tolist() == [1999, 3999, 7999]
    assert read(path, 8000, origin=0.3)[0].shape == (10_000 - 2400,)  # what lies before is left out


def test_a_broken_clock_is_named(tmp_path):
    path = write_sound(tmp_path / "a.mka", np.zeros((1, 2000)), 8000, pts=[0, 8000 * 3600])
    with pytest.raises(InputError, match="jump by 3600 s"):
        read(path)


def test_what_cannot_be_heard_is_named(tmp_path):
    with VideoWriter(tmp_path / "mute.mp4", 10, (16, 16)) as video:
        video.write(np.zeros((16, 16, 3), np.uint8))
    with pytest.raises(InputError, match=r"mute\.mp4: has no sound track"):
        read(tmp_path / "mute.mp4")
    with wave.open(str(tmp_path / "empty.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
    with pytest.raises(InputError, match="sound track is empty"):
        read(tmp_path / "empty.wav")
    (tmp_path / "no.mp3").write_bytes(b"no sound at all" * 400)
    with pytest.raises(InputError, match=r"no\.mp3: unreadable sound"):
        read(tmp_path / "no.mp3")
    with pytest.raises(InputError, match="no such file"):
        read(tmp_path / "nothing.wav")
    loud = write_sound(tmp_path / "loud.wav", np.full((1, 99), 30_000.0), 8000, "pcm_f32le", "flt")
    with pytest.raises(InputError, match="has the value 30000, not a number within 4"):
        read(loud)
    broken = write_sound(tmp_path / "nan.wav", np.full((1, 99), np.nan), 8000, "pcm_f32le", "flt")
    with pytest.raises(InputError, match="has the value nan, not a number within 4"):
        read(broken)


def damage(path, first, last):
    """Overwrite a part of a file, from one share of its length to another."""
    content = bytearray(path.read_bytes())
    begin, end = (int(share * len(content)) for share in (first, last))
    content[begin:end] = bytes(end - begin)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("name", "codec", "sample_format"),
    [("a.m4a", "aac", "fltp"), ("a.ac3", "ac3", "fltp"), ("a.mp3", "libmp3lame", "fltp")],
)
def test_a_damaged_middle_is_left_out_with_one_warning(tmp_path, name, codec, sample_format):
    path = write_sound(tmp_path / name, tones(6, 48_000), 48_000, codec, sample_format)
    whole = read(path)
    damage(path, 0.4, 0.5)
    with pytest.warns(UserWarning, match=rf"{name}: \d+ of \d+ packets of its sound") as warned:
        rest = read(path)
    assert len(warned) == 1
    assert abs(rest.shape[1] - (whole.shape[1] if name == "a.m4a" else 0.9 * whole.shape[1])) < 3200
    np.testing.assert_allclose(rest[0, :16_000], whole[0, :16_000], atol=1e-3)
    if name == "a.m4a":  # has time stamps: what follows is in its place
        assert np.abs(rest[0, 42_000:46_000]).max() < 0.01
        np.testing.assert_allclose(rest[0, 64_000:90_000], whole[0, 64_000:90_000], atol=1e-3)


def test_sound_that_is_damaged_for_the_larger_part_is_refused(tmp_path):
    path = write_sound(tmp_path / "a.m4a", tones(6, 48_000), 48_000, "aac", "fltp")
    damage(path, 0.02, 0.7)
    with pytest.raises(InputError, match=r"a\.m4a: its sound is damaged: \d+ packets"):
        read(path)


@pytest.mark.parametrize("channels", [1, 2])
def test_a_film_keeps_sound_and_pictures_together(tmp_path, channels):
    path, rate, fps = tmp_path / "film.mp4", 44_100, 25
    sound = np.zeros((channels, 3 * rate), np.float32)
    sound[:, 2 * rate : 2 * rate + 2000] = 0.6 * np.sin(np.arange(2000) * 0.3)
    with SoundVideoWriter(path, fps, (32, 48), rate, channels) as film:
        for number in range(3 * fps):
            film.write(np.full((32, 48, 3), 250 if number >= 2 * fps else 5, np.uint8))
            film.write_sound(sound[:, number * rate // fps : (number + 1) * rate // fps])
    flash = next(time for time, frame in read_timed_frames(path) if frame.mean() > 128)
    heard = read(path, rate, stereo=channels == 2, origin=0.0)
    assert heard.shape[0] == channels
    assert abs(heard.shape[1] - 3 * rate) <= 2048
    onset = np.flatnonzero(np.abs(heard[0]) > 0.15)[0] / rate
    assert flash == pytest.approx(2.0)
    assert onset == pytest.approx(2.0, abs=0.005)
    assert track_rate(path) == rate


def test_a_film_that_fails_leaves_no_file(tmp_path):
    with (
        pytest.raises(ValueError, match="expected uint8"),
        SoundVideoWriter(tmp_path / "a.mp4", 25, (32, 48), RATE) as film,
    ):
        film.write(np.zeros((1, 1, 3), np.uint8))
    assert list(tmp_path.iterdir()) == []


def test_a_rate_that_aac_does_not_know_is_brought_to_one_it_knows(tmp_path):
    assert track_rate(write_sound(tmp_path / "a.wav", tones(0.1, 192_000), 192_000)) == 48_000

import numpy as np
import pytest

from datamodules.errors import InputError
from datamodules.media import read_frames
from datamodules.sound import music
from datamodules.sound.sound import read_sound


def tone(hertz, seconds=1.0, gain=0.3):
    return (gain * np.sin(2 * np.pi * hertz * np.arange(round(seconds * music.RATE)) / music.RATE)).astype(np.float32)


def test_pieces_differ_and_repeat():
    one, again, other = (music.compose(np.random.default_rng((3, number)), 3.0) for number in (0, 0, 1))
    np.testing.assert_array_equal(one, again)
    assert one.shape == (3 * music.RATE,)
    assert 0.3 < np.abs(one).max() <= 1
    assert np.corrcoef(one, other)[0, 1] < 0.5


def test_pictures_know_pitch_and_loudness():
    middle = slice(5, -5)  # away from where the tone is cut off
    pitches = [music.listen(tone(hertz))[middle, 1].mean() for hertz in (250, 400, 600, 900)]
    assert np.all(np.diff(pitches) > 0.15)
    levels = [music.listen(tone(500, gain=gain))[middle, 0].mean() for gain in (0.05, 0.1, 0.2, 0.4)]
    assert np.all(np.diff(levels) > 0.15)
    assert music.listen(tone(60))[middle, 2].min() > 0.5 > 0.1 > music.listen(tone(600))[middle, 2].max()


def test_a_stroke_flashes_at_its_time_only():
    sound = np.zeros(music.RATE, np.float32)
    sound[8000:8800] = np.random.default_rng(0).normal(0, 0.2, 800)
    stroke = music.listen(sound)[:, 3]
    assert 14 <= int(stroke.argmax()) <= 16
    assert stroke[:14].max() == stroke[18:].max() == 0


def test_a_picture_depends_on_sound_near_it_only():
    sound = music.compose(np.random.default_rng(1), 2.0)
    changed = sound.copy()
    changed[: music.RATE // 2] = 0
    before, after = music.listen(sound), music.listen(changed)
    np.testing.assert_array_equal(before[20:], after[20:])
    assert (before[:14] != after[:14]).any()


def test_whoever_hears_the_file_can_know_its_pictures(tmp_path):
    sound = music.compose(np.random.default_rng((3, 5)), 2.0)
    music.write_clip(tmp_path / "clip.mp4", sound)
    frames = np.stack(list(read_frames(tmp_path / "clip.mp4"))).astype(float)
    heard = np.concatenate(list(read_sound(tmp_path / "clip.mp4", music.RATE, origin=0.0)), axis=1)[0, : len(sound)]
    drawn = np.stack(music.visualise(heard)).astype(float)
    assert frames.shape == drawn.shape == (60, 128, 128, 3)
    error, still = np.abs(drawn - frames).mean(), np.abs(frames - frames.mean(axis=0)).mean()
    assert error < 0.15 * still


def test_the_folder_is_written_once(tmp_path, monkeypatch):
    monkeypatch.setattr(music, "CLIPS", 2)
    monkeypatch.setattr(music, "SECONDS", 0.5)
    folder = music.music_folder(tmp_path)
    assert sorted(path.name for path in folder.glob("[!.]*")) == ["music_01.mp4", "music_02.mp4"]
    before = (folder / "music_01.mp4").stat().st_mtime_ns
    assert music.music_folder(tmp_path) == folder
    assert (folder / "music_01.mp4").stat().st_mtime_ns == before


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write the music"):
        music.music_folder(tmp_path / "file" / "cache")

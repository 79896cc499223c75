import wave

import numpy as np
import pytest
import torch
from lightning.pytorch import LightningModule, Trainer

from callbacks import SoundPredictions
from callbacks.sound.predictions import CrossFade
from datamodules import AudioVideoDataModule
from datamodules.batches import GeneratedClips
from datamodules.media import read_timed_frames
from datamodules.sound.sound import read_sound

BURST = 3.71  # seconds


def write_wav(path, seconds, rate=44_100, channels=2):
    sound = np.zeros((round(seconds * rate), channels))
    if seconds > BURST:
        first = round(BURST * rate)
        sound[first : first + rate // 10] = 0.7 * np.sin(np.arange(rate // 10) * 0.2)[:, None]
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, 2, rate, 0, "NONE", ""))
        file.writeframes((sound * 32767).astype("<i2").tobytes())
    return path


class Meter(LightningModule):
    """Draws a picture as bright as its sound is loud."""

    def predict_step(self, batch, batch_idx):
        frames = batch.frames.shape[1]
        level = batch.audio[:, 0].unfold(1, 533, 533)[:, :frames].abs().amax(dim=2)
        level = torch.nn.functional.pad(level, (0, frames - level.shape[1]))
        return GeneratedClips(level[:, :, None, None, None].expand(-1, -1, 3, 32, 32))


def predict(folder, source, module=None, scale=1, **options):
    data = AudioVideoDataModule(str(source), image_size=32, duration=1.5, **{"stride": 1.0, **options})
    trainer = Trainer(
        accelerator="cpu",
        callbacks=[SoundPredictions(scale)],
        default_root_dir=folder,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
    )
    trainer.predict(module or Meter(), data, return_predictions=False)
    return folder / "predictions" / source.stem / "video.mp4"


@pytest.mark.parametrize("seconds", [7.3, 1.5, 0.02, 4.0])
def test_the_film_lasts_as_long_as_the_sound(tmp_path, seconds, capsys):
    film = predict(tmp_path, write_wav(tmp_path / "a.wav", seconds))
    times = [time for time, _ in read_timed_frames(film)]
    assert len(times) == max(1, round(seconds * 30))
    np.testing.assert_allclose(times, np.arange(len(times)) / 30, atol=1e-3)
    heard = sum(piece.shape[1] for piece in read_sound(film, 44_100)) / 44_100
    assert abs(heard - seconds) <= 1 / 30 + 1024 / 44_100  # AAC works in blocks of 1,024 samples
    assert {path.name for path in film.parent.iterdir()} == {"about.json", "video.mp4"}
    said = capsys.readouterr().out.splitlines()[-1]
    assert said.startswith(f"a: {len(times)} picture{'s' * (len(times) > 1)} drawn, ")
    assert said.endswith("predictions/a/video.mp4")


def test_a_larger_video_has_the_same_pictures_and_the_same_sound(tmp_path):
    film = predict(tmp_path, write_wav(tmp_path / "a.wav", 4.0), scale=3)
    larger = film.with_name("video_x3_lanczos.mp4")
    for (time, small), (same, large) in zip(read_timed_frames(film), read_timed_frames(larger), strict=True):
        assert (time, small.shape, large.shape) == (same, (32, 32, 3), (96, 96, 3))
        assert abs(float(small.mean()) - float(large.mean())) < 2
    heard = [np.concatenate([*read_sound(path, 44_100)], axis=1) for path in (film, larger)]
    np.testing.assert_array_equal(*heard)


def test_sound_after_the_last_picture_is_kept(tmp_path):
    """4.2 s at 2 pictures a second are 8 pictures, 4 s; of the rest a part was read with them and a part was not."""
    film = predict(tmp_path, write_wav(tmp_path / "a.wav", 4.2), fps=2.0)
    assert len([*read_timed_frames(film)]) == 8
    heard = sum(piece.shape[1] for piece in read_sound(film, 44_100)) / 44_100
    assert 0 <= heard - 4.2 <= 1024 / 44_100  # AAC works in blocks of 1,024 samples


def test_a_burst_is_seen_when_it_is_heard(tmp_path):
    film = predict(tmp_path, write_wav(tmp_path / "a.wav", 7.3))
    seen = next(time for time, frame in read_timed_frames(film) if frame.mean() > 60)
    sound = np.concatenate(list(read_sound(film, 44_100, stereo=True, origin=0.0)), axis=1)
    heard = np.flatnonzero(np.abs(sound[0]) > 0.2)[0] / 44_100
    assert sound.shape[0] == 2
    assert heard == pytest.approx(BURST, abs=0.005)
    assert abs(seen - heard) <= 1 / 30


def test_every_sound_of_a_folder_gets_its_film(tmp_path):
    folder = tmp_path / "sounds"
    folder.mkdir()
    for name, seconds, rate, channels in (("a", 1.0, 8000, 1), ("b", 2.2, 22_050, 2), ("c", 0.5, 16_000, 1)):
        write_wav(folder / f"{name}.wav", seconds, rate, channels)
    predict(tmp_path, folder, stride=1.5)
    found = sorted(path.relative_to(tmp_path / "predictions").as_posix() for path in tmp_path.rglob("*.mp4"))
    assert found == ["a/video.mp4", "b/video.mp4", "c/video.mp4"]


def test_an_error_leaves_no_half_film(tmp_path):
    class Failing(Meter):
        def predict_step(self, batch, batch_idx):
            if batch_idx:
                raise ZeroDivisionError
            return super().predict_step(batch, batch_idx)

    with pytest.raises(ZeroDivisionError):
        predict(tmp_path, write_wav(tmp_path / "a.wav", 7.3), Failing(), eval_batch_size=1)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".wav"]


@pytest.mark.parametrize(("length", "stride", "total"), [(6, 4, 17), (6, 6, 12), (6, 3, 13), (6, 2, 6), (6, 1, 9)])
def test_cross_fade_is_the_weighted_mean_and_holds_no_more_than_a_piece(length, stride, total):
    random = np.random.default_rng(0)
    starts = range(0, max(0, total - length) + stride, stride)
    pieces = random.uniform(size=(len(starts), length, 1, 2, 2))
    sums, weights = np.zeros((total + length, 1, 2, 2)), np.zeros(total + length)
    weight = np.array([1, 2, 3, 3, 2, 1.0])
    for start, piece in zip(starts, pieces, strict=True):
        sums[start : start + length] += weight[:, None, None, None] * piece
        weights[start : start + length] += weight
    fade, found = CrossFade(), []
    for start, piece in zip(starts, pieces, strict=True):
        found += fade.add(start, torch.from_numpy(piece).float(), min(length, total - start))
        assert len(fade._sums) <= length
    found += fade.rest()
    expected = sums[:total] / weights[:total, None, None, None]
    np.testing.assert_allclose(torch.stack(found).numpy(), expected, rtol=1e-5)


def test_neighbours_fade_in_equal_steps():
    fade = CrossFade()
    frames = [*fade.add(0, torch.zeros(9, 1, 1, 1), 9), *fade.add(6, torch.ones(9, 1, 1, 1), 9), *fade.rest()]
    assert torch.stack(frames).flatten().tolist() == pytest.approx([0] * 6 + [0.25, 0.5, 0.75] + [1] * 6)


def test_a_piece_left_out_is_an_error():
    fade = CrossFade()
    list(fade.add(0, torch.zeros(4, 1, 1, 1), 4))
    with pytest.raises(RuntimeError, match="begins at picture 5"):
        list(fade.add(5, torch.zeros(4, 1, 1, 1), 4))

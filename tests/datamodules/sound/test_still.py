"""Where the still picture of a batch comes from, and what is known of how the training pictures move."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datamodules.errors import InputError
from datamodules.letterbox import Letterbox
from datamodules.sound.audio_video import AudioVideoDataModule
from datamodules.sound.sound import SoundVideoWriter
from datamodules.sound.still import read_still

RATE, FPS, LENGTH = 16_000, 10, 15


def write_clip(path, random):
    """A face of its own grey whose mouth opens at random, with sound."""
    path.parent.mkdir(parents=True, exist_ok=True)
    grey = int(random.integers(60, 120))
    with SoundVideoWriter(path, FPS, (16, 16), RATE, 1, crf=0) as film:
        for _ in range(LENGTH):
            picture = np.full((16, 16, 3), grey, np.uint8)
            picture[8:12] += int(random.integers(0, 100))
            film.write(picture)
        film.write_sound(random.uniform(-0.3, 0.3, (1, LENGTH * RATE // FPS)).astype(np.float32))
    return path


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faces")
    for number in range(6):
        write_clip(folder / f"clip{number}.mp4", np.random.default_rng(number))
    return folder


def module(source, tmp_path, **options):
    settings = {"duration": 1.0, "stride": 0.5, "fps": 10.0, "image_size": 16, "batch_size": 2}
    return AudioVideoDataModule(str(source), cache_dir=str(tmp_path), **(settings | options))


def test_a_batch_brings_the_mean_of_each_pieces_own_pictures(faces, tmp_path):
    data = module(faces, tmp_path, duration=2.0)  # longer than a clip, the rest is padding
    data.setup("fit")
    for loader in (data.train_dataloader(), data.val_dataloader()):
        batch = next(iter(loader))
        for still, frames, valid in zip(batch.still, batch.frames, batch.valid, strict=True):
            assert valid.sum() == LENGTH
            assert (still - frames[valid].float().mean(0)).abs().max() <= 0.5
    assert batch.to("cpu").still.dtype == batch.frames.dtype


def test_the_deviation_is_that_of_the_training_clips(faces, tmp_path):
    data = module(faces, tmp_path, duration=1.5, stride=0.5)
    data.setup("fit")
    shown = np.stack([clip.frames(0, LENGTH) for clip in data._splits["train"]]) / 255
    moved = (shown - shown.mean(axis=1, keepdims=True)).reshape(-1, 3 * 16 * 16)
    deviation = np.sqrt(np.square(moved).mean(axis=0).reshape(3, 16, 16).mean(axis=0))
    np.testing.assert_allclose(data.deviation(), deviation, atol=1e-6)
    assert deviation[8:12].min() > 20 * deviation[:7].max()


def test_components_are_those_of_pixels_that_count_by_how_much_they_move(faces, tmp_path):
    data = module(faces, tmp_path, duration=1.5, stride=0.5)
    data.setup("fit")
    shown = np.stack([clip.frames(0, LENGTH) for clip in data._splits["train"]]) / 255
    moved = (shown - shown.mean(axis=1, keepdims=True)).reshape(-1, 3 * 16 * 16)
    weights = np.tile(data.deviation().flatten(), 3)
    amounts = np.linalg.svd(moved * weights, full_matrices=False)[0][:, 0]
    way = amounts @ moved  # what all pixels do beside the first component of the weighed ones
    found = data.components(3).flatten(1).numpy()
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    assert abs(found[0] @ way) / np.linalg.norm(way) > 0.9999
    assert 1 <= len(found) <= 3  # where fewer explain all, no rounding takes the place of the others
    away = np.linalg.norm(found[0].reshape(3, 16, 16)[:, :7])
    assert away < 0.05, "of the mouth, which is nearly all that moves"


def test_prediction_draws_on_what_is_named(faces, tmp_path):
    song = faces / "clip0.mp4"
    grey = np.random.default_rng(1).integers(0, 256, (16, 16, 3), np.uint8)
    Image.fromarray(grey).save(tmp_path / "face.png")
    for still, expected in ((None, None), (str(tmp_path / "face.png"), grey.transpose(2, 0, 1))):
        data = module(song, tmp_path, still=still)
        data.setup("predict")
        samples = np.zeros((1, RATE), np.float32)
        for loader in (data.predict_dataloader(), data.for_sound(samples, RATE, "sound").predict_dataloader()):
            batch = next(iter(loader))
            assert (batch.still is None) == (expected is None)
            if expected is not None:
                np.testing.assert_array_equal(batch.still, np.broadcast_to(expected, batch.still.shape))


def test_the_still_picture_of_a_video_is_its_mean(faces, tmp_path):
    data = module(faces, tmp_path)
    data.setup("fit")
    clip = data._splits["train"][0]
    still = read_still(faces / f"{clip.name}.mp4", Letterbox(16, 16)).astype(float)
    np.testing.assert_allclose(still, clip.frames(0, LENGTH).mean(axis=0), atol=0.51)


def test_what_is_no_picture_is_named(faces, tmp_path):
    (tmp_path / "face.png").write_bytes(b"no picture")
    for path, said in (("nowhere.png", "nowhere.png is no file; give a picture"), ("face.png", "face.png")):
        data = module(faces / "clip0.mp4", tmp_path, still=str(tmp_path / path))
        data.setup("predict")
        with pytest.raises(InputError, match=rf"data\.still: .*{Path(said)}"):
            next(iter(data.predict_dataloader()))

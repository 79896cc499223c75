"""Pictures drawn to a sound from Python are those that the command puts into its video."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import fulgurite
from datamodules.errors import InputError
from datamodules.sound.music import RATE
from datamodules.sound.sound import SoundVideoWriter, read_sound
from fulgurite.cli import main
from tests.docs.small_worlds import clips, song

EXPERIMENTS = Path(__file__).parents[3] / "experiments"
pytestmark = pytest.mark.slow  # a training of its own


@pytest.fixture(scope="module")
def world(trained, tmp_path_factory):
    path = tmp_path_factory.mktemp("sound") / "song.mp3"
    song(path)
    return trained("audio_to_video"), path


@pytest.fixture(scope="module")
def model(world):
    return fulgurite.load(world[0])


def test_pictures_are_those_of_the_command(world, model, predict, monkeypatch):
    written, write = [], SoundVideoWriter.write
    monkeypatch.setattr(SoundVideoWriter, "write", lambda self, frame: written.append(frame) or write(self, frame))
    predict(*world)
    drawn = model.draw(world[1])
    np.testing.assert_array_equal(drawn.frames, np.stack(written))
    assert (drawn.name, drawn.fps, drawn.frames.dtype) == ("song", 10.0, np.uint8)
    assert abs(drawn.time[-1] + 0.1 - 2.0) < 0.15
    np.testing.assert_array_equal(np.stack([*model.draw_frames(world[1])]), drawn.frames)


@pytest.mark.parametrize("rate", [RATE, 2 * RATE])
def test_samples_in_memory_draw_like_their_file(rate, world, model):
    samples = np.concatenate([*read_sound(world[1], rate)], axis=1)
    of_file = model.draw(world[1]).frames
    drawn = model.draw(samples[0], rate=rate)
    assert drawn.frames.shape == of_file.shape
    exact = rate == RATE  # else it is brought to that rate and back
    assert np.abs(drawn.frames.astype(int) - of_file).max() <= (0 if exact else 8)
    both = model.draw(torch.from_numpy(np.repeat(samples, 2, axis=0)), rate=rate)
    np.testing.assert_array_equal(both.frames, drawn.frames)


def test_a_model_that_takes_a_still_picture_draws_on_it(world, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = [f"{EXPERIMENTS}/{name}.yaml" for name in ("audio_to_video", "audio_to_video/smoke", "audio_to_video/grid")]
    clips(Path("clips"))
    words = [
        "--data.source",
        "clips",
        "--data.cache_dir",
        "cache",
        "--data.fps",
        "10",
        "--data.batch_size",
        "2",
        "--data.stride",
        "0.5",
    ]
    main(["fit", *(f"--config={file}" for file in files), *words, "--wandb.mode", "disabled"])
    model = fulgurite.load(tmp_path / "runs/audio_to_video/latest")
    Image.fromarray(np.full((32, 32, 3), 200, np.uint8)).save("grey.png")
    plain, on_grey = model.draw(world[1]).frames, model.draw(world[1], still="grey.png").frames
    assert plain.shape == on_grey.shape
    assert abs(on_grey.mean() - 200) < 10 < abs(plain.mean() - 200)
    np.testing.assert_array_equal(np.stack([*model.draw_frames(world[1], still="grey.png")]), on_grey)
    pixels = np.full((32, 32, 3), 200, np.uint8)
    for picture in (pixels, pixels[..., 0], torch.from_numpy(pixels).permute(2, 0, 1), Image.open("grey.png")):
        np.testing.assert_array_equal(model.draw(world[1], still=picture).frames, on_grey)
    with pytest.raises(InputError, match=r"still: float64 .* give bytes"):
        model.draw(world[1], still=pixels / 255)
    with pytest.raises(InputError, match=r"nowhere\.png: there is no such file"):
        model.draw(world[1], still="nowhere.png")
    with pytest.raises(InputError, match="AudioToVideoNet draws on no picture"):
        fulgurite.load(world[0]).draw(world[1], still=pixels)


def test_what_is_no_sound_is_told_in_one_sentence(world, model):
    for given, rate, said in (
        (np.zeros(9000, np.float32), None, "samples alone do not tell how fast they are"),
        (np.zeros(9000, np.int16), RATE, "int16 (9000,) is no sound; give floats in [-1, 1]"),
        (np.zeros((9000, 2), np.float32), RATE, "has 9000 channels; give (channels, samples)"),
        (np.full(9000, 300.0, np.float32), RATE, "sound: its sound has the value 300, not a number within 4"),
        (np.zeros(0, np.float32), RATE, "sound: holds no samples"),
        (world[1], RATE, "a file has its own; leave it out"),
        ([1, 2], RATE, "list is no sound"),
    ):
        with pytest.raises(InputError) as told:
            model.draw(given, rate=rate)
        assert said in str(told.value)

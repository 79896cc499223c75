import cv2
import numpy as np
import pytest
import torch
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from torch.utils.data import DataLoader

from callbacks import SoundMedia
from datamodules.batches import AudioVideoBatch, GeneratedClips
from datamodules.errors import InputError
from datamodules.media import read_timed_frames
from datamodules.sound.sound import read_sound

RATE, FPS, T = 16_000, 10.0, 15


def make_batch(number, valid=T, rate=RATE):
    samples = round(T * rate / FPS)
    keep = (torch.arange(T) < valid)[None].repeat(2, 1)
    sound = 0.5 * torch.sin(2 * torch.pi * 400 * (number + 1) / rate * torch.arange(samples))[None, None].repeat(
        2, 1, 1
    )
    frames = torch.full((2, T, 3, 32, 32), 200, dtype=torch.uint8) * keep[:, :, None, None, None]
    index = torch.arange(2 * number, 2 * number + 2)
    return AudioVideoBatch(sound, frames, keep, sound.flip(2), [f"clip{number}"] * 2, torch.zeros(2), index)


class Data(LightningDataModule):
    fps = FPS

    def __init__(self, rate):
        super().__init__()
        self.sample_rate = rate

    def train_dataloader(self):
        return DataLoader([make_batch(0, rate=self.sample_rate)], batch_size=None)

    def val_dataloader(self):
        clips = [make_batch(number, valid, self.sample_rate) for number, valid in enumerate((T, 10, T))]
        return DataLoader(clips, batch_size=None)


class Painter(LightningModule):
    layers = 2

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def training_step(self, batch, batch_idx):
        return self.weight.sum()

    def validation_step(self, batch, batch_idx):
        real = batch.frames.float() / 255
        return GeneratedClips(real * 0.1, real * 0.5, real)

    def attention(self, batch):
        assert len(batch) == 1
        return torch.full((1, self.layers, T, T), 1 / T)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


def fit(folder, module, epochs=1, rate=RATE, verb="fit", **options):
    trainer = Trainer(
        accelerator="cpu",
        callbacks=[SoundMedia(**options)],
        default_root_dir=folder,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        max_epochs=epochs,
        num_sanity_val_steps=0,
    )
    getattr(trainer, verb)(module, datamodule=Data(rate))
    return folder / "media"


def test_film_and_picture_show_the_first_clips_without_padding(tmp_path):
    media = fit(tmp_path, Painter(), clips=2)
    assert sorted(path.name for path in media.iterdir()) == [
        "attention-0000001.png",
        "batch-0000001.mp4",
        "batch-0000001.png",
    ]
    frames = [frame for _, frame in read_timed_frames(media / "batch-0000001.mp4")]
    assert len(frames) == 15 + 10
    third = frames[0].shape[1] // 3
    for column, level in enumerate((200, 20, 100)):
        assert abs(int(np.median(frames[3][-60:-20, column * third + 20 : (column + 1) * third - 20])) - level) < 8
    heard = sum(piece.shape[1] for piece in read_sound(media / "batch-0000001.mp4", RATE))
    assert abs(heard - 25 * RATE / FPS) <= 1024
    for name in ("batch-0000001.png", "attention-0000001.png"):
        assert cv2.imread(str(media / name)).std() > 5


@pytest.mark.parametrize("rate", [10_000, 20_000, 192_000])
def test_sound_at_a_rate_that_aac_does_not_know_is_heard_at_its_pitch(tmp_path, rate):
    media = fit(tmp_path, Painter(), rate=rate, clips=2)
    sound = np.concatenate(list(read_sound(media / "batch-0000001.mp4", 8000)), axis=1)[0]
    assert len(sound) / 8000 == pytest.approx(25 / FPS, abs=0.05)
    for first, hertz in ((2000, 400), (14_000, 800)):
        spectrum = np.abs(np.fft.rfft(sound[first : first + 4000]))
        assert np.argmax(spectrum) * 2 == pytest.approx(hertz, abs=4)


def test_a_net_without_attention_and_old_files(tmp_path):
    module = Painter()
    module.layers = 0
    media = fit(tmp_path, module, epochs=4, clips=1, keep=1, every_n_validations=2)
    assert sorted(path.name for path in media.iterdir()) == ["batch-0000003.mp4", "batch-0000003.png"]


@pytest.mark.parametrize("layers", [2, 0])
def test_what_is_written_is_sent_too(tmp_path, monkeypatch, layers):
    sent = []
    monkeypatch.setattr(
        "callbacks.media.show", lambda _, name, file: sent.append((name, file, file.stat().st_size > 0))
    )
    module = Painter()
    module.layers = layers
    media = fit(tmp_path, module, clips=1)
    files = {"val/video": "batch-*.mp4", "val/panel": "batch-*.png", "val/attention": "attention-*.png"}
    expected = [(name, file, True) for name, form in files.items() for file in media.glob(form)]
    assert len(expected) == (3 if layers else 2)
    assert sent == expected


def test_validate_names_its_files_by_the_batches_of_the_weights(tmp_path):
    fit(tmp_path, Painter(), clips=1, keep=1)
    module = Painter()
    module.batches_seen = 7
    media = fit(tmp_path, module, verb="validate", clips=1, keep=1)
    names = ["attention-0000007.png", "batch-0000007.mp4", "batch-0000007.png"]
    assert sorted(path.name for path in media.iterdir()) == names


def test_arguments_out_of_range_are_named():
    with pytest.raises(InputError, match="SoundMedia: clips is 0"):
        SoundMedia(clips=0)

import os
import socket

import av
import cv2
import numpy as np
import pytest
import torch
import torch.multiprocessing as multiprocessing
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from PIL import Image
from torch.utils.data import DataLoader

from callbacks import ImageMedia
from callbacks.images.sheets import colour, grid, linear, spherical, to_picture, write_clips
from datamodules.batches import ImageBatch, Reconstructions
from datamodules.errors import InputError

H, W, D = 100, 120, 10


def batches(count=10, size=4, channels=1):
    images = torch.arange(count, dtype=torch.uint8)[:, None, None, None].expand(-1, channels, H, W) * 20
    return [
        ImageBatch(
            images[first : first + size],
            [f"{n}.png" for n in index],
            torch.zeros(len(index)).long(),
            torch.tensor(index),
        )
        for first in range(0, count, size)
        for index in [list(range(first, min(first + size, count)))]
    ]


class Model(LightningModule):
    """The first latent number is the brightness in tenths; the third and second vary most, then the first."""

    latent_dim = D

    def __init__(self, channels=1):
        super().__init__()
        self.channels, self.decoded = channels, []
        self.weight = torch.nn.Parameter(torch.zeros(()))

    def encode(self, images):
        assert not torch.is_grad_enabled()
        assert images.dtype == torch.uint8
        value = images.float().flatten(1).mean(1) / 255 * 10
        z = torch.zeros(len(images), D)
        z[:, 0], z[:, 1], z[:, 2] = value, 2 * value, -3 * value
        return z

    def decode(self, z):
        assert not self.training
        self.decoded.append(z.clone())
        return (z[:, :1, None, None] / 10).clamp(0, 1).expand(-1, self.channels, H, W)

    def visuals(self, batch):
        return {"alpha": batch.images[:, :1].float() / 255}

    def training_step(self, batch, batch_idx):
        return self.weight * 1.0

    def validation_step(self, batch, batch_idx):
        mean = self.encode(batch.images)
        reconstructed = self.decode(mean)
        return Reconstructions(batch.name, batch.index, batch.images / 255, reconstructed, mean, mean)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1.0)


class Films(Model):
    def generate_video(self, z):
        return self.decode(z)[:, None].expand(-1, 5, -1, -1, -1)


class Data(LightningDataModule):
    def __init__(self, per_process=False):
        super().__init__()
        self.per_process = per_process

    def split_manifest(self):
        return {"splits": {"validation": [f"{n}.png" for n in range(10)]}}

    def train_dataloader(self):
        return DataLoader(torch.zeros(5, 1))

    def val_dataloader(self):
        made = batches()
        return DataLoader(
            made[self.trainer.global_rank :: self.trainer.world_size] if self.per_process else made, batch_size=None
        )


def fit(folder, model, callback, data=None, verb="fit", **kwargs):
    run = Trainer(
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
        callbacks=[callback],
        **({"max_epochs": 1} | kwargs),
    )
    getattr(run, verb)(model, datamodule=data or Data())


def sheet(folder, name, batches_seen=5):
    return cv2.cvtColor(cv2.imread(str(folder / f"media/batch-{batches_seen:07d}-{name}.png")), cv2.COLOR_BGR2RGB)


def cell(picture, line, column):
    """The middle of a picture on a sheet of panels: 18 pixels of title, 2 of gap."""
    return picture[line * (18 + H + 2) + 18 + H // 2, column * (W + 2) + W // 2].tolist()


def test_every_picture_is_in_its_place(tmp_path):
    model = Model()
    fit(tmp_path, model, ImageMedia(pictures=10, samples=12))
    names = {path.name for path in (tmp_path / "media").iterdir()}
    assert names == {
        f"batch-0000005-{name}.png" for name in ("reconstructions", "alpha", "samples", "traversals", "interpolation")
    }

    shown = sheet(tmp_path, "reconstructions")
    # two lines of eight: input, reconstruction, alpha; and the bar of alpha's colours
    assert shown.shape == (2 * 3 * (18 + H + 2) + 34, 8 * (W + 2), 3)
    for number in range(10):
        line, column = divmod(number, 8)
        assert cell(shown, 3 * line, column) == [20 * number] * 3
        assert cell(shown, 3 * line + 1, column) == [20 * number] * 3
        assert len(set(cell(shown, 3 * line + 2, column))) > 1 or number == 0  # heat, in colours
    assert cell(shown, 3, 2) == [255] * 3  # the second line has two

    alone = sheet(tmp_path, "alpha")  # below its input
    assert alone.shape == (2 * 2 * (18 + H + 2) + 34, 8 * (W + 2), 3)
    for line, column in ((0, 3), (1, 1)):
        assert cell(alone, 2 * line, column) == cell(shown, 3 * line, column)
        assert cell(alone, 2 * line + 1, column) == cell(shown, 3 * line + 2, column)

    assert sheet(tmp_path, "samples").shape == (2 * (18 + H + 2), 8 * (W + 2), 3)


def test_latent_vectors_are_those_promised(tmp_path):
    model = Model()
    fit(tmp_path, model, ImageMedia(pictures=10, samples=12, between=("2.png", "9.png")), max_epochs=2)
    validation, sheets = 3, 1 + 8 + 2
    one, two = (
        model.decoded[start + validation : start + validation + sheets] for start in (2, 2 + validation + sheets)
    )
    samples, *moved, straight, arc = one
    torch.testing.assert_close(samples, two[0], rtol=0, atol=0)
    assert samples.shape == (12, D)
    assert abs(float(samples.std()) - 1) < 0.2
    first = model_encode(0)
    for z, dimension in zip(moved[:3], (2, 1, 0), strict=True):  # those that vary most come first
        expected = first.expand(9, -1).clone()
        expected[:, dimension] = torch.linspace(-3, 3, 9)
        torch.testing.assert_close(z, expected)
    for way in (straight, arc):
        torch.testing.assert_close(way[[0, -1]], torch.cat([model_encode(2), model_encode(9)]))
    torch.testing.assert_close(straight[4], (straight[0] + straight[-1]) / 2)


def model_encode(number):
    value = 20 * number / 255 * 10
    return torch.tensor([[value, 2 * value, -3 * value] + [0.0] * (D - 3)])


def test_cadence_last_epoch_and_bounded_number_of_files(tmp_path):
    fit(tmp_path, Model(), ImageMedia(every_n_validations=2, keep=2), max_epochs=6)
    found = sorted(path.name for path in (tmp_path / "media").glob("*-samples.png"))
    assert found == ["batch-0000025-samples.png", "batch-0000030-samples.png"]  # 5 and 15 are gone


def test_validate_names_its_files_by_the_batches_of_the_weights(tmp_path):
    fit(tmp_path, Films(), ImageMedia(keep=1))
    judged = Films()
    judged.batches_seen = 3
    fit(tmp_path, judged, ImageMedia(keep=1), verb="validate")
    assert sorted(path.name for path in (tmp_path / "media").iterdir()) == [
        f"batch-0000003-{name}"
        for name in (
            "alpha.png",
            "interpolation.png",
            "reconstructions.png",
            "samples.png",
            "traversals.png",
            "video.gif",
            "video.mp4",
        )
    ]


def test_a_dry_run_leaves_no_files(tmp_path):
    fit(tmp_path, Films(), ImageMedia(), fast_dev_run=2)
    assert not list(tmp_path.iterdir())


def test_everything_is_sent_to_weights_and_biases(tmp_path, monkeypatch):
    sent = []
    monkeypatch.setattr("callbacks.media.show", lambda trainer, *given: sent.append(given))
    fit(tmp_path, Films(), ImageMedia())
    media = tmp_path / "media"
    assert sent == [
        *(
            (f"val/{name}", media / f"batch-0000005-{name}.png")
            for name in ("reconstructions", "alpha", "samples", "traversals", "interpolation")
        ),
        ("val/video", media / "batch-0000005-video.mp4"),
    ]
    assert all(file.is_file() for _, file in sent)


def test_videos_of_a_module_that_makes_them(tmp_path):
    fit(tmp_path, Films(3), ImageMedia())
    with av.open(str(tmp_path / "media/batch-0000005-video.mp4")) as film:
        assert sum(1 for _ in film.decode(video=0)) == 5
    with Image.open(tmp_path / "media/batch-0000005-video.gif") as film:
        assert film.size == (W + 2, 18 + 4 * (H + 2))


def test_names_of_the_interpolation_are_checked_before_the_first_epoch(tmp_path):
    model = Model()
    with pytest.raises(InputError, match=r"'7.jpg', which no picture .* for example '7\.png'"):
        fit(tmp_path, model, ImageMedia(between=("7.jpg", "1.png")), num_sanity_val_steps=0)
    assert not model.decoded


def test_a_module_without_visuals_shows_what_all_have(tmp_path):
    class Plain(Model):
        visuals = None

    fit(tmp_path, Plain(), ImageMedia())
    sheets = {file.stem.rpartition("-")[2] for file in (tmp_path / "media").glob("batch-*.png")}
    assert sheets == {"reconstructions", "samples", "traversals", "interpolation"}


def test_without_what_is_shown_it_is_named(tmp_path):
    class Blind(Model):
        encode = None

        def validation_step(self, batch, batch_idx):
            images = batch.images / 255
            return Reconstructions(batch.name, batch.index, images, images, torch.zeros(len(images), D), None)

    with pytest.raises(TypeError, match="Blind lacks encode, decode or latent_dim"):
        fit(tmp_path, Blind(), ImageMedia())
    with pytest.raises(InputError, match="samples is 0"):
        ImageMedia(samples=0)


def run_rank(rank, world, port, folder):
    os.environ.update(
        MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), RANK=str(rank), WORLD_SIZE=str(world), LOCAL_RANK=str(rank)
    )
    torch.set_num_threads(1)
    fit(
        folder,
        Model(),
        ImageMedia(pictures=10, between=("4.png", "9.png")),
        Data(per_process=True),
        strategy="ddp",
        devices=world,
        use_distributed_sampler=False,
    )


def test_two_processes_show_the_pictures_of_both(tmp_path):
    fit(tmp_path / "one", Model(), ImageMedia(pictures=10, between=("4.png", "9.png")))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    multiprocessing.start_processes(run_rank, (2, port, tmp_path / "two"), nprocs=2, start_method="fork")
    for name in ("reconstructions", "samples", "traversals", "interpolation"):
        np.testing.assert_array_equal(sheet(tmp_path / "one", name), sheet(tmp_path / "two", name))


def test_the_arc_keeps_its_length_and_turns_evenly():
    random = torch.Generator().manual_seed(0)
    first, second = (torch.nn.functional.normalize(torch.randn(D, generator=random), dim=0) * 5 for _ in range(2))
    way = spherical(first, second, 7)
    torch.testing.assert_close(way.norm(dim=1), torch.full((7,), 5.0))
    steps = torch.nn.functional.cosine_similarity(way[1:], way[:-1])
    torch.testing.assert_close(steps, steps[:1].expand(6))
    assert float(linear(first, second, 7)[3].norm()) < 5
    torch.testing.assert_close(spherical(first, 2 * first, 5), linear(first, 2 * first, 5))
    assert spherical(torch.zeros(D), second, 5).isfinite().all()


def test_grids_and_pictures_keep_their_values():
    images = torch.rand(11, 3, H, W, generator=torch.Generator().manual_seed(0))
    laid = grid({"one": images, "two": 1 - images})
    assert laid.shape == (4 * (18 + H + 2), 8 * (W + 2), 3)
    tenth = laid[2 * 120 + 18 : 2 * 120 + 18 + H, W + 2 : W + 2 + W]
    np.testing.assert_array_equal(tenth, (images[9] * 255).round().byte().movedim(0, -1).numpy())
    assert to_picture(images[0, :1]).shape == (H, W)
    np.testing.assert_array_equal(to_picture(images[9]), tenth)
    assert colour(images[:, :1]).shape == images.shape


def test_clips_are_written_whole(tmp_path):
    write_clips(tmp_path / "new/clip", torch.linspace(0, 1, 6)[None, :, None, None, None].expand(1, 6, 1, H, W))
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["clip.gif", "clip.mp4"]
    with Image.open(tmp_path / "new/clip.gif") as film:
        assert film.n_frames == 6
        film.seek(5)
        assert film.convert("RGB").getpixel((60, 60)) == (255, 255, 255)

"""What the four data modules share: source or demo, and that nothing is judged by what was learned from."""

import logging
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from datamodules import AitexDataModule, AudioVideoDataModule, ImageFolderDataModule, VideoSnippetDataModule
from datamodules.errors import InputError
from datamodules.sound.sound import SoundVideoWriter

from .conftest import make_frames, save_images


def write_clips(root):
    for number in range(5):
        save_images(root / "train" / f"n{number}", make_frames(12, seed=number))
    for number in range(2):
        save_images(root / "test" / f"t{number}", make_frames(12, seed=50 + number))


def write_pictures(folder, count=12, size=32, first=0):
    folder.mkdir(parents=True)
    for number in range(first, first + count):
        picture = np.random.default_rng(number).integers(0, 255, (size, size, 3), np.uint8)
        assert cv2.imwrite(str(folder / f"{number:02d}.png"), picture)


def write_images(root):
    write_pictures(root, 40, 16)


def write_parts(root):
    write_pictures(root / "good")
    write_pictures(root / "hole", 2, first=90)


def write_films(root):
    root.mkdir()
    for number in range(8):
        with SoundVideoWriter(root / f"clip{number}.mp4", 25.0, (16, 24), 16_000) as film:
            for _ in range(15):
                film.write(np.full((16, 24, 3), 20 * number, np.uint8))
            film.write_sound(np.random.default_rng(number).uniform(-0.5, 0.5, (1, 9600)).astype(np.float32))


class Room(NamedTuple):
    """A data module, what it needs, and how to hold out other items.

    ``held_out`` finds the file or folder of an item of the manifest.
    """

    kind: type
    write: Callable
    options: dict
    other_split: dict
    held_out: Callable


ROOMS = {
    "clips": Room(
        VideoSnippetDataModule,
        write_clips,
        {"image_size": 32, "num_frames": 4, "batch_size": 2, "validation_fraction": 0.2},
        {"validation_fraction": 0.8},
        lambda root, name: next(root.glob(f"*/{name}")),
    ),
    "images": Room(
        ImageFolderDataModule,
        write_images,
        {"image_size": 16, "batch_size": 4, "validation_fraction": 0.2, "test_fraction": 0.2},
        {"validation_fraction": 0.5},
        lambda root, name: root / name,
    ),
    "parts": Room(
        AitexDataModule,
        write_parts,
        {"tile_size": 32, "train_stride": 32, "batch_size": 2, "channels": 3},
        {"split_seed": 1, "validation_fraction": 0.5},
        lambda root, name: root / f"{name}.png",
    ),
    "sound": Room(
        AudioVideoDataModule,
        write_films,
        {"duration": 0.4, "stride": 0.2, "image_size": 16, "batch_size": 2},
        {"validation_fraction": 0.5},
        lambda root, name: root / f"{name}.mp4",
    ),
}
pytestmark = pytest.mark.filterwarnings(
    *("ignore:.*it has no mask", "ignore:.*does not have many workers", "ignore:.*LeafSpec"),
    "ignore:.*resuming from a checkpoint that ended before the epoch ended",
)


@pytest.fixture(scope="module", params=ROOMS)
def written(request, tmp_path_factory):
    """A room and its data, once for all tests."""
    folder = tmp_path_factory.mktemp(request.param)
    ROOMS[request.param].write(folder / "first")
    return ROOMS[request.param], folder / "first"


@pytest.fixture
def cache(tmp_path_factory):
    return tmp_path_factory.getbasetemp() / "shared_cache"


def opened(room, source, cache, stages=("fit",), state=None, **options):
    data = room.kind(str(source), cache_dir=str(cache), **(room.options | options))
    for stage in stages:
        data.setup(stage)
    if state is not None:
        data.load_state_dict(state)
    return data


def without_source(data):
    return {key: value for key, value in data.split_manifest().items() if key not in ("source", "starts")}


def test_a_renamed_folder_has_the_same_splits_and_may_be_judged(written, cache, tmp_path):
    room, source = written
    trained = opened(room, source, cache)
    shutil.copytree(source, tmp_path / "moved and renamed")
    moved = opened(room, tmp_path / "moved and renamed", cache, ("fit", "test"), trained.state_dict())
    trained.setup("test")
    assert without_source(moved) == without_source(trained)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        moved.test_dataloader()
        moved.val_dataloader()


def test_no_validation_judges_by_what_was_trained_on(written, cache):
    room, source = written
    trained = opened(room, source, cache)
    other = opened(room, source, cache, state=trained.state_dict(), **room.other_split)
    fresh = set(trained.split_manifest()["splits"]["train"])
    assert fresh & set(other.split_manifest()["splits"]["validation"])
    with pytest.raises(InputError, match=r"already learned from: the checkpoint was trained on this one as \w") as told:
        other.val_dataloader()
    assert all(key in str(told.value) for key in room.kind.splitting)
    assert any(name in str(told.value) for name in fresh)


@pytest.mark.parametrize("split", ["train", "validation"])
def test_no_test_judges_by_what_was_learned_whatever_it_is_called(written, cache, tmp_path, split):
    room, source = written
    trained = opened(room, source, cache, ("fit", "test"))
    splits = trained.split_manifest()["splits"]
    learned, tested = (room.held_out(source, splits[part][0]) for part in (split, "test"))
    root = tmp_path / "copy"
    shutil.copytree(source, root)
    # what was learned from comes back in the place of what is tested, and nothing else of it is there
    there = root / tested.relative_to(source)
    shutil.rmtree(there) if there.is_dir() else there.unlink()
    (root / learned.relative_to(source)).rename(there)
    data = opened(room, root, cache, ("test",), trained.state_dict())
    with pytest.raises(InputError, match=r"for test, was already learned from.* trained, calibrated or validated on"):
        data.test_dataloader()


def test_a_resumed_run_remembers_all_that_it_learned_from(written, cache):
    room, source = written
    first, later = opened(room, source, cache), opened(room, source, cache, **room.other_split)
    alone = later.state_dict()
    later.load_state_dict(first.state_dict())
    both = later.state_dict()
    for list_of in ("trained", "validated"):
        assert both[list_of] == first.state_dict()[list_of] | alone[list_of]
    assert all(isinstance(name, str) for name in both["trained"].values())


class Idle(LightningModule):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.order = []

    def training_step(self, batch, _):
        self.order.append(batch.index.tolist())
        return self.weight.sum()

    def validation_step(self, batch, _, dataloader_idx=0):
        pass

    def test_step(self, batch, batch_idx):
        pass

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.0)


class Counting(Idle):
    """Counts the batches for a schedule, which has the loader made before a checkpoint's place is restored."""

    def configure_optimizers(self):
        assert self.trainer.estimated_stepping_batches > 0
        return super().configure_optimizers()


def trainer(**settings):
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    return Trainer(accelerator="cpu", devices=1, num_sanity_val_steps=0, **quiet, **settings)


def test_a_checkpoint_refuses_and_one_that_says_nothing_warns(written, cache, tmp_path):
    room, source = written
    options = {"cache_dir": str(cache), **room.options}
    run = trainer(max_epochs=1, limit_train_batches=1, enable_checkpointing=False)
    run.fit(Idle(), datamodule=room.kind(str(source), **options))
    run.save_checkpoint(path := tmp_path / "a.ckpt")
    other = room.kind(str(source), **(options | room.other_split))
    for verb, settings in (("validate", {}), ("fit", {"max_epochs": 2})):
        with pytest.raises(InputError, match="already learned from"):
            getattr(trainer(**settings), verb)(Idle(), datamodule=other, ckpt_path=path, weights_only=True)
    kept = torch.load(path, weights_only=True)
    if room.kind in (VideoSnippetDataModule, AudioVideoDataModule):  # which told videos by their size and both ends
        kept[room.kind.__qualname__]["form"] = ""
        torch.save(kept, tmp_path / "ends.ckpt")
        data = room.kind(str(source), **options)
        with pytest.warns(UserWarning, match="cannot be checked: it learned from items that are told apart otherwise"):
            trainer().validate(Idle(), datamodule=data, ckpt_path=tmp_path / "ends.ckpt", weights_only=True)
    del kept[room.kind.__qualname__]
    torch.save(kept, tmp_path / "old.ckpt")
    for verb, split in (("validate", "validation"), ("test", "test")):
        data = room.kind(str(source), **options)
        with pytest.warns(UserWarning, match=rf"for {split} cannot be checked: it does not say what it has learned"):
            getattr(trainer(), verb)(Idle(), datamodule=data, ckpt_path=tmp_path / "old.ckpt", weights_only=True)


class Saver(Callback):
    """Saves a checkpoint after every batch and at the end of every epoch, under the number of batches seen."""

    def __init__(self, folder):
        self.folder, self.count = folder, 0

    def on_train_batch_end(self, trainer, *_):
        self.count += 1
        trainer.save_checkpoint(self.folder / f"{self.count}.ckpt")

    def on_train_epoch_end(self, trainer, *_):
        trainer.save_checkpoint(self.folder / f"end of {trainer.current_epoch}.ckpt")


def test_a_run_resumed_within_an_epoch_goes_on_with_the_next_batch(written, cache, tmp_path):
    room, source = written
    options = {"cache_dir": str(cache), **room.options}
    whole, epochs = Idle(), {"max_epochs": 3, "limit_train_batches": 4, "limit_val_batches": 0}
    trainer(enable_checkpointing=False, callbacks=[Saver(tmp_path)], **epochs).fit(
        whole, datamodule=room.kind(str(source), **options)
    )
    each = len(whole.order) // 3
    assert each > 2
    places = {"1": 1, f"{each - 1}": each - 1, f"{each}": each, "end of 0": each, f"{each + 2}": each + 2}
    for name, done in places.items():
        for workers, rest in [(0, Idle()), (0, Counting()), (2, Idle()), (2, Counting())]:
            if workers and room.kind is not ImageFolderDataModule:  # processes start slowly
                continue
            trainer(enable_checkpointing=False, **epochs).fit(
                rest,
                datamodule=room.kind(str(source), num_workers=workers, **options),
                ckpt_path=tmp_path / f"{name}.ckpt",
                weights_only=True,
            )
            assert rest.order == whole.order[done:], (name, workers, type(rest))


def test_overfit_batches_shows_the_same_batches_in_every_epoch(written, cache):
    room, source = written
    workers = 2 if room.kind is ImageFolderDataModule else 0  # processes start slowly
    model = Idle()
    data = room.kind(str(source), cache_dir=str(cache), num_workers=workers, **room.options)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="You requested to overfit")
        trainer(max_epochs=3, overfit_batches=2, enable_checkpointing=False).fit(model, datamodule=data)
    assert len(model.order) == 6
    assert model.order[:2] == model.order[2:4] == model.order[4:]
    assert not set(model.order[0]) & set(model.order[1])


@pytest.mark.parametrize("name", ROOMS)
@pytest.mark.parametrize("key", ["source", "cache_dir"])
@pytest.mark.parametrize("value", ["", "  ", "\t"])
def test_an_empty_name_is_an_error(name, key, value):
    with pytest.raises(InputError, match=rf"^data\.{key}: is '.*', as of a shell variable.*; name a folder, or leave"):
        ROOMS[name].kind(**{key: value})


@pytest.mark.parametrize("name", ROOMS)
@pytest.mark.parametrize("key", ["batch_size", "num_workers"])
@pytest.mark.parametrize("value", [None, -1, True, float("nan"), 10**9])
def test_absurd_numbers_are_named(name, key, value):
    with pytest.raises(InputError, match=rf"^data\.{key}: is .*, must be from"):
        ROOMS[name].kind(**{key: value})


@pytest.mark.parametrize(
    ("name", "demo"),
    [("clips", "demo_folder"), ("images", "shapes_folder"), ("parts", "weave_folder"), ("sound", "music_folder")],
)
def test_the_demo_is_used_without_a_source_only_and_told_once(name, demo, monkeypatch, caplog, tmp_path, cache):
    room = ROOMS[name]
    room.write(tmp_path / "demo")
    monkeypatch.setattr(f"{room.kind.__module__}.{demo}", lambda cache, *_: tmp_path / "demo")
    with caplog.at_level(logging.INFO, "lightning.pytorch.utilities.rank_zero"):
        data = room.kind(cache_dir=str(cache), **room.options)
        data.prepare_data()
        data.setup("fit")
    told = [record.getMessage() for record in caplog.records if "data.source" in record.getMessage()]
    assert told == [f"data.source is not set: using the demo, {room.kind.demo} ({tmp_path / 'demo'})"]
    assert data.split_manifest()["source"] == str(tmp_path / "demo")
    caplog.clear()
    opened(room, Path(tmp_path / "demo"), cache)
    assert not any("demo," in record.getMessage() for record in caplog.records)


def alter(path):
    """Give a picture, a folder of frames or a film other content under the same name."""
    if path.is_dir():
        path = min(path.iterdir())
    if path.suffix == ".mp4":
        write_films(path.parent / "other")
        (path.parent / "other/clip0.mp4").replace(path)
        shutil.rmtree(path.parent / "other")
    else:
        assert cv2.imwrite(str(path), 255 - cv2.imread(str(path)))


def test_fingerprints_are_those_of_the_content(written, tmp_path):
    """Another folder with the same files has the same; another division of them, or other content, has others."""
    room, source = written
    shutil.copytree(source, tmp_path / "moved")
    found = opened(room, source, tmp_path / "cache").fingerprints()
    moved = opened(room, tmp_path / "moved", tmp_path / "cache2")
    assert found == moved.fingerprints()
    assert {"train", "validation"} <= set(found)
    assert all(len(one) == 16 for one in found.values())
    assert len(set(found.values())) == len(found)
    other = opened(room, source, tmp_path / "cache", **room.other_split).fingerprints()
    assert other["train"] != found["train"]
    alter(room.held_out(tmp_path / "moved", moved.split_manifest()["splits"]["train"][-1]))
    altered = opened(room, tmp_path / "moved", tmp_path / "cache2").fingerprints()
    assert altered["train"] != found["train"]

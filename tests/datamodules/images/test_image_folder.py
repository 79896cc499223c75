import json
import shutil

import numpy as np
import pytest
import torch
from jsonargparse import ArgumentParser
from lightning.pytorch import LightningModule, Trainer
from PIL import Image

from datamodules import ImageFolderDataModule
from datamodules.errors import InputError
from datamodules.images import shapes
from datamodules.picture_file import read_picture


def save(path, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 255, (16, 16, 3), np.uint8)
    Image.fromarray(noise).save(path)


@pytest.fixture
def source(tmp_path):
    """Two classes of 30 pictures of 16x16."""
    for number in range(60):
        save(tmp_path / "set" / "ab"[number % 2] / f"{number:02d}.png", number)
    return tmp_path / "set"


@pytest.fixture
def module(source, tmp_path):
    def make(**changes):
        shares = {"validation_fraction": 0.2, "test_fraction": 0.2}
        settings = {"source": str(source), "cache_dir": str(tmp_path / "cache"), "image_size": 16, "batch_size": 8}
        return ImageFolderDataModule(**(settings | shares | changes))

    return make


def read(loader):
    """All batches as one list of (name, label, index, image)."""
    return [
        row
        for batch in loader
        for row in zip(batch.name, batch.label.tolist(), batch.index.tolist(), batch.images, strict=True)
    ]


@pytest.mark.parametrize("channels", [1, 3])
def test_every_row_is_the_picture_that_it_names(module, source, channels):
    data = module(channels=channels)
    data.prepare_data()
    data.setup("fit")
    data.setup("test")
    rows = {
        "train": read(data.train_dataloader()),
        "validation": read(data.val_dataloader()),
        "test": read(data.test_dataloader()),
    }
    for split, found in rows.items():
        names = data.split_manifest()["splits"][split]
        for name, label, index, image in found:
            expected = read_picture(source / name, channels).transpose(2, 0, 1)
            assert image.dtype == torch.uint8
            np.testing.assert_array_equal(image, expected)
            assert label == data.classes.index(name[0])
            assert names[index] == name
    assert len(rows["train"]) == len(data.split_manifest()["splits"]["train"]) // 8 * 8
    for split in ("validation", "test"):
        assert [index for _, _, index, _ in rows[split]] == list(range(len(rows[split]))) != []


def test_splits_share_nothing_and_lose_nothing(module):
    data = module()
    data.setup("fit")
    splits = data.split_manifest()["splits"]
    names = [name for chosen in splits.values() for name in chosen]
    assert len(names) == len(set(names)) == 60
    assert set(splits) == {"train", "validation", "test"}


def test_whether_a_picture_is_mirrored_follows_from_seed_epoch_and_index(module, monkeypatch):
    data = module(flip=True, batch_size=4)
    data.setup("fit")
    originals = {name: image for name, _, _, image in read(module_without_flip(module))}

    def mirrored(epoch, workers=0):
        data._num_workers = workers
        loader = data.train_dataloader()
        loader.sampler.set_epoch(epoch)
        found = {}
        for name, _, _, image in read(loader):
            flipped = torch.equal(image, originals[name].flip(-1))
            assert flipped or torch.equal(image, originals[name])
            found[name] = flipped
        return found

    def agreement(left, right):
        shared = left.keys() & right.keys()
        return np.mean([left[name] == right[name] for name in shared])

    first = mirrored(0)
    assert 0.2 < np.mean(list(first.values())) < 0.8
    assert mirrored(0) == first
    assert mirrored(0, workers=2) == first
    assert agreement(mirrored(1), first) < 0.85
    monkeypatch.setenv("PL_GLOBAL_SEED", "1")
    assert agreement(mirrored(0), first) < 0.85


def module_without_flip(module):
    data = module(batch_size=1)
    data.setup("fit")
    return data.train_dataloader()


def test_only_training_pictures_are_changed(module):
    plain, flipping = module(), module(flip=True, zoom=0.3)
    for stage in ("fit", "test", "predict"):
        plain.setup(stage)
        flipping.setup(stage)
    for name in ("val_dataloader", "test_dataloader", "predict_dataloader"):
        left, right = read(getattr(plain, name)()), read(getattr(flipping, name)())
        assert all(torch.equal(a[3], b[3]) for a, b in zip(left, right, strict=True))


def test_samples_are_held_against_what_was_learned_alone(module, source, tmp_path):
    learning = module(flip=True, zoom=0.3)
    learning.setup("fit")
    plain = [*zip(*((row[0], row[3]) for row in read(module_without_flip(module))), strict=True)]
    shown = [*learning.training_pictures()]
    assert sorted(name for batch in shown for name in batch.name) == sorted(2 * plain[0])
    for batch in shown[::2]:
        for name, image in zip(batch.name, batch.images, strict=True):
            torch.testing.assert_close(image, plain[1][plain[0].index(name)])
    assert all(
        torch.equal(one.images.flip(3), other.images) for one, other in zip(shown[::2], shown[1::2], strict=True)
    )

    save(source / "a" / "99.png", 99)
    save(tmp_path / "other" / "00.png", 100)
    judging = module(test_fraction=0.4, validation_fraction=0.001)
    judging.load_state_dict(learning.state_dict())
    judging.setup("test")
    names = {name for batch in judging.training_pictures() for name in batch.name}
    assert names
    assert names <= {*plain[0]}  # neither the new picture nor what was held out
    elsewhere = module(source=str(source), image_size=24)  # whose pictures cannot be compared with those learned from
    elsewhere.load_state_dict(learning.state_dict())
    elsewhere.setup("test")
    assert not [*elsewhere.training_pictures()]


def test_training_pictures_are_zoomed_into(module):
    zooming = module(zoom=0.4, batch_size=1)
    zooming.setup("fit")
    originals = {name: image for name, _, _, image in read(module_without_flip(module))}
    changed = [not torch.equal(image, originals[name]) for name, _, _, image in read(zooming.train_dataloader())]
    assert np.mean(changed) > 0.8


class Recorder(LightningModule):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.seen = {"train": [], "validation": [], "test": [], "predict": []}

    def training_step(self, batch, _):
        self.seen["train"].append((self.current_epoch, batch.name, batch.images.float().mean(dim=(1, 2, 3))))
        return self.weight * batch.images.float().mean()

    def validation_step(self, batch):
        self.seen["validation"] += batch.name

    def test_step(self, batch):
        self.seen["test"] += batch.name

    def predict_step(self, batch):
        self.seen["predict"] += batch.name

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.0)


def trainer(tmp_path, **settings):
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    return Trainer(accelerator="cpu", default_root_dir=tmp_path, num_sanity_val_steps=0, **quiet, **settings)


@pytest.mark.filterwarnings("ignore")
def test_all_stages_run_in_lightning_and_an_epoch_resumes_exactly(module, source, tmp_path):
    whole, first, rest = Recorder(), Recorder(), Recorder()
    trainer(tmp_path, max_epochs=3, enable_checkpointing=False).fit(whole, module(flip=True))
    short = trainer(tmp_path, max_epochs=2)
    short.fit(first, module(flip=True))
    short.save_checkpoint(tmp_path / "two.ckpt")
    trainer(tmp_path, max_epochs=3).fit(rest, module(flip=True), ckpt_path=tmp_path / "two.ckpt", weights_only=False)
    expected = [row for row in whole.seen["train"] if row[0] == 2]
    assert len(expected) > 2
    for left, right in zip(expected, rest.seen["train"], strict=True):
        assert left[:2] == right[:2]
        assert torch.equal(left[2], right[2])
    assert whole.seen["train"][0][1] != expected[0][1]
    data = module()
    trainer(tmp_path).test(rest, data)
    manifest = data.split_manifest()["splits"]
    assert rest.seen["test"] == manifest["test"]
    assert rest.seen["validation"] == manifest["validation"]
    cached = len(list((tmp_path / "cache" / "pictures").iterdir()))
    trainer(tmp_path).predict(rest, module(source=str(source / "a")), return_predictions=False)
    assert rest.seen["predict"] == [f"{number:02d}.png" for number in range(0, 60, 2)]
    assert len(list((tmp_path / "cache" / "pictures").iterdir())) == cached + 1


def test_prediction_of_a_folder_or_one_picture(module, source):
    for path, names in ((source, 60), (source / "a" / "04.png", ["04.png"])):
        data = module(source=str(path))
        data.setup("predict")
        found = [name for name, *_ in read(data.predict_dataloader())]
        assert found == names or len(found) == names


def test_processes_train_on_different_pictures(module, one_of_two):
    indices = []
    for rank in (0, 1):
        data = module(batch_size=4)
        data.setup("fit")
        data.trainer = one_of_two(rank)
        indices.append([index for _, _, index, _ in read(data.train_dataloader())])
    assert len(indices[0]) == len(indices[1]) > 0
    assert not set(indices[0]) & set(indices[1])


def test_reading_takes_nothing_from_the_global_random_numbers(module):
    data = module(num_workers=1, flip=True)
    data.setup("fit")
    state = torch.get_rng_state()
    next(iter(data.train_dataloader()))
    next(iter(data.val_dataloader()))
    assert torch.equal(torch.get_rng_state(), state)


def test_embedded_default_is_used_only_without_a_source(module, tmp_path, monkeypatch):
    monkeypatch.setattr(shapes, "COUNT", 40)
    data = module(source=None, image_size=32)
    for stage in ("fit", "test", "predict"):
        data.setup(stage)
    splits = data.split_manifest()["splits"]
    assert sum(map(len, splits.values())) == 40
    assert [name for name, *_ in read(data.predict_dataloader())] == splits["test"]
    for stage in ("fit", "predict"):
        with pytest.raises(InputError, match=r"data\.source: .*nowhere is neither a picture nor a folder"):
            module(source=str(tmp_path / "nowhere")).setup(stage)


def test_manifest_is_json(module, source):
    data = module()
    data.setup("fit")
    manifest = json.loads(json.dumps(data.split_manifest()))
    assert (manifest["source"], manifest["layout"], manifest["left_out"]) == (str(source), "classes", [])
    assert manifest["classes"] == ["a", "b"]


def test_bad_files_are_fatal_or_left_out_before_training_begins(module, source):
    broken = source / "b" / "07.png"
    broken.write_bytes(broken.read_bytes()[:60])
    Image.new("RGB", (100, 100)).save(source / "b" / "large.png")
    data = module(max_pixels=2000)
    with pytest.raises(InputError, match=r"07\.png: unreadable(.|\n)*large\.png: measures 100x100"):
        data.prepare_data()
    data = module(max_pixels=2000, on_bad_file="skip")
    with pytest.warns(UserWarning, match=r"left out 2 of 61 pictures"):
        data.setup("fit")
    manifest = data.split_manifest()
    assert sum(map(len, manifest["splits"].values())) == 59
    assert len(manifest["left_out"]) == 2


def test_copies_across_splits_are_named_and_left_out_of_training(module, source):
    data = module()
    data.setup("fit")
    before = data.split_manifest()["splits"]
    held_out = before["validation"][0]
    for number in range(4):
        shutil.copy(source / held_out, source / "a" / f"copy{number}.png")
    data = module()
    with pytest.warns(UserWarning, match=rf"copies of other pictures(.|\n)*shows the same as .*{held_out[2:]}"):
        data.setup("fit")
    after = data.split_manifest()
    assert after["left_out"]
    assert not any("copy" in name for name in after["splits"]["train"])
    assert set(after["splits"]["train"]) == set(before["train"])


def test_empty_split_is_named(module, source):
    with pytest.raises(InputError, match=r"none of the 60 pictures .* is for test; .*data\.test_fraction"):
        module(test_fraction=0.0).setup("test")
    untested = module(test_fraction=0.0)
    untested.setup("fit")
    assert not untested.can_test
    for path in [*source.glob("*/*.png")][1:]:
        path.unlink()
    with pytest.raises(InputError, match="none of the 1 pictures"):
        module().setup("fit")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("image_size", (0, 64)),
        ("image_size", 5000),
        ("batch_size", 0),
        ("eval_batch_size", -1),
        ("num_workers", -1),
        ("validation_fraction", 0.0),
        ("test_fraction", 0.9),
        ("background", 256),
        ("max_pixels", 10**9),
    ],
)
def test_absurd_values_are_named(module, key, value):
    with pytest.raises(InputError, match=rf"data\.{key}: is .*, must be from"):
        module(**{key: value})


def test_batch_larger_than_the_data_is_named(module):
    data = module(batch_size=1000)
    data.setup("fit")
    with pytest.raises(InputError, match=r"data\.batch_size: is 1000"):
        data.train_dataloader()


@pytest.mark.parametrize(("typed", "size"), [("48", (48, 48)), ("[32, 48]", (32, 48))])
def test_settings_as_they_are_typed(typed, size):
    parser = ArgumentParser()
    parser.add_class_arguments(ImageFolderDataModule, "data")
    settings = parser.parse_args([f"--data.image_size={typed}", "--data.source=here", "--data.channels=1"])
    data = parser.instantiate(settings).data
    assert (data.image_size, data.source, data.channels) == (size, "here", 1)

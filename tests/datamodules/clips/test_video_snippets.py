import json
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
import torch
from jsonargparse import ArgumentParser
from lightning.fabric.utilities.data import _set_sampler_epoch
from lightning.pytorch import LightningModule, Trainer

from datamodules import VideoSnippetDataModule
from datamodules.clips import demo
from datamodules.clips.scenes import SCENES
from datamodules.errors import InputError


@pytest.fixture
def source(tmp_path, frames, images, masks):
    """Five training and two test clips of 24x32, the second test clip normal."""
    root = tmp_path / "set"
    for number in range(5):
        images(root / "train" / f"n{number}", frames(30 + number, seed=number))
    for number in range(2):
        images(root / "test" / f"t{number}", frames(25, seed=50 + number))
    mask = np.zeros((25, 24, 32), np.uint8)
    mask[10:20, 4:12, 6:20] = 1
    masks(root / "test" / "masks" / "t0", mask)
    (root / "test" / "labels.csv").write_text("video,start,end\nt0,10,20\nt1,,\n")
    return root


@pytest.fixture
def module(source, tmp_path):
    def make(**changes):
        settings = {"source": str(source), "cache_dir": str(tmp_path / "cache"), "image_size": 32, "num_frames": 4}
        return VideoSnippetDataModule(**(settings | changes))

    return make


def collect(loader):
    """Labels by (video, frame) of all windows, which must agree where windows overlap."""
    labels, indices = defaultdict(set), []
    for batch in loader:
        indices += batch.index.tolist()
        for video, frames, values in zip(batch.video, batch.frame, batch.label, strict=True):
            for frame, label in zip(frames.tolist(), values.tolist(), strict=True):
                labels[video, frame].add(label)
    assert all(len(values) == 1 for values in labels.values())
    assert indices == list(range(len(indices)))
    return {key: values.pop() for key, values in labels.items()}


def test_training_batches(module):
    data = module(batch_size=3, train_stride=5)
    data.prepare_data()
    data.setup("fit")
    batches = list(data.train_dataloader())
    batch = batches[0]
    assert batch.frames.shape == batch.pseudo.shape == (3, 4, 3, 32, 32)
    assert batch.frames.dtype == batch.pseudo.dtype == torch.uint8
    assert batch.pseudo_mask.shape == (3, 4, 32, 32)
    assert torch.equal(batch.pseudo_mask == 1, (batch.pseudo != batch.frames).any(dim=2))
    assert batch.region.tolist() == [[4, 0, 24, 32]] * 3
    assert batch.label.tolist() == [[0] * 4] * 3
    train = set(data.split_manifest()["splits"]["train"])
    assert {name for b in batches for name in b.video} == train


@pytest.mark.parametrize(("crop", "size"), [(16, (16, 16)), ([8, 24], (8, 24)), (32, (32, 32)), (None, (32, 32))])
def test_training_alone_is_of_crops_and_another_place_in_every_epoch(module, crop, size):
    data = module(train_crop=crop)
    data.setup("fit")
    assert (data.image_size, data.training_size) == ((32, 32), size)
    loader = data.train_dataloader()
    epochs = []
    for epoch in (0, 1, 0):
        _set_sampler_epoch(loader, epoch)
        epochs.append(by_index(loader))
    assert {frames.shape[-2:] for frames in epochs[0].values()} == {size}
    again = {index for index, frames in epochs[0].items() if torch.equal(frames, epochs[2][index])}
    assert again == set(epochs[0])
    assert any(not torch.equal(frames, epochs[1][index]) for index, frames in epochs[0].items())
    assert all(batch.frames.shape[-2:] == (32, 32) for each in data.val_dataloader() for batch in each)


def by_index(loader):
    return {int(index): frames for batch in loader for index, frames in zip(batch.index, batch.frames, strict=True)}


@pytest.mark.parametrize(
    ("crop", "says"),
    [
        ((64, 16), r"data\.train_crop: 64x16 does not fit into .* 32x32; .* or null"),
        (4, r"data\.train_crop: is 4, must be from 8"),
        ("all", r"data\.train_crop: is 'all'"),
        ((8, 8, 8), r"data\.train_crop: is \(8, 8, 8\), must be one number, or height and width"),
    ],
)
def test_a_crop_that_cannot_be_cut_is_refused(module, crop, says):
    with pytest.raises(InputError, match=says):
        module(train_crop=crop)


def test_validation_has_held_out_clips_as_they_are_and_with_pseudo_anomalies(module):
    data = module(validation_fraction=0.4)
    data.setup("fit")
    calibration, validation = data.val_dataloader()
    splits = data.split_manifest()["splits"]
    assert len(splits["validation"]) == 2
    calm = collect(calibration)
    normal = [*splits["train"], *splits["validation"]]
    assert {name for name, _ in calm} == set(normal)
    assert set(calm.values()) == {0}
    assert len(calm) == sum(30 + int(name[1]) for name in normal)  # every frame is calibrated on
    labels = collect(validation)
    names = {name for name, _ in labels}
    assert names == {*splits["validation"], *(f"{name}-pseudo" for name in splits["validation"])}
    for name in names:
        values = {label for (video, _), label in labels.items() if video == name}
        assert values == ({0, 1} if name.endswith("-pseudo") else {0})
    for batch in validation:
        assert torch.equal(batch.mask.flatten(2).any(dim=2), batch.label == 1)


@pytest.mark.parametrize(("stride", "step"), [(1, 1), (3, 2)])
def test_test_windows_cover_every_frame_with_label_and_mask(module, stride, step):
    data = module(eval_stride=stride, frame_step=step)
    data.prepare_data()
    data.setup("test")
    labels = collect(data.test_dataloader())
    expected = {("t0", n): int(10 <= n < 20) for n in range(25)} | {("t1", n): 0 for n in range(25)}
    assert labels == expected
    for batch in data.test_dataloader():
        assert torch.equal(batch.mask.flatten(2).any(dim=2), batch.label == 1)


def test_unlabelled_test_clips_are_unknown_and_without_masks(module, source, images, frames):
    (source / "test" / "labels.csv").unlink()
    for path in (source / "test" / "masks" / "t0").iterdir():
        path.unlink()
    (source / "test" / "masks" / "t0").rmdir()
    data = module()
    data.setup("test")
    assert set(collect(data.test_dataloader()).values()) == {-1}
    assert next(iter(data.test_dataloader())).mask is None


def test_anomalous_clip_without_masks_leaves_all_masks_out(module, source):
    (source / "test" / "labels.csv").write_text("video,start,end\nt0,10,20\nt1,3,4\n")
    data = module()
    data.setup("test")
    assert next(iter(data.test_dataloader())).mask is None


class Recorder(LightningModule):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.epochs, self.stages = defaultdict(list), defaultdict(list)

    def training_step(self, batch, _):
        self.epochs[self.current_epoch].append((batch.index, batch.pseudo.float().mean(dim=(1, 2, 3, 4))))
        return self.weight * batch.frames.float().mean()

    def validation_step(self, batch, _, dataloader_idx=0):
        self.stages[f"validation {dataloader_idx}"] += batch.index.tolist()

    def test_step(self, batch):
        self.stages["test"] += batch.index.tolist()

    def predict_step(self, batch):
        self.stages["predict"] += batch.index.tolist()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.0)


def trainer(tmp_path, **settings):
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    return Trainer(accelerator="cpu", default_root_dir=tmp_path, num_sanity_val_steps=0, **quiet, **settings)


@pytest.mark.filterwarnings("ignore")
def test_all_stages_run_in_lightning_and_an_epoch_resumes_exactly(module, source, tmp_path):
    whole = Recorder()
    trainer(tmp_path, max_epochs=3, enable_checkpointing=False).fit(whole, module())
    first = Recorder()
    short = trainer(tmp_path, max_epochs=2)
    short.fit(first, module())
    short.save_checkpoint(tmp_path / "two.ckpt")
    rest = Recorder()
    trainer(tmp_path, max_epochs=3).fit(rest, module(), ckpt_path=tmp_path / "two.ckpt", weights_only=False)
    assert list(rest.epochs) == [2]
    for left, right in zip(whole.epochs[2], rest.epochs[2], strict=True):
        assert torch.equal(left[0], right[0])
        assert torch.equal(left[1], right[1])
    assert not torch.equal(whole.epochs[0][0][0], whole.epochs[2][0][0])
    trainer(tmp_path).test(rest, module())
    trainer(tmp_path).predict(rest, module(source=str(source / "test")), return_predictions=False)
    assert rest.stages["test"] == rest.stages["predict"] == list(range(2 * 22))


def test_prediction_source_needs_no_layout(module, tmp_path, frames, video):
    path = video(tmp_path / "mine" / "holiday.mp4", frames(11))
    data = module(source=str(path))
    data.setup("predict")
    assert [(s.name, s.path, s.frames) for s in data.predict_sources] == [("holiday", path, 11)]
    batches = list(data.predict_dataloader())
    assert sum(len(batch) for batch in batches) == 8
    assert batches[0].region[0].tolist() == [4, 0, 24, 32]


def test_prediction_in_several_processes_is_refused(module, source):
    class Two:
        world_size, global_rank = 2, 0

    data = module(source=str(source / "test"))
    data.setup("predict")
    data.trainer = Two()
    with pytest.raises(InputError, match=r"trainer\.devices: .* in one process, not in 2; give --trainer\.devices 1"):
        data.predict_dataloader()


def test_processes_train_on_different_windows(module, one_of_two):
    indices = []
    for rank in (0, 1):
        data = module(batch_size=2)
        data.setup("fit")
        data.trainer = one_of_two(rank)
        indices.append([i for batch in data.train_dataloader() for i in batch.index.tolist()])
    assert len(indices[0]) == len(indices[1]) > 0
    assert not set(indices[0]) & set(indices[1])


def test_reading_takes_nothing_from_the_global_random_numbers(module):
    data = module(num_workers=2)
    data.setup("fit")
    state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    next(iter(data.train_dataloader()))
    next(iter(data.val_dataloader()[1]))
    assert torch.equal(torch.get_rng_state(), state)
    assert (np.random.get_state()[1] == numpy_state).all()


def test_embedded_demo_is_used_only_without_a_source(module, tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "FRAMES", 40)
    monkeypatch.setattr(demo, "TRAINING_CLIPS", 3)
    for scene in ("street", "plaza"):
        monkeypatch.setitem(SCENES, scene, replace(SCENES[scene], tests=(("cart",),)))
    data = module(source=None)
    for stage in ("fit", "test", "predict"):
        data.setup(stage)
    assert set(collect(data.test_dataloader()).values()) <= {0, 1}
    assert [source.name for source in data.predict_sources] == ["street_01"]
    other = module(source=None, scene="plaza")
    other.setup("predict")
    assert [source.name for source in other.predict_sources] == ["plaza_01"]
    with pytest.raises(InputError, match=r"data\.source: .*nowhere is not a folder"):
        module(source=str(tmp_path / "nowhere")).setup("fit")
    with pytest.raises(InputError, match="nowhere: no such file or folder"):
        module(source=str(tmp_path / "nowhere")).setup("predict")


def test_manifest_is_json(module, source):
    data = module()
    data.setup("fit")
    data.setup("test")
    manifest = json.loads(json.dumps(data.split_manifest()))
    assert (manifest["source"], manifest["layout"]) == (str(source), "plain")
    assert manifest["splits"]["test"] == ["t0", "t1"]
    assert sorted(manifest["splits"]["train"] + manifest["splits"]["validation"]) == [f"n{n}" for n in range(5)]


def test_test_clip_among_training_clips_is_refused(module, source, images, frames):
    images(source / "train" / "again", frames(25, seed=50))
    with pytest.raises(InputError, match=r"again \(.*t0 \(test\) are the same video"):
        module().setup("fit")


def test_damaged_clip_is_fatal_or_left_out(module, source):
    image = source / "train" / "n2" / "004.png"
    image.write_bytes(image.read_bytes()[:50])
    with pytest.raises(InputError, match=r"n2/004\.png: unreadable picture"):
        module().setup("fit")
    data = module(on_bad_file="skip")
    with pytest.warns(UserWarning, match=r"left out: .*n2/004\.png"):
        data.setup("fit")
    splits = data.split_manifest()["splits"]
    assert "n2" not in splits["train"] + splits["validation"]
    assert len(splits["train"]) + len(splits["validation"]) == 4


def test_kinds_are_those_of_the_anomalous_frames_of_the_validation(module):
    data = module()
    assert data.validation_kinds() == {}
    data.setup("fit")
    labels = collect(data.val_dataloader()[1])
    kinds = data.validation_kinds()
    assert kinds
    assert all(name.endswith("-pseudo") for name in kinds)
    for (video, frame), label in labels.items():
        assert (video in kinds and kinds[video][frame] != "") == (label == 1)


def test_still_scene_cannot_be_validated_on(module, tmp_path, images):
    for number in range(2):
        images(tmp_path / "still" / "train" / f"n{number}", np.full((30, 24, 32, 3), 90 + number, np.uint8))
    data = module(source=str(tmp_path / "still"))
    data.setup("fit")
    with pytest.raises(InputError, match=r"clips held out for validation \(n0\) could be seen: nothing moves in them"):
        data.val_dataloader()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("image_size", (0, 64)),
        ("image_size", 5000),
        ("num_frames", 1),
        ("frame_step", 0),
        ("train_stride", 0),
        ("eval_stride", 0),
        ("validation_stride", 0),
        ("batch_size", 0),
        ("eval_batch_size", -1),
        ("num_workers", -1),
        ("validation_fraction", 1.0),
        ("brightness", 2.0),
        ("contrast", -0.1),
    ],
)
def test_absurd_values_are_named(module, key, value):
    with pytest.raises(InputError, match=rf"data\.{key}: is .*, must be from"):
        module(**{key: value})


@pytest.mark.parametrize("key", ["eval_stride", "validation_stride"])
def test_windows_further_apart_than_they_are_long_are_refused(module, key):
    module(**{key: 4})
    with pytest.raises(InputError, match=rf"^data\.{key}: is 5, .* to 4 and whole: data\.num_frames is 4, and"):
        module(**{key: 5})


def test_batch_larger_than_the_data_is_named(module):
    data = module(batch_size=1000)
    data.setup("fit")
    with pytest.raises(InputError, match=r"data\.batch_size: is 1000"):
        data.train_dataloader()


@pytest.mark.parametrize(("typed", "size"), [("48", (48, 48)), ("[32, 48]", (32, 48))])
def test_image_size_is_typed_as_one_number_or_two(typed, size):
    parser = ArgumentParser()
    parser.add_class_arguments(VideoSnippetDataModule, "data")
    settings = parser.parse_args([f"--data.image_size={typed}", "--data.source=here"])
    data = parser.instantiate(settings).data
    assert (data.image_size, data.source) == (size, "here")


def test_videos_alone_cannot_be_tested_and_it_is_said_once_which_are_held_out(tmp_path, frames, video, caplog):
    for number in (1, 2):
        video(tmp_path / f"cam{number}.mp4", frames(24, seed=number))
    data = VideoSnippetDataModule(str(tmp_path), image_size=(64, 64), cache_dir=str(tmp_path / "cache"))
    assert data.can_test
    with caplog.at_level("INFO"):
        data.setup("fit")
        data.setup("fit")
    assert not data.can_test
    told = [record.getMessage() for record in caplog.records if "are taken as normal" in record.getMessage()]
    assert len(told) == 1
    assert "all of its 2 videos are taken as normal" in told[0]
    assert told[0].rpartition(": ")[2] in ("cam1", "cam2")


def test_boxes_are_offered_and_counted(module, source):
    data = module()
    data.setup("test")
    assert data.test_boxes() == {}
    assert "boxes" not in data.counts("test")
    (source / "test" / "tracks").mkdir()
    (source / "test" / "tracks" / "t0.csv").write_text("frame,track,x,y,width,height\n10,3,6,4,14,8\n11,3,6,4,14,8\n")
    data = module()
    data.setup("test")
    boxes = data.test_boxes()
    assert {name: len(of_clip) for name, of_clip in boxes.items()} == {"t0": 2, "t1": 0}
    assert boxes["t0"][0].tolist() == [10, 3, 8, 6, 16, 20]  # below the bar
    assert data.counts("test").items() >= {"clips with masks": 1, "boxes": 2, "tracks": 1}.items()
    assert data.counts("train") == {"clips": 0, "frames": 0}


def test_an_anomalous_clip_without_boxes_is_named(module, source):
    (source / "test" / "labels.csv").write_text("video,start,end\nt0,10,20\nt1,3,4\n")
    (source / "test" / "tracks").mkdir()
    (source / "test" / "tracks" / "t0.txt").write_text("")
    with pytest.raises(InputError, match=r"there are boxes for 1 test clips, and none for t1, which labels or masks"):
        module().setup("test")

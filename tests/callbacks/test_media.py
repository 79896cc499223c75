from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn
from torch.utils.data import DataLoader

from callbacks import ClipMedia, ImageMedia, PartMedia, SoundMedia
from callbacks.media import MediaCallback
from datamodules.errors import InputError


class Shower(MediaCallback):
    def __init__(self, every_n_validations, keep=2):
        super().__init__(every_n_validations, keep)
        self.shown = []

    def on_validation_epoch_end(self, trainer, pl_module):
        if not trainer.sanity_checking and self.is_due(trainer):
            self.shown.append(trainer.current_epoch)


class Still(LightningModule):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))

    def training_step(self, batch, batch_idx):
        return self.weight * 1.0

    def validation_step(self, batch, batch_idx):
        pass

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1.0)


def shown(folder, epochs, ckpt_path=None):
    callback = Shower(3)
    run = Trainer(
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
        max_epochs=epochs,
        callbacks=[callback],
    )
    batches = DataLoader(torch.zeros(1, 1))
    run.fit(Still(), batches, batches, ckpt_path=ckpt_path)
    return callback.shown, run.checkpoint_callback.best_model_path


def test_a_resumed_run_shows_what_an_uninterrupted_one_does(tmp_path):
    whole, _ = shown(tmp_path, 8)
    assert whole == [0, 3, 6]
    for stop in (1, 2, 3, 4):
        first, path = shown(tmp_path / str(stop), stop)
        rest, _ = shown(tmp_path, 8, path)
        assert first + rest == whole


@pytest.mark.parametrize("kind", [ImageMedia, ClipMedia, PartMedia, SoundMedia])
def test_every_callback_of_media_remembers_how_often_it_was_asked(kind):
    before, after = kind(every_n_validations=2), kind(every_n_validations=2)
    training = trainer(TrainerFn.FITTING)
    assert before.is_due(training)
    after.load_state_dict(before.state_dict())
    assert not after.is_due(training)
    assert after.is_due(training)


def trainer(verb, fast_dev_run=0):
    return SimpleNamespace(state=SimpleNamespace(fn=verb), fast_dev_run=fast_dev_run)


def test_validate_always_shows_and_a_dry_run_never():
    callback = Shower(2)
    assert [callback.is_due(trainer(TrainerFn.FITTING)) for _ in range(3)] == [True, False, True]
    assert all(callback.is_due(trainer(TrainerFn.VALIDATING)) for _ in range(3))
    assert not callback.is_due(trainer(TrainerFn.FITTING, fast_dev_run=2))
    assert not callback.is_due(trainer(TrainerFn.VALIDATING, fast_dev_run=2))


def test_the_oldest_files_of_a_kind_go_and_no_others(tmp_path):
    (tmp_path / "media").mkdir()
    run = SimpleNamespace(
        default_root_dir=tmp_path, loggers=[], lightning_module=SimpleNamespace(batches_seen=0), is_global_zero=True
    )
    callback = Shower(1, keep=2)
    for batches in (5, 10, 15):
        run.lightning_module.batches_seen = batches
        for kind, ending in (("batch", ".png"), ("batch", "-samples.png"), ("attention", ".png")):
            file = callback.file(run, kind, ending)
            file.touch()
            if (kind, ending) != ("attention", ".png"):
                callback.publish(run, "val/x", file)
    assert sorted(path.name for path in (tmp_path / "media").iterdir() if "samples" in path.name) == [
        "batch-0000010-samples.png",
        "batch-0000015-samples.png",
    ]
    assert len(list((tmp_path / "media").glob("attention-*"))) == 3


@pytest.mark.parametrize(("given", "named"), [({"every_n_validations": 0}, "every_n"), ({"keep": 0}, "keep")])
def test_numbers_below_one_are_refused(given, named):
    with pytest.raises(InputError, match=f"ClipMedia: {named}.* is 0; give at least 1"):
        ClipMedia(**given)

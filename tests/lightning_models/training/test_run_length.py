"""trainer.max_steps counts batches, however many optimizers a batch steps."""

import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch.utils.data import DataLoader

from datamodules.errors import InputError
from lightning_models.training.learning_rate import WarmUpCosine
from lightning_models.training.phases import PhasedModule

BATCHES = 4


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=1.0)


class Two(PhasedModule):
    """Two phases of one number each; the gradients are 1, so that a weight tells its steps."""

    phases = ("left", "right")
    phase_modules = {"left": ("left",), "right": ("right",)}  # noqa: RUF012

    def __init__(self, **kwargs):
        super().__init__(optimizers={"left": sgd, "right": sgd}, averaged_phase="left", **kwargs)
        self.left, self.right = (torch.nn.Linear(1, 1, bias=False) for _ in range(2))
        for part in (self.left, self.right):
            torch.nn.init.zeros_(part.weight)
        self.validated = []

    def left_loss(self, batch):
        return {"sum": self.left(torch.ones(1)).sum()}

    def right_loss(self, batch):
        return {"sum": self.right(torch.ones(1)).sum()}

    def validation_step(self, batch, batch_idx):
        self.validated.append(self.batches_seen)

    @property
    def steps(self):
        return [-int(part.weight) for part in (self.left, self.right)]


def fit(folder, model, ckpt_path=None, **kwargs):
    loader = DataLoader(torch.zeros(BATCHES, 1))
    options = {"max_epochs": -1, "enable_checkpointing": False, "num_sanity_val_steps": 0} | kwargs
    run = Trainer(
        accelerator="cpu",
        default_root_dir=folder,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **options,
    )
    run.fit(model, loader, DataLoader(torch.zeros(1, 1)), ckpt_path=ckpt_path, weights_only=True)
    return run


@pytest.mark.parametrize(
    ("limit", "epochs", "batches"), [(1, -1, 1), (6, -1, 6), (8, -1, 8), (6, 1, 4), (6, 2, 6), (0, -1, 0)]
)
def test_a_run_has_as_many_batches_as_it_was_given(limit, epochs, batches, tmp_path):
    model = Two()
    fit(tmp_path, model, max_steps=limit, max_epochs=epochs)
    assert model.batches_seen == batches
    assert model.steps == [batches, batches]


def test_the_last_batch_is_validated(tmp_path):
    model = Two()
    fit(tmp_path, model, max_steps=6)
    assert model.validated == [4, 6]


@pytest.mark.parametrize(("limit", "windows"), [(5, 3), (7, 3), (8, 4), (3, 1)])
def test_its_last_window_is_no_longer_than_the_run(limit, windows, tmp_path):
    model = Two(accumulate=3)  # epochs of 4 batches: windows of 3 and 1
    fit(tmp_path, model, max_steps=limit)
    assert model.windows_seen == windows
    assert model.steps == [windows, windows]  # the mean of a window's gradients is 1
    assert not model.window_is_open


def test_a_resumed_run_counts_on(tmp_path):
    kept = {"callbacks": [ModelCheckpoint(tmp_path, "{epoch}")], "enable_checkpointing": True}
    fit(tmp_path, Two(), max_steps=4, **kept)
    rest = Two()
    fit(tmp_path, rest, tmp_path / "epoch=0.ckpt", max_steps=6)
    assert rest.batches_seen == 6
    done = Two()
    fit(tmp_path, done, tmp_path / "epoch=0.ckpt", max_steps=4)
    assert done.batches_seen == 4


@pytest.mark.parametrize(
    ("accumulate", "options", "units"),
    [
        (1, {"max_steps": 6}, 6),
        (3, {"max_steps": 6}, 3),
        (3, {"max_steps": 5}, 3),
        (3, {"max_epochs": 2, "max_steps": 100}, 4),
        (2, {"max_epochs": 2}, 4),
    ],
)
def test_a_schedule_lasts_as_long_as_the_run(accumulate, options, units, tmp_path):
    made = []

    def make(optimizer):
        made.append(WarmUpCosine(optimizer, warm_up=1, lowest=0.1))
        return made[-1]

    model = Two(schedulers={"left": make, "right": make}, schedule="step", accumulate=accumulate)
    fit(tmp_path, model, **options)
    assert [(one.total, one.last_epoch) for one in made] == [(units, units)] * 2


def test_a_least_number_of_steps_cannot_be_counted(tmp_path):
    with pytest.raises(InputError, match=r"--trainer\.min_steps is 3, .* use --trainer\.min_epochs"):
        fit(tmp_path, Two(), min_steps=3)

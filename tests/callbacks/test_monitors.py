"""A monitor that nobody logs is refused before a training where all say what they log, after a validation otherwise."""

from typing import ClassVar

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping, LearningRateMonitor, ModelCheckpoint
from torch.utils.data import DataLoader

from callbacks import Checkpoints
from callbacks.monitors import LoggedMonitors, check_monitors
from datamodules.errors import InputError


class Silent(LightningModule):
    """Says what it logs while it is trained."""

    loss_terms: ClassVar = {"vae": ("kl", "mse")}


class Heir(Silent):
    """May log more."""


class Judge(Callback):
    headline, headline_mode = "mae", "min"

    def logged(self, model):
        return ["val/mae", "val/psnr"]


class JudgeHeir(Judge):
    """May log more."""


class Stranger(Callback):
    """Of another package; may log something."""


@pytest.mark.parametrize(
    ("callback", "said"),
    [
        (Checkpoints("val/mea"), "checkpoints.monitor = val/mea: nothing logs it. Did you mean 'val/mae'?"),
        (Checkpoints("train/vae/kl"), "nothing logs it. Choose one of: val/mae, val/psnr"),
        (Checkpoints(tie_breaker="score"), "checkpoints.tie_breaker = score: nothing logs it. Choose one of"),
        (EarlyStopping("train/vae/totl"), "EarlyStopping.monitor = train/vae/totl: nothing logs it. Did you mean"),
        (ModelCheckpoint(monitor="loss"), "trainer.callbacks: ModelCheckpoint.monitor = loss: nothing logs it."),
    ],
)
def test_what_nobody_logs_is_refused(callback, said):
    with pytest.raises(InputError) as refused:
        check_monitors(Silent(), [Judge(), callback])
    assert said in str(refused.value)


@pytest.mark.parametrize(
    "callback", [EarlyStopping("train/vae/kl"), EarlyStopping("val/psnr"), Checkpoints("val/psnr"), ModelCheckpoint()]
)
def test_what_is_logged_is_not(callback):
    check_monitors(Silent(), [Judge(), callback])


@pytest.mark.parametrize(
    ("model", "others"),
    [
        (LightningModule(), [Judge()]),
        (Heir(), [Judge()]),
        (Silent(), [JudgeHeir()]),
        (Silent(), [Judge(), Stranger()]),
        (Silent(), [Judge(), LearningRateMonitor()]),
    ],
)
def test_nothing_is_refused_where_somebody_may_log_more(model, others):
    check_monitors(model, [*others, EarlyStopping("lr-Adam"), Checkpoints("val/own")])


def test_without_a_callback_that_judges():
    with pytest.raises(InputError, match="No callback judges the validations"):
        check_monitors(Silent(), [Checkpoints("val/mae")])


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((), ("val/mae", "min")),
        (("val/mae",), ("val/mae", "min")),
        (("val/mae", "max"), ("val/mae", "max")),
        ((None, "max"), ("val/mae", "max")),
        (("val/psnr",), ("val/psnr", "max")),
    ],
)
def test_the_headline_picks_the_best_where_nothing_else_was_given(given, expected):
    callback = Checkpoints(*given)
    check_monitors(Silent(), [callback, Judge()])
    assert (callback.monitor, callback.mode) == expected
    assert callback.best.monitor == expected[0]


def test_there_has_to_be_a_headline():
    with pytest.raises(InputError, match=r"checkpoints.monitor: not given, and no callback judges"):
        check_monitors(LightningModule(), [Checkpoints()])


class Logging(LightningModule):
    def __init__(self, *names):
        super().__init__()
        self.names, self.weight = names, torch.nn.Parameter(torch.zeros(()))

    def training_step(self, batch, batch_idx):
        self.log("train/loss", 1.0)
        return self.weight * 1.0

    def validation_step(self, batch, batch_idx):
        for name in self.names:
            self.log(name, 1.0)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1.0)


class Undefined(Callback):
    undefined: ClassVar = {"val/auroc": "9 normal and 0 anomalous"}


def fit(folder, model, *callbacks):
    trainer = Trainer(
        accelerator="cpu", logger=False, max_epochs=2, limit_train_batches=1, enable_progress_bar=False,
        enable_model_summary=False, default_root_dir=folder, callbacks=[LoggedMonitors(), *callbacks],
    )  # fmt: skip
    trainer.fit(model, DataLoader(torch.zeros(2, 1)), DataLoader(torch.zeros(2, 1)))
    return trainer


@pytest.mark.parametrize(
    ("callback", "said"),
    [
        (EarlyStopping("val/los"), "EarlyStopping.monitor = val/los: nothing has logged it. Did you mean 'val/loss'?"),
        (ModelCheckpoint(monitor="train/lose"), "ModelCheckpoint.monitor = train/lose: nothing has logged it."),
        (EarlyStopping("val/auroc"), "val/auroc: it has no value (9 normal and 0 anomalous), and EarlyStopping"),
    ],
)
def test_the_first_validation_tells_what_nobody_had_declared(callback, said, tmp_path):
    with pytest.raises(InputError) as refused:
        fit(tmp_path, Logging("val/loss"), callback, Undefined())
    assert said in str(refused.value)


@pytest.mark.parametrize("callback", [EarlyStopping("val/loss"), EarlyStopping("train/loss"), Checkpoints("val/loss")])
def test_a_run_in_which_all_is_logged(callback, tmp_path):
    assert fit(tmp_path, Logging("val/loss"), callback).current_epoch == 2


def test_who_can_do_without_goes_on(tmp_path):
    assert fit(tmp_path, Logging(), EarlyStopping("val/loss", strict=False)).current_epoch == 2

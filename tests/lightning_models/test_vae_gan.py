"""What both generators of pictures share: an autoencoder that learns alone while nobody asks its discriminator."""

import pytest
import torch
from lightning.pytorch import Callback, Trainer
from torch.utils.data import DataLoader

from datamodules.batches import ImageBatch
from lightning_models import CNNParamTanh, MotorVAEGAN
from lightning_models.training.schedules import HoldThenLinear

LEARNS = {MotorVAEGAN: {"vae"}, CNNParamTanh: {"vae", "param_tanh"}}
JUDGES = {MotorVAEGAN: {"discriminator"}, CNNParamTanh: {"critic"}}
SYSTEMS = pytest.mark.parametrize("system", LEARNS)


def model(system, **changes):
    torch.manual_seed(0)
    return system(image_channels=1, image_size=32, latent_dim=4, **changes)


def batches(count=4):
    images = torch.randint(0, 256, (count, 4, 1, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    return [ImageBatch(one, list("abcd"), torch.zeros(4), torch.arange(4)) for one in images]


class Watch(Callback):
    """Notes of every batch which parts have changed, what the discriminator made of it, and what was logged."""

    def __init__(self):
        self.changed, self.health, self.logged = [], [], []

    def on_train_batch_start(self, trainer, pl_module, *_):
        self.before = {name: weight.clone() for name, weight in pl_module.named_parameters()}

    def on_train_batch_end(self, trainer, pl_module, *_):
        now = dict(pl_module.named_parameters())
        changed = {name.partition(".")[0] for name, own in now.items() if not torch.equal(own, self.before[name])}
        self.changed.append(changed)
        self.health.append(set(pl_module.health))
        self.logged.append({name: float(value) for name, value in trainer.callback_metrics.items()})


def fit(made, epochs=1, resumed=None):
    """Train, from the checkpoint ``resumed`` on if there is one; return what was watched, and the trainer."""
    watch = Watch()
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=epochs,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[watch],
    )
    trainer.fit(made, DataLoader(batches(), batch_size=None), ckpt_path=resumed, weights_only=False)
    return watch, trainer


@SYSTEMS
def test_without_a_weight_the_autoencoder_learns_alone(system):
    made = model(system, weights={"adversarial": 0.0}, **({"n_critic": 5} if system is CNNParamTanh else {}))
    watch, _ = fit(made)
    assert watch.changed == [LEARNS[system]] * 4
    assert watch.health == [set()] * 4
    generated = made.prepare(batches()[0])
    reconstructed, samples = generated.fakes if system is MotorVAEGAN else generated.reconstructed, generated[-1]
    assert reconstructed.shape == generated.images.shape
    assert system is MotorVAEGAN or samples.shape == (0, 1, 32, 32)
    terms = made.generator_loss(generated)
    assert terms.keys() == {"reconstruction", "kl"}
    error = reconstructed - generated.images
    expected = (error.square() if system is MotorVAEGAN else error.abs()).flatten(1).sum(1).mean()
    torch.testing.assert_close(terms["reconstruction"], expected)


@SYSTEMS
def test_the_discriminator_sets_in_by_a_schedule(system):
    """Two epochs of four batches alone; from the ninth batch on every second step is the autoencoder's, too."""
    schedule = HoldThenLinear(start=0.0, hold_epochs=2.0, end=1.0, end_epoch=3.0)
    watch, _ = fit(model(system, weights={"adversarial": schedule}, n_critic=2), epochs=3)
    learns, judges = LEARNS[system], JUDGES[system]
    # at the ninth batch itself the weight is still 0
    assert watch.changed == [learns] * 9 + [learns | judges, judges, learns | judges]
    assert [bool(health) for health in watch.health] == [False] * 9 + [True] * 3
    assert watch.logged[7]["train/generator/adversarial"] == 0
    assert watch.logged[11]["train/generator/adversarial"] != 0


def test_a_feature_loss_asks_the_discriminator():
    watch, _ = fit(model(MotorVAEGAN, weights={"adversarial": 0.0, "feature": 1.0}))
    assert watch.changed == [{"vae", "discriminator"}] * 4


def test_the_gate_does_not_judge_what_nobody_asks():
    watch, _ = fit(model(MotorVAEGAN, weights={"adversarial": 0.0}, gate_margin=0.3))
    assert watch.changed == [{"vae"}] * 4
    assert watch.health == [set()] * 4


@SYSTEMS
def test_a_training_resumed_before_the_discriminator_sets_in_repeats_an_uninterrupted_one(system, tmp_path):
    schedule = HoldThenLinear(start=0.0, hold_epochs=1.5, end=1.0, end_epoch=2.0)
    expected, half, resumed = (
        model(system, weights={"adversarial": schedule}, n_critic=2, ema_decay=0.9) for _ in range(3)
    )
    fit(expected, 3)
    _, interrupted = fit(half, 1)
    interrupted.save_checkpoint(tmp_path / "half.ckpt")
    fit(resumed, 3, tmp_path / "half.ckpt")
    for name, weight in expected.state_dict().items():
        assert torch.equal(weight, resumed.state_dict()[name]), name

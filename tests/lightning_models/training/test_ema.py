"""The average of weights against its formula written out, and its stay in and out of a model."""

from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor, nn
from torch.utils.data import DataLoader

from datamodules.errors import InputError
from lightning_models.training.adversarial import AdversarialModule
from lightning_models.training.ema import WeightAverage

DECAY = 0.4  # above the warm-up's 2/11 and 3/12, below its later values


class Tiny(AdversarialModule):
    """Remembers the generator after every training step and in every evaluation."""

    phase_modules = {"discriminator": ("critic",), "generator": ("generator", "extra")}  # noqa: RUF012

    def __init__(self, **kwargs: Any) -> None:
        def sgd(parameters: Any) -> torch.optim.Optimizer:
            return torch.optim.SGD(parameters, 0.1)

        super().__init__(discriminator_optimizer=sgd, generator_optimizer=sgd, **kwargs)
        torch.manual_seed(0)
        self.generator = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)).double()
        self.extra = None
        self.critic = nn.Linear(3, 1).double()
        self.steps: list[dict[str, Tensor]] = []
        self.evaluated: list[dict[str, Tensor]] = []
        self.fails = False

    def snapshot(self) -> dict[str, Tensor]:
        return {name: value.clone() for name, value in self.generator.state_dict().items()}

    def discriminator_loss(self, forward: Tensor) -> dict[str, Tensor]:
        return {"score": self.critic(self.generator(forward).detach()).square().mean()}

    def generator_loss(self, forward: Tensor) -> dict[str, Tensor]:
        return {"score": (self.critic(self.generator(forward)) - 1).square().mean()}

    def training_step(self, batch: Tensor, batch_idx: int) -> None:
        due = self.phase_due("generator")
        super().training_step(batch, batch_idx)
        if due:
            self.steps.append(self.snapshot())

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        self.evaluated.append(self.snapshot())
        if self.fails:
            raise RuntimeError("on purpose")

    test_step = validation_step

    def predict_step(self, batch: Tensor, batch_idx: int) -> None:
        self.evaluated.append(self.snapshot())


def data(count: int = 20) -> DataLoader[Any]:
    values = torch.randn(count, 2, generator=torch.Generator().manual_seed(2)).double()
    return DataLoader(values, batch_size=2)  # type: ignore[arg-type]


def trainer(tmp_path, **kwargs: Any) -> Trainer:
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    return Trainer(
        **{"default_root_dir": tmp_path, "accelerator": "cpu", "enable_checkpointing": False, **quiet, **kwargs}
    )


def by_hand(steps: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    average = dict(steps[0])
    for n, weights in enumerate(steps[1:], start=2):
        decay = min(DECAY, (1 + n) / (10 + n))
        for name in ("0.weight", "0.bias", "1.weight", "1.bias"):
            average[name] = decay * average[name] + (1 - decay) * weights[name]
    buffers = {name: value for name, value in steps[-1].items() if "running" in name or "tracked" in name}
    return average | buffers


def equal(first: dict[str, Tensor], second: dict[str, Tensor], tolerance: float = 1e-12) -> bool:
    assert first.keys() == second.keys()
    return all((first[name] - second[name]).abs().max() <= tolerance for name in first)


@pytest.mark.parametrize("n_critic", [1, 2, 5])
def test_equals_the_formula_and_evaluates_only(tmp_path, n_critic):
    system = Tiny(ema_decay=DECAY, n_critic=n_critic)
    run = trainer(tmp_path, max_epochs=2, num_sanity_val_steps=1)
    initial = system.snapshot()
    run.fit(system, data(), data(2))
    assert len(system.steps) == 20 // n_critic
    in_sanity_check, _, last = system.evaluated
    assert equal(in_sanity_check, initial, 0)
    # the discriminator's forward moves the buffers after the generator's last step
    weights = ("0.weight", "0.bias", "1.weight", "1.bias")
    expected = by_hand(system.steps)
    assert equal({name: last[name] for name in weights}, {name: expected[name] for name in weights})
    assert not equal(last, system.snapshot(), 1e-6)
    assert equal({n: system.snapshot()[n] for n in weights}, {n: system.steps[-1][n] for n in weights}, 0)
    run.test(system, data(2), verbose=False)
    run.predict(system, data(2))
    assert equal(system.evaluated[-2], last, 0)
    assert equal(system.evaluated[-1], last, 0)


def test_zero_turns_it_off(tmp_path):
    system = Tiny()
    trainer(tmp_path, max_epochs=1, num_sanity_val_steps=0).fit(system, data(), data(2))
    assert equal(system.evaluated[0], system.snapshot(), 0)
    assert system.average is None


def test_the_checkpoint_keeps_both_even_if_written_while_the_average_stands_in(tmp_path):
    class SaveInside(Callback):
        def on_validation_batch_end(self, trainer, *_: Any) -> None:
            trainer.save_checkpoint(tmp_path / "inside.ckpt")

    system = Tiny(ema_decay=DECAY)
    keep = ModelCheckpoint(tmp_path, "after", save_on_train_epoch_end=True)
    callbacks = [SaveInside(), keep]
    run = trainer(tmp_path, max_epochs=1, num_sanity_val_steps=0, enable_checkpointing=True, callbacks=callbacks)
    run.fit(system, data(), data(2))
    inside, after = (torch.load(tmp_path / f"{name}.ckpt", weights_only=True) for name in ("inside", "after"))
    for checkpoint in (inside, after):
        raw = {n: v for n, v in checkpoint["state_dict"].items() if n.startswith("generator")}
        assert equal(raw, {f"generator.{n}": v for n, v in system.snapshot().items()}, 0)
        assert checkpoint["weight_average"]["updates"] == 10
        average = checkpoint["weight_average"]["average"]
        assert equal(
            average,
            {f"generator.{n}": system.evaluated[-1][n] for n in ("0.weight", "0.bias", "1.weight", "1.bias")},
            0,
        )

    fresh = Tiny(ema_decay=DECAY)
    trainer(tmp_path).test(fresh, data(2), ckpt_path=tmp_path / "after.ckpt", weights_only=True, verbose=False)
    assert equal(fresh.evaluated[0], system.evaluated[-1], 0)
    raw = Tiny()
    trainer(tmp_path).test(raw, data(2), ckpt_path=tmp_path / "after.ckpt", weights_only=True, verbose=False)
    assert equal(raw.evaluated[0], system.snapshot(), 0)


def test_an_interrupted_validation_hands_the_trained_weights_back(tmp_path):
    system = Tiny(ema_decay=DECAY)
    system.fails = True
    with pytest.raises(RuntimeError, match="on purpose"):
        trainer(tmp_path, max_epochs=1, num_sanity_val_steps=0).fit(system, data(), data(2))
    assert not equal(system.evaluated[0], system.snapshot(), 1e-6)
    assert equal({n: system.snapshot()[n] for n in ("0.weight",)}, {n: system.steps[-1][n] for n in ("0.weight",)}, 0)


def test_half_precision_weights_are_averaged_in_float32():
    weight = nn.Parameter(torch.ones(1, dtype=torch.bfloat16))
    average = WeightAverage(0.999)
    for _ in range(2000):
        average.update({"w": weight})
        with torch.no_grad():
            weight.fill_(2)
    stored = average.state_dict()["average"]["w"]
    assert stored.dtype is torch.float32
    assert stored.item() == pytest.approx(2, abs=1e-3)


@pytest.mark.parametrize("decay", [-0.1, 1.0, 1.5])
def test_decays_out_of_range_are_refused(decay):
    with pytest.raises(InputError, match=f"ema_decay is {decay}"):
        WeightAverage(decay)


class Settling(Tiny):
    """Lets every batch pass through the average as well."""

    def training_step(self, batch: Tensor, batch_idx: int) -> None:
        super().training_step(batch, batch_idx)
        self.settle_average(lambda: self.generator(batch))


def untracked(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value for name, value in state.items() if "tracked" not in name}


def test_statistics_of_the_average_are_those_of_what_passed_through_it(tmp_path):
    system, plain, batches = Settling(ema_decay=DECAY), Tiny(ema_decay=DECAY), [*data()]
    for one in (system, plain):
        trainer(tmp_path, max_epochs=1, num_sanity_val_steps=0).fit(one, data(), data(2))
    assert equal(untracked(system.snapshot()), untracked(plain.snapshot()), 0)  # the training goes on as without
    mean, variance = system.steps[0]["1.running_mean"], system.steps[0]["1.running_var"]
    for last in range(1, len(system.steps) + 1):
        weights = by_hand(system.steps[:last])
        maps = batches[last - 1] @ weights["0.weight"].T + weights["0.bias"]
        mean, variance = 0.9 * mean + 0.1 * maps.mean(0), 0.9 * variance + 0.1 * maps.var(0)
    torch.testing.assert_close(system.evaluated[-1]["1.running_mean"], mean)
    torch.testing.assert_close(system.evaluated[-1]["1.running_var"], variance)
    assert (plain.evaluated[-1]["1.running_mean"] - mean).abs().max() > 1e-3

    loaded = Settling(ema_decay=DECAY)
    loaded.average.load_state_dict(system.average.state_dict())
    loaded.take_average()
    torch.testing.assert_close(loaded.snapshot()["1.running_mean"], mean)


def test_without_an_average_nothing_passes():
    Settling().settle_average(lambda: pytest.fail("there is nothing to settle"))
    Settling(ema_decay=DECAY).settle_average(lambda: pytest.fail("nothing was averaged yet"))

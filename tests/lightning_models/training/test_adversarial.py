"""The base of the adversarial systems against plain torch loops."""

import copy
import csv
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.cli import LightningCLI
from lightning.pytorch.cli import ReduceLROnPlateau as MonitoredPlateau
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.plugins.precision import MixedPrecision
from lightning.pytorch.strategies import DDPStrategy
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from datamodules.errors import InputError
from datamodules.seeding import derive_seed, global_seed
from lightning_models.losses import discriminator_objective, generator_objective, gradient_penalty
from lightning_models.training.adversarial import AdversarialModule

LATENT, WIDTH = 4, 6


def adam(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, lr=0.02, betas=(0.5, 0.9))


def networks(dropout: float = 0.0) -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(0)
    generator = nn.Sequential(nn.Linear(LATENT, 8), nn.Tanh(), nn.Dropout(dropout), nn.Linear(8, WIDTH))
    critic = nn.Sequential(nn.Linear(WIDTH, 8), nn.LeakyReLU(0.2), nn.Dropout(dropout), nn.Linear(8, 1))
    return generator.double(), critic.double()


class Gan(AdversarialModule):
    """A GAN of two small perceptrons on rows of numbers."""

    phase_modules = {"discriminator": ("critic",), "generator": ("generator",)}  # noqa: RUF012

    def __init__(self, kind: str = "bce", dropout: float = 0.0, **kwargs: Any) -> None:
        kwargs = {"discriminator_optimizer": adam, "generator_optimizer": adam} | kwargs
        super().__init__(**kwargs)
        self.save_hyperparameters()
        self.kind = kind
        self.generator, self.critic = networks(dropout)
        self.weights |= {"reconstruction": 0.5} | ({"penalty": 10.0} if kind == "wgan" else {})

    def prepare(self, batch: list[Tensor]) -> tuple[Tensor, Tensor]:
        (real,) = batch
        noise = torch.randn(len(real), LATENT, dtype=real.dtype)
        with torch.set_grad_enabled(self.phase_due("generator")):
            return real, self.generator(noise)

    def discriminator_loss(self, forward: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        real, fake = forward
        terms = {"real_fake": discriminator_objective(self.kind, self.critic(real), self.critic(fake.detach()))}
        if self.kind == "wgan":
            terms["penalty"] = gradient_penalty(self.critic, real, fake)
        return terms

    def generator_loss(self, forward: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        real, fake = forward
        return {
            "adversarial": generator_objective(self.kind, self.critic(fake)),
            "reconstruction": (fake.mean(0) - real.mean(0)).square().mean(),
        }

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val/first", self.generator[0].weight.sum(), batch_size=1)


def rows(count: int = 40) -> TensorDataset:
    return TensorDataset(torch.randn(count, WIDTH, generator=torch.Generator().manual_seed(1)).double() + 2)


def loader(count: int = 40, batch_size: int = 4) -> DataLoader[Any]:
    return DataLoader(rows(count), batch_size=batch_size)


def trainer(tmp_path: Any, **kwargs: Any) -> Trainer:
    defaults = {
        "default_root_dir": tmp_path,
        "accelerator": "cpu",
        "devices": 1,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    return Trainer(**{**defaults, **kwargs})


def plain_loop(
    kind: str, epochs: int, accumulate: int, n_critic: int, clip: float, scheduler: Callable[..., Any] | None
) -> tuple[nn.Module, nn.Module]:
    """The same training written out, without Lightning and without the base: gradients by torch.autograd.grad."""
    generator, critic = networks()
    both = {"d": adam(critic.parameters()), "g": adam(generator.parameters())}
    schedulers = [scheduler(optimizer) for optimizer in both.values()] if scheduler else []
    batches_seen = windows = 0

    def step(optimizer: torch.optim.Optimizer, gradients: list[list[Tensor]]) -> None:
        parameters = optimizer.param_groups[0]["params"]
        for parameter, of_batches in zip(parameters, zip(*gradients, strict=True), strict=True):
            parameter.grad = torch.stack(of_batches).mean(0)
        if clip:
            norm = torch.stack([parameter.grad.square().sum() for parameter in parameters]).sum().sqrt()
            for parameter in parameters:
                parameter.grad *= min(1.0, clip / (norm.item() + 1e-6))
        optimizer.step()

    for _ in range(epochs):
        waiting: dict[str, list[list[Tensor]]] = {"d": [], "g": []}
        batches = list(loader())
        for position, (real,) in enumerate(batches):
            torch.manual_seed(derive_seed(global_seed(), "train", batches_seen, 0))
            closes = len(waiting["d"]) + 1 == accumulate or position + 1 == len(batches)
            fake = generator(torch.randn(len(real), LATENT, dtype=real.dtype))
            loss = discriminator_objective(kind, critic(real), critic(fake.detach()))
            if kind == "wgan":
                loss = loss + 10 * gradient_penalty(critic, real, fake)
            waiting["d"].append(list(torch.autograd.grad(loss, list(critic.parameters()))))
            if closes:
                step(both["d"], waiting["d"])
            if (windows + 1) % n_critic == 0:
                distance = (fake.mean(0) - real.mean(0)).square().mean()
                loss = generator_objective(kind, critic(fake)) + 0.5 * distance
                waiting["g"].append(list(torch.autograd.grad(loss, list(generator.parameters()))))
                if closes:
                    step(both["g"], waiting["g"])
            batches_seen += 1
            if closes:
                windows += 1
                waiting = {"d": [], "g": []}
        for each in schedulers:
            each.step()
    return generator, critic


def largest_difference(first: nn.Module, second: nn.Module) -> float:
    pairs = zip(first.parameters(), second.parameters(), strict=True)
    return max((a - b).abs().max().item() for a, b in pairs)


def halve_each_epoch(optimizer: torch.optim.Optimizer) -> torch.optim.lr_scheduler.LRScheduler:
    return torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)


@pytest.mark.parametrize(
    ("kind", "accumulate", "n_critic", "clip", "scheduler"),
    [
        ("bce", 1, 1, 0.0, None),
        ("hinge", 1, 1, 0.05, halve_each_epoch),
        ("wgan", 1, 5, 0.0, halve_each_epoch),
        ("bce", 4, 1, 0.05, None),  # 10 batches: windows of 4, 4 and 2
        ("wgan", 3, 2, 0.1, halve_each_epoch),
    ],
)
def test_equals_a_plain_loop(tmp_path, kind, accumulate, n_critic, clip, scheduler):
    system = Gan(
        kind,
        accumulate=accumulate,
        n_critic=n_critic,
        gradient_clip=clip,
        discriminator_scheduler=scheduler,
        generator_scheduler=scheduler,
    )
    before = copy.deepcopy(system.generator)
    trainer(tmp_path, max_epochs=2).fit(system, loader())
    generator, critic = plain_loop(kind, 2, accumulate, n_critic, clip, scheduler)
    assert system.batches_seen == 20
    assert system.windows_seen == 2 * -(-10 // accumulate)
    assert largest_difference(before, generator) > 1e-3
    assert largest_difference(system.generator, generator) < 1e-12
    assert largest_difference(system.critic, critic) < 1e-12


def step_counts(tmp_path, **kwargs) -> dict[str, int]:
    counts = {"discriminator": 0, "generator": 0}

    class Count(Callback):
        def on_before_optimizer_step(self, trainer, pl_module, optimizer):
            counts["discriminator" if optimizer is trainer.optimizers[0] else "generator"] += 1

    trainer(tmp_path, max_epochs=2, callbacks=[Count()]).fit(Gan(**kwargs), loader(28))
    return counts


def test_counts_steps_by_hand(tmp_path):
    # two epochs of 7 batches: 14 windows of one batch, or per epoch windows of 3, 3 and 1
    assert step_counts(tmp_path, n_critic=5) == {"discriminator": 14, "generator": 2}
    assert step_counts(tmp_path, accumulate=3) == {"discriminator": 6, "generator": 6}
    assert step_counts(tmp_path, accumulate=3, n_critic=2) == {"discriminator": 6, "generator": 3}


# ---------------------------------------------------------------- repeating a run


class DrawNumbers(Callback):
    """Moves the global generators, as a callback or a validation may."""

    def on_train_batch_start(self, *_: Any) -> None:
        torch.rand(3)


def state_of(path: Path) -> dict[str, Any]:
    checkpoint = torch.load(path, weights_only=True)
    kept = ("state_dict", "optimizer_states", "lr_schedulers", "phased_training", "weight_average")
    return {name: checkpoint[name] for name in kept}


def assert_same(first: Any, second: Any) -> None:
    if isinstance(first, Tensor):
        assert torch.equal(first, second)
    elif isinstance(first, dict):
        assert first.keys() == second.keys()
        for key in first:
            assert_same(first[key], second[key])
    elif isinstance(first, list):
        for a, b in zip(first, second, strict=True):
            assert_same(a, b)
    else:
        assert first == second


def stochastic() -> Gan:
    return Gan(
        dropout=0.3,
        n_critic=2,
        accumulate=2,
        ema_decay=0.9,
        discriminator_scheduler=halve_each_epoch,
        generator_scheduler=halve_each_epoch,
    )


@pytest.mark.parametrize("when", ["train_end", "validation_end"])
def test_a_resumed_run_repeats_an_uninterrupted_one(tmp_path, when):
    def fit(epochs: int, folder: Path, resume: Path | None = None, *others: Callback) -> Path:
        keep = ModelCheckpoint(folder, "{epoch}", save_top_k=-1, save_on_train_epoch_end=when == "train_end")
        run = trainer(tmp_path, max_epochs=epochs, enable_checkpointing=True, callbacks=[keep, *others])
        run.fit(stochastic(), loader(20), loader(4), ckpt_path=resume)
        return folder / f"epoch={epochs - 1}.ckpt"

    torch.manual_seed(5)
    whole = fit(4, tmp_path / "whole")
    half = fit(2, tmp_path / "half")
    assert_same(state_of(half), state_of(tmp_path / "whole" / "epoch=1.ckpt"))
    resumed = fit(4, tmp_path / "half", half, DrawNumbers())
    assert_same(state_of(resumed), state_of(whole))
    counted = state_of(whole)["phased_training"]
    assert (counted["batches_seen"], counted["windows_seen"]) == (20, 12)
    assert {"train/discriminator/total", "train/generator/total"} <= counted["latest"].keys()


def test_the_seed_and_the_batch_change_what_is_drawn(tmp_path, monkeypatch):
    drawn: list[float] = []

    class Draws(Gan):
        def prepare(self, batch):
            drawn.append(torch.rand(()).item())
            return super().prepare(batch)

    def fit() -> list[float]:
        drawn.clear()
        trainer(tmp_path, max_epochs=1).fit(Draws(), loader(12))
        return list(drawn)

    torch.manual_seed(3)
    before = torch.get_rng_state()
    first = fit()
    assert len(set(first)) == 3
    assert fit() == first
    monkeypatch.setenv("PL_GLOBAL_SEED", "7")
    assert not set(fit()) & set(first)
    assert before.numel() == torch.get_rng_state().numel()


def test_a_step_leaves_the_global_generator_alone(tmp_path):
    states: list[Tensor] = []

    class Watch(Callback):
        def on_train_batch_start(self, *_: Any) -> None:
            states.append(torch.get_rng_state())

        def on_train_batch_end(self, *_: Any) -> None:
            states.append(torch.get_rng_state())

    trainer(tmp_path, max_epochs=1, callbacks=[Watch()]).fit(Gan(dropout=0.2), loader(8))
    assert torch.equal(states[0], states[1])
    assert torch.equal(states[2], states[3])


# ---------------------------------------------------------------- freezing


class Spying(Gan):
    """Remembers which parameters are trainable in each phase; may fail in the generator's."""

    fails = False

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.generator[0].bias.requires_grad_(False)
        self.seen: dict[str, set[str]] = {}
        self.stale: list[str] = []

    def look(self, phase: str, others: nn.Module) -> None:
        self.seen[phase] = {name for name, weight in self.named_parameters() if weight.requires_grad}

    def discriminator_loss(self, forward):
        self.look("discriminator", self.generator)
        return super().discriminator_loss(forward)

    def generator_loss(self, forward):
        self.look("generator", self.critic)
        if self.fails:
            raise RuntimeError("on purpose")
        return super().generator_loss(forward)


@pytest.mark.parametrize("fails", [False, True])
def test_each_phase_freezes_the_others_and_leaves_all_as_found(tmp_path, fails):
    system = Spying()
    system.fails = fails
    found = {name: weight.requires_grad for name, weight in system.named_parameters()}
    run = trainer(tmp_path, max_epochs=1)
    if fails:
        with pytest.raises(RuntimeError, match="on purpose"):
            run.fit(system, loader(8))
    else:
        run.fit(system, loader(8))
    assert {name: weight.requires_grad for name, weight in system.named_parameters()} == found
    assert system.seen["discriminator"] == {name for name in found if name.startswith("critic.")}
    assert system.seen["generator"] == {"generator.0.weight", "generator.3.weight", "generator.3.bias"}
    assert system.generator[0].bias.grad is None


# ---------------------------------------------------------------- gradient scaling


class Overflowing(Gan):
    """Its generator's gradients overflow on the given batches."""

    overflows: tuple[int, ...] = ()

    def generator_loss(self, forward):
        terms = super().generator_loss(forward)
        if self.batches_seen in self.overflows:
            terms["adversarial"].register_hook(lambda gradient: gradient * torch.inf)
        return terms


def scaled(tmp_path: Path, **kwargs: Any) -> Trainer:
    # autocast leaves float64 alone and the scale is a power of two: the scaler must change nothing at all
    plugin = MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu", growth_interval=3))
    return trainer(tmp_path, plugins=[plugin], **kwargs)


@pytest.mark.parametrize("accumulate", [1, 3])
def test_clipping_and_accumulation_see_unscaled_gradients(tmp_path, accumulate):
    unscaled, with_scaler = (Gan(gradient_clip=0.05, accumulate=accumulate) for _ in range(2))
    trainer(tmp_path, max_epochs=2).fit(unscaled, loader())
    run = scaled(tmp_path, max_epochs=2)
    run.fit(with_scaler, loader())
    assert run.precision_plugin.scaler.get_scale() > 65536  # it grew on the way
    assert largest_difference(unscaled.generator, with_scaler.generator) < 1e-12
    assert largest_difference(unscaled.critic, with_scaler.critic) < 1e-12


def test_skipped_steps_are_counted_and_end_a_hopeless_run(tmp_path):
    system = Overflowing()
    system.overflows = (2, 5, 6)
    run = scaled(tmp_path, max_epochs=1)
    run.fit(system, loader())
    assert run.callback_metrics["train/generator/skipped_steps"] == 3
    assert run.callback_metrics["train/discriminator/skipped_steps"] == 0
    system = Overflowing()
    system.overflows = tuple(range(0, 50, 2))
    scaled(tmp_path, max_epochs=5).fit(system, loader())  # 25 skips, but never two in a row
    assert system.batches_seen == 50
    system = Overflowing()
    system.overflows = tuple(range(100))
    with pytest.raises(InputError, match="20 generator steps in a row overflowed"):
        scaled(tmp_path, max_epochs=5).fit(system, loader())
    assert system.batches_seen == 19


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_half_precision_on_a_gpu_follows_float32(tmp_path):
    class Single(Gan):
        def __init__(self) -> None:
            super().__init__("hinge", gradient_clip=0.05)
            self.float()

        def prepare(self, batch):
            noise = torch.randn(len(batch[0]), LATENT, device=self.device)
            return batch[0].float(), self.generator(noise)

    def trained(**kwargs: Any) -> Tensor:
        system = Single()
        before = nn.utils.parameters_to_vector(system.parameters()).detach().clone()
        trainer(tmp_path, max_epochs=2, accelerator="gpu", **kwargs).fit(system, loader())
        return nn.utils.parameters_to_vector(system.parameters()).detach().cpu() - before

    # at this scale nothing overflows, so that no step is skipped
    plugin = MixedPrecision("16-mixed", "cuda", torch.amp.GradScaler("cuda", init_scale=256.0))
    way = torch.cosine_similarity(trained(), trained(plugins=[plugin]), dim=0)
    assert way > 0.99


# ---------------------------------------------------------------- watching


def test_logs_the_learning_rate_that_each_phase_has_taken(tmp_path):
    logger = CSVLogger(tmp_path, name="", version="")
    system = Gan(generator_scheduler=halve_each_epoch, schedule="step", n_critic=2)
    trainer(tmp_path, max_epochs=1, logger=logger, log_every_n_steps=1).fit(system, loader())
    with (tmp_path / "metrics.csv").open() as file:
        logged = list(csv.DictReader(file))
    first = float(logged[0]["train/discriminator/learning_rate"])
    rates = [float(row["train/generator/learning_rate"]) for row in logged if row["train/generator/learning_rate"]]
    assert {float(row["train/discriminator/learning_rate"]) for row in logged} == {first}
    taken = rates[::2]  # the generator steps at every second batch, and its scheduler after it
    assert taken == pytest.approx([first / 2**n for n in range(len(taken))])


def test_logs_every_term_unweighted_and_the_weighted_total(tmp_path):
    system = Gan("wgan")
    system.weights["reconstruction"] = 0.0
    logger = CSVLogger(tmp_path, name="", version="")
    trainer(tmp_path, max_epochs=1, logger=logger, log_every_n_steps=5).fit(system, loader())
    with (tmp_path / "metrics.csv").open() as file:
        logged = list(csv.DictReader(file))
    assert [int(row["step"]) for row in logged] == [4, 9]  # batches, not optimizer steps
    for row in logged:
        value = {name: float(cell) for name, cell in row.items()}
        weighted = value["train/discriminator/real_fake"] + 10 * value["train/discriminator/penalty"]
        assert value["train/discriminator/total"] == pytest.approx(weighted, rel=1e-5)
        assert value["train/generator/total"] == value["train/generator/adversarial"]
        assert value["train/generator/reconstruction"] > 0


def test_a_phase_that_rests_is_logged_with_its_latest_values(tmp_path):
    seen: list[float] = []

    class Remember(Gan):
        def generator_loss(self, forward):
            terms = super().generator_loss(forward)
            seen.append(terms["reconstruction"].item())
            return terms

    logger = CSVLogger(tmp_path, name="", version="")
    trainer(tmp_path, max_epochs=1, logger=logger, log_every_n_steps=5).fit(Remember(n_critic=3), loader())
    with (tmp_path / "metrics.csv").open() as file:
        logged = [float(row["train/generator/reconstruction"]) for row in csv.DictReader(file)]
    assert logged == pytest.approx([seen[0], seen[2]], rel=1e-5)  # trained on batches 2, 5 and 8, logged on 4 and 9


def test_steps_fetch_nothing_from_the_device(tmp_path, monkeypatch):
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a training step waited for the device")

    class Strict(Gan):
        def training_step(self, batch, batch_idx):
            with monkeypatch.context() as patch:
                for name in ("item", "tolist", "cpu", "numpy", "__bool__", "__float__", "__int__"):
                    patch.setattr(Tensor, name, refuse)
                super().training_step(batch, batch_idx)

    sgd = torch.optim.SGD  # Adam reads its own step counter, which lies on the CPU
    system = Strict(
        "hinge",
        gradient_clip=1.0,
        ema_decay=0.9,
        accumulate=2,
        discriminator_optimizer=lambda parameters: sgd(parameters, 0.01),
        generator_optimizer=lambda parameters: sgd(parameters, 0.01),
    )
    logger = CSVLogger(tmp_path, name="", version="")
    trainer(tmp_path, max_epochs=1, logger=logger, log_every_n_steps=50).fit(system, loader())
    assert system.batches_seen == 10


class Breaking(Gan):
    """Its generator's loss is not a number from the fourth batch on."""

    def generator_loss(self, forward):
        terms = super().generator_loss(forward)
        if self.batches_seen >= 3:
            terms["reconstruction"] = terms["reconstruction"] * torch.nan
        return terms


@pytest.mark.parametrize(("interval", "batches"), [(5, 5), (50, 10)])
def test_a_loss_that_is_not_finite_stops_the_run_by_name(tmp_path, interval, batches):
    system = Breaking()
    run = trainer(
        tmp_path,
        max_epochs=2,
        log_every_n_steps=interval,
        enable_checkpointing=True,
        callbacks=[ModelCheckpoint(tmp_path / "kept", save_on_train_epoch_end=True)],
    )
    with pytest.raises(InputError, match="train/generator/reconstruction is not finite since batch 3"):
        run.fit(system, loader())
    assert system.batches_seen == batches
    assert not list(tmp_path.glob("kept/*.ckpt"))


def test_an_epoch_does_not_end_on_a_loss_that_is_not_finite(tmp_path):
    with pytest.raises(InputError, match="since batch 3"):
        trainer(tmp_path, max_epochs=1, log_every_n_steps=50).fit(Breaking(), loader())


def test_a_state_that_is_not_finite_is_not_saved(tmp_path):
    class SaveEarly(Callback):
        def on_train_batch_end(self, trainer, pl_module, *_: Any) -> None:
            if pl_module.batches_seen == 4:
                trainer.save_checkpoint(tmp_path / "poisoned.ckpt")

    run = trainer(tmp_path, max_epochs=1, callbacks=[SaveEarly()])
    with pytest.raises(InputError, match="since batch 3"):
        run.fit(Breaking(), loader())
    assert not (tmp_path / "poisoned.ckpt").exists()


def test_weights_without_a_term_and_phases_without_weight_are_refused(tmp_path):
    system = Gan()
    system.weights["reconstructoin"] = 2.0
    with pytest.raises(InputError, match=r"\['reconstructoin'\]; the loss terms are \['adversarial'"):
        trainer(tmp_path, max_epochs=1).fit(system, loader())
    system = Gan()
    system.weights |= {"adversarial": 0.0, "reconstruction": 0.0}
    with pytest.raises(InputError, match="every generator loss has weight 0"):
        trainer(tmp_path, max_epochs=1).fit(system, loader())


# ---------------------------------------------------------------- what is refused before the first step


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"gradient_clip_val": 0.5}, "--model.gradient_clip 0.5"),
        ({"accumulate_grad_batches": 4}, "--model.accumulate 4"),
        ({"strategy": "ddp"}, "ddp_find_unused_parameters_true"),
        (
            {"strategy": DDPStrategy(find_unused_parameters=True, static_graph=True)},
            "ddp_find_unused_parameters_true",
        ),
    ],
)
def test_trainer_arguments_that_cannot_serve_are_refused(tmp_path, arguments, message):
    with pytest.raises(InputError, match=message):
        trainer(tmp_path, max_epochs=1, **arguments).fit(Gan(), loader())


def test_a_training_that_is_never_validated_is_refused(tmp_path):
    said = "check_val_every_n_epoch is 6 and --trainer.max_epochs 5: nothing would ever be validated"
    with pytest.raises(InputError, match=said):
        trainer(tmp_path, max_epochs=5, check_val_every_n_epoch=6, limit_val_batches=1.0).fit(Gan(), loader())
    trainer(tmp_path, max_epochs=1, check_val_every_n_epoch=6, limit_val_batches=0).fit(Gan(), loader(8))


def test_last_epochs_without_a_validation_are_warned_of(tmp_path, recwarn):
    def train(every: int) -> None:
        trainer(tmp_path, max_epochs=4, check_val_every_n_epoch=every, limit_val_batches=1.0).fit(Gan(), loader(8))

    train(2)
    assert not any("last validation" in str(one.message) for one in recwarn)
    with pytest.warns(UserWarning, match="is 3 and --trainer.max_epochs 4: the last validation is that of epoch 3"):
        train(3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"accumulate": 0}, "accumulate is 0"),
        ({"n_critic": 0}, "n_critic is 0"),
        ({"gradient_clip": -1.0}, "gradient_clip is"),
        ({"gradient_clip": math.nan}, "gradient_clip is nan"),
        ({"gradient_clip": {"generator": math.inf}}, "gradient_clip is inf"),
        ({"gradient_clip": {"critic": 1.0}}, r"gradient_clip names \['critic'\]"),
        ({"ema_decay": 1.0}, "ema_decay is 1.0"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        Gan(**arguments)


def test_fused_optimizers_are_refused_where_clipping_needs_unscaled_gradients(tmp_path):
    def fused(parameters: Any) -> torch.optim.Optimizer:
        return torch.optim.Adam(parameters, fused=True)

    with pytest.raises(InputError, match=r"--model\.generator_optimizer\.init_args\.fused false"):
        scaled(tmp_path, max_epochs=1).fit(Gan(gradient_clip=1.0, generator_optimizer=fused), loader())
    scaled(tmp_path, max_epochs=1).fit(Gan(generator_optimizer=fused), loader(8))
    trainer(tmp_path, max_epochs=1).fit(Gan(gradient_clip=1.0, generator_optimizer=fused), loader(8))


def test_schedulers_that_wait_for_a_metric_are_refused(tmp_path):
    system = Gan(generator_scheduler=lambda optimizer: MonitoredPlateau(optimizer, "val/loss"))
    with pytest.raises(InputError, match="generator_scheduler is ReduceLROnPlateau"):
        trainer(tmp_path, max_epochs=1).fit(system, loader())


def test_faults_of_a_system_are_named(tmp_path):
    def fit(system: Gan) -> None:
        trainer(tmp_path, max_epochs=1).fit(system, loader(8))

    idle = Gan()
    idle.flow = nn.Linear(2, 2)
    with pytest.raises(TypeError, match=r"no phase of Gan trains flow\.weight, flow\.bias"):
        fit(idle)
    idle.flow.requires_grad_(False)
    fit(idle)

    class Misspelt(Gan):
        phase_modules = {"discriminator": ("critik",), "generator": ("generator",)}  # noqa: RUF012

    with pytest.raises(TypeError, match="names 'critik'"):
        fit(Misspelt())

    class Incomplete(Gan):
        phase_modules = {"generator": ("generator",)}  # noqa: RUF012

    with pytest.raises(TypeError, match="Incomplete has phases"):
        Incomplete()

    reserved = Gan()
    reserved.layer = 3
    with pytest.raises(TypeError, match=r"\['layer'\], which Lightning's ModelCheckpoint"):
        fit(reserved)


# ---------------------------------------------------------------- other shapes of systems


def test_a_switched_off_discriminator_leaves_the_other_phase(tmp_path):
    class Alone(Gan):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.critic = None

        def generator_loss(self, forward):
            real, fake = forward
            return {"reconstruction": (fake.mean(0) - real.mean(0)).square().mean()}

    before = networks()[0]
    system = Alone()
    trainer(tmp_path, max_epochs=1).fit(system, loader())
    assert largest_difference(before, system.generator) > 1e-3
    with pytest.raises(InputError, match="n_critic is 5, but the discriminator is switched off"):
        trainer(tmp_path, max_epochs=1).fit(Alone(n_critic=5), loader())


def test_a_third_phase_takes_its_turn(tmp_path):
    order: list[str] = []

    class Three(Gan):
        phases = ("discriminator", "encoder", "generator")
        phase_modules = {  # noqa: RUF012
            "discriminator": ("critic",),
            "encoder": ("encoder",),
            "generator": ("generator",),
        }

        def __init__(self) -> None:
            super().__init__(gradient_clip={"encoder": 0.1})
            self.optimizer_factories["encoder"] = adam
            self.encoder = nn.Linear(WIDTH, LATENT).double()

        def encoder_loss(self, forward):
            return {"code": self.encoder(forward[0]).square().mean()}

        def on_before_optimizer_step(self, optimizer):
            super().on_before_optimizer_step(optimizer)
            order.append(next(name for name, own in self._optimizers.items() if own is optimizer))

    trainer(tmp_path, max_epochs=1).fit(Three(), loader(8))
    assert order == ["discriminator", "encoder", "generator"] * 2


# ---------------------------------------------------------------- checkpoints


class Sized(AdversarialModule):
    """A system with a size, as the command builds it."""

    phase_modules = {"discriminator": ("critic",), "generator": ("generator",)}  # noqa: RUF012

    def __init__(self, width: int = 3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.save_hyperparameters()
        self.generator, self.critic = nn.Linear(1, width), nn.Linear(width, 1)

    def discriminator_loss(self, forward):
        return {"score": self.critic(self.generator(forward[:, :1]).detach()).square().mean()}

    def generator_loss(self, forward):
        return {"score": self.critic(self.generator(forward[:, :1])).mean()}

    def train_dataloader(self) -> DataLoader[Any]:
        data: Dataset[Any] = torch.ones(4, 2)  # type: ignore[assignment]
        return DataLoader(data, batch_size=2)


def run_command(tmp_path: Path, *arguments: str) -> LightningCLI:
    return LightningCLI(
        Sized,
        args=[
            "fit",
            "--model.discriminator_optimizer=torch.optim.Adam",
            "--model.generator_optimizer=torch.optim.SGD",
            "--model.generator_optimizer.lr=0.05",
            "--model.generator_scheduler=torch.optim.lr_scheduler.StepLR",
            "--model.generator_scheduler.step_size=3",
            *arguments,
        ],
        trainer_defaults={
            "default_root_dir": str(tmp_path),
            "max_epochs": 1,
            "accelerator": "cpu",
            "logger": False,
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "callbacks": [ModelCheckpoint(tmp_path, "{epoch}")],
        },
        save_config_callback=None,
        auto_configure_optimizers=False,
    )


def test_checkpoints_of_the_command_hold_plain_types_and_name_what_does_not_fit(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["lightning"])
    run_command(tmp_path, "--model.gradient_clip={generator: 0.5}")
    checkpoint = torch.load(tmp_path / "epoch=0.ckpt", weights_only=True)
    saved = checkpoint["hyper_parameters"]
    assert saved["generator_optimizer"]["class_path"] == "torch.optim.SGD"
    assert saved["generator_optimizer"]["init_args"]["lr"] == 0.05
    assert saved["gradient_clip"] == {"generator": 0.5}

    other = Sized(5, discriminator_optimizer=adam, generator_optimizer=adam)
    message = r"width is 3 in the checkpoint and 5 here\. .*--config with the config\.yaml of its run folder"
    with pytest.raises(InputError, match=message):
        trainer(tmp_path, max_epochs=2).fit(other, ckpt_path=tmp_path / "epoch=0.ckpt", weights_only=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=message):
        trainer(tmp_path, max_epochs=2).fit(other, ckpt_path="epoch=0.ckpt", weights_only=True)
    moved = tmp_path / "run/checkpoints/last.ckpt"
    moved.parent.mkdir(parents=True)
    (tmp_path / "epoch=0.ckpt").rename(moved)
    (tmp_path / "run/config.yaml").touch()
    with pytest.raises(InputError, match=r"width is 3 .*: --config run/config\.yaml$"):
        trainer(tmp_path, max_epochs=2).fit(other, ckpt_path=moved, weights_only=True)


def test_a_checkpoint_made_from_python_holds_plain_types(tmp_path):
    run = trainer(tmp_path, max_epochs=1)
    run.fit(Gan("hinge", n_critic=2), loader(8))
    run.save_checkpoint(tmp_path / "last.ckpt")
    saved = torch.load(tmp_path / "last.ckpt", weights_only=True)["hyper_parameters"]
    assert saved["kind"] == "hinge"
    assert "generator_optimizer" not in saved
    loaded = Gan.load_from_checkpoint(tmp_path / "last.ckpt", discriminator_optimizer=adam, generator_optimizer=adam)
    assert loaded.batches_seen == 2


def test_foreign_checkpoints_are_refused(tmp_path):
    run = trainer(tmp_path, max_epochs=1)
    run.fit(Gan(), loader(8))
    run.save_checkpoint(tmp_path / "last.ckpt")
    checkpoint = torch.load(tmp_path / "last.ckpt", weights_only=True)
    system = Gan()
    with pytest.raises(InputError, match="counts no batches"):
        system.on_load_checkpoint({"state_dict": system.state_dict()})
    del checkpoint["state_dict"]["critic.0.bias"]
    with pytest.raises(InputError, match=r"critic\.0\.bias is missing in the checkpoint and \(8,\) here"):
        system.on_load_checkpoint(checkpoint)

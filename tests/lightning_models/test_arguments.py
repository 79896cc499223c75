"""No argument of a system is dead: another value changes weights, losses, scores or what is shown, or is refused.

``SYSTEMS`` has one other value for every argument of a system, ``TRAINING`` for those of the bases; a new argument
fails the test until it has one. What is compared is a whole small training: two passes, the second one validated.
"""

import inspect
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from lightning.pytorch import Callback, LightningDataModule, Trainer, seed_everything
from torch import Tensor, nn
from torch.optim import SGD
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader

from datamodules.batches import AudioVideoBatch, ImageBatch, PartBatch, TileBatch, VideoBatch
from datamodules.errors import InputError
from lightning_models import VTAGAN, AitexVAE, AudioToVideo, CNNParamTanh, MotorVAEGAN
from lightning_models.audio_to_video import AudioToVideoNet, AudioToVideoNetLegacy
from lightning_models.training.adversarial import AdversarialModule
from lightning_models.training.phases import PhasedModule
from lightning_models.training.single_phase import SinglePhaseModule


class Refused(NamedTuple):
    """A value that is refused on the same data, by a message that names the argument."""

    value: Any
    match: str


class Also(NamedTuple):
    """A value that needs other arguments to be changed with it."""

    value: Any
    others: dict[str, Any]


class System(NamedTuple):
    """A system: its batches of training and of every validation loader, a small configuration, and other values."""

    batches: Callable[[], tuple[Any, ...]]
    small: dict[str, Any]
    others: dict[str, Any]


# --- data: two batches of training, and one or two loaders of validation --------------------------------------------


def noise(*shape: int, seed: int = 0) -> Tensor:
    """Bytes that vary smoothly over the picture."""
    coarse = torch.rand(*shape[:-2], 4, 4, generator=torch.Generator().manual_seed(seed))
    fine = nn.functional.interpolate(coarse.view(1, -1, 4, 4), shape[-2:], mode="bilinear")
    return (255 * fine).byte().view(shape)


def clips(number: int, label: int = 0) -> VideoBatch:
    frames, mask = noise(1, 4, 3, 64, 64, seed=number), torch.zeros(1, 4, 64, 64, dtype=torch.uint8)
    frames[:, 1:] = frames[:, :1].roll(2, -1)
    mask[..., 8:24, 8:24] = 1
    return VideoBatch(
        frames=frames,
        video=["a"],
        frame=torch.arange(4)[None],
        label=torch.full((1, 4), label),
        region=torch.tensor([[0, 0, 64, 64]]),
        index=torch.tensor([number]),
        pseudo=torch.where(mask[:, :, None] > 0, 255 - frames, frames),
        pseudo_mask=mask,
    )


def of_clips() -> tuple[Any, ...]:
    return [clips(0), clips(1)], [clips(2), clips(3)], [clips(4), clips(5, label=1)]


def part(number: int, label: int = 0) -> PartBatch:
    image = noise(1, 64, 96, seed=number)
    image[:, 40:48, 50:60] += 60 * label
    return PartBatch(image, f"{number}", "a", "good" if label == 0 else "019", label, 8, number, None)


def of_parts() -> tuple[Any, ...]:
    tiles = [TileBatch(noise(2, 1, 32, 32, seed=number), ["a"] * 2, torch.arange(2)) for number in range(2)]
    return tiles, [part(2), part(3)], [part(4), part(5, label=1)]


def of_pictures(channels: int, size: int) -> tuple[Any, ...]:
    def pictures(number: int) -> ImageBatch:
        index = torch.arange(4)
        return ImageBatch(noise(4, channels, size, size, seed=number), list("abcd"), torch.zeros(4).long(), index)

    return [pictures(0), pictures(1)], [pictures(2)]


def of_sound() -> tuple[Any, ...]:
    def pieces(number: int) -> AudioVideoBatch:
        audio, other = torch.rand(2, 2, 1, 4000, generator=torch.Generator().manual_seed(number)) - 0.5
        return AudioVideoBatch(
            audio=audio,
            frames=noise(2, 10, 3, 16, 16, seed=number),
            valid=torch.ones(2, 10, dtype=torch.bool),
            other=other,
            name=["a", "b"],
            start=torch.zeros(2, dtype=torch.float64),
            index=torch.arange(2),
        )

    return [pieces(0), pieces(1)], [pieces(2)]


# --- the table ------------------------------------------------------------------------------------------------------

STEPS = partial(SGD, lr=1e-4)
FALLS = partial(StepLR, step_size=1, gamma=0.5)
PHASED = {"schedule": "step", "gradient_clip": 0.01, "accumulate": 2, "ema_decay": 0.5}
ONE_PHASE = {"optimizer": partial(SGD, lr=1e-3), "scheduler": partial(StepLR, step_size=1, gamma=0.1)}
TRAINING: dict[type[PhasedModule], dict[str, Any]] = {
    SinglePhaseModule: ONE_PHASE | PHASED,
    AdversarialModule: {f"{phase}_{key}": make for phase in AdversarialModule.phases for key, make in ONE_PHASE.items()}
    | PHASED
    | {"n_critic": 2},
}
PLAIN = {"optimizer": STEPS, "scheduler": FALLS}
BASE = {
    SinglePhaseModule: {**PLAIN, "schedule": "epoch"},
    AdversarialModule: {
        **{f"{phase}_{key}": make for phase in AdversarialModule.phases for key, make in PLAIN.items()},
        **{"schedule": "epoch", "n_critic": 1},
    },
}
NET = {"width": 32, "layers": 1, "heads": 4, "feedforward": 32}
SYSTEMS: dict[type[PhasedModule], System] = {
    VTAGAN: System(
        of_clips,
        {"num_frames": 4, "ngf": 2, "ndf": 4, "flow_width": 0.05, "token_width": 16},
        {
            "num_frames": Refused(3, "num_frames is 3"),
            "ngf": 3,
            "ndf": 8,
            "discriminator_norm": "spectral",
            "frequency_split": False,
            "channel_selection": "off",
            "noise_std": 0.2,
            "flow_backend": Also("farneback", {"flow_width": None}),
            "flow_width": 0.1,
            "flow_weights": Refused("nowhere.pth", "flow_weights|nowhere"),
            "temporal_attention": Also(False, {"token_width": None}),
            "token_width": 32,
            "positional_encoding": "sinusoidal",
            "pseudo_fakes": False,
            "adversarial": "hinge",
            "reconstruction": "l2",
            "patch": 16,
            "top_k": 1,
            "evidence": ["reconstruction"],
            "joint": "density",
        },
    ),
    AitexVAE: System(
        of_parts,
        {"tile_size": 32, "width": 2, "latent_dim": 4, "output": "linear", "weights": {"bce": 0.0, "mse": 1.0}},
        {
            "tile_size": Refused(64, "tile_size"),
            "channels": Refused(3, "channels"),
            "width": 3,
            "latent_dim": 5,
            "posterior": "full",
            "rank": Also(2, {"posterior": "low_rank"}),
            "decoder": "symmetric",
            "dropout": 0.5,
            "output": Also("sigmoid", {}),
            "data_range": "symmetric",
            "free_bits": 0.5,
            "overlap": 0.0,
            "top_k": 3,
            "evidence": ["brightness"],
            "quantile": 0.5,
            "latent": "map",
        },
    ),
    MotorVAEGAN: System(
        partial(of_pictures, 1, 32),
        {"image_size": 32, "width": 2, "latent_dim": 4, "weights": {"feature": 0.1}},
        {
            "image_channels": Refused(3, "channels"),
            "image_size": Refused(64, "image_size"),
            "latent_dim": 5,
            "width": 3,
            "decoder_kernel": 4,
            "discriminator_norm": "none",
            "adversarial": "bce",
            "free_bits": 0.5,
            "reconstruction_share": 0.3,
            "sampler": "prior",
            "feature_layer": 2,
            "gate_margin": 1e-4,
        },
    ),
    CNNParamTanh: System(
        partial(of_pictures, 3, 16),
        {"image_size": 16, "latent_dim": 4, "num_frames": 3},
        {
            "image_channels": Refused(1, "channels"),
            "image_size": Refused(32, "image_size"),
            "latent_dim": 5,
            "num_frames": 4,
            "motion": "zoom",
            "alpha_head": "linear",
            "alpha_start": 1.0,
            "clip": "frames",
            "free_bits": 0.5,
            "reconstruction_share": 0.3,
            "sampler": "prior",
        },
    ),
    AudioToVideo: System(
        of_sound,
        {"fps": 10.0, "sample_rate": 4000, "image_size": 16, "network": partial(AudioToVideoNet, **NET)},
        {
            "network": partial(AudioToVideoNetLegacy, width=32),
            "fps": Refused(12.0, "fps"),
            "sample_rate": Refused(8000, "sample_rate"),
            "image_size": Refused(32, "image_size"),
            "start_from_mean": True,
            "weigh_moving": True,
            "mismatch_margin": 0.5,
        },
    ),
}


def base(kind: type[PhasedModule]) -> type[PhasedModule]:
    return next(one for one in TRAINING if issubclass(kind, one))


def public_arguments(kind: type[PhasedModule]) -> set[str]:
    """Return what a user may give: the arguments of the class, and those that its bases take from ``**training``."""
    names: set[str] = set()
    for one in kind.__mro__[: kind.__mro__.index(PhasedModule) + 1]:
        if "__init__" in vars(one):
            names |= set(inspect.signature(vars(one)["__init__"]).parameters)
    return names - {"self", "training", "weights"} - {"optimizers", "schedulers", "averaged_phase"}  # from base to base


def weights(kind: type[PhasedModule]) -> list[str]:
    return list(kind.default_weights.by_name())


# --- what a training leaves behind ----------------------------------------------------------------------------------


class Data(LightningDataModule):
    def __init__(self, batches: tuple[Any, ...]) -> None:
        super().__init__()
        self.batches = batches

    def mean_picture(self) -> Tensor:
        return torch.linspace(0.1, 0.9, 3 * 16 * 16).view(3, 16, 16)

    def deviation(self) -> Tensor:
        return torch.linspace(0.0, 0.2, 16 * 16).view(16, 16)

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.batches[0], batch_size=None)

    def val_dataloader(self) -> list[DataLoader[Any]]:
        return [DataLoader(batches, batch_size=None) for batches in self.batches[1:]]


class Watch(Callback):
    """Keeps every loss and every answer of a validation."""

    def __init__(self) -> None:
        self.seen: dict[str, Tensor] = {}

    def on_train_batch_end(self, trainer, *_):
        self.seen |= {f"{trainer.global_step} {name}": value for name, value in trainer.callback_metrics.items()}

    def on_validation_batch_end(self, trainer, module, outputs, batch, batch_idx, dataloader_idx=0):
        if is_dataclass(outputs):
            place = f"{trainer.current_epoch} {dataloader_idx} {batch_idx}"
            for slot in fields(outputs):
                value = getattr(outputs, slot.name)
                parts = value if isinstance(value, dict) else {"": value}
                tensors = {name: part for name, part in parts.items() if isinstance(part, Tensor)}
                self.seen |= {f"{place} {slot.name} {name}": tensor for name, tensor in tensors.items()}

    on_test_batch_end = on_validation_batch_end


def trainer(*callbacks: Callback) -> Trainer:
    return Trainer(
        accelerator="cpu",
        max_epochs=2,
        check_val_every_n_epoch=2,
        num_sanity_val_steps=0,
        log_every_n_steps=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=list(callbacks),
    )


def traces(kind: type[PhasedModule], **changes: Any) -> dict[str, Tensor]:
    """Train and validate a small system; return losses, answers, weights and buffers by name."""
    seed_everything(0, verbose=False)
    torch.set_num_threads(1)
    watch = Watch()
    system = kind(**{**BASE[base(kind)], **SYSTEMS[kind].small, **changes})
    trainer(watch).fit(system, datamodule=Data(SYSTEMS[kind].batches()))
    if isinstance(system, CNNParamTanh):
        with torch.no_grad():
            watch.seen["video"] = system.eval().generate_video(torch.ones(1, system.latent_dim))[:, :3]
    return watch.seen | {name: tensor.clone() for name, tensor in system.state_dict().items()}


@cache
def untouched(kind: type[PhasedModule]) -> dict[str, Tensor]:
    return traces(kind)


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    """Whether all is equal, NaN where the other is NaN."""
    return one.keys() == other.keys() and all(
        tensor.shape == other[name].shape and torch.equal(tensor.nan_to_num(7), other[name].nan_to_num(7))
        for name, tensor in one.items()
    )


EVERY = [(kind, name) for kind, system in SYSTEMS.items() for name in {**TRAINING[base(kind)], **system.others}]


@pytest.mark.parametrize("kind", SYSTEMS)
def test_the_table_has_every_argument(kind):
    assert {*TRAINING[base(kind)], *SYSTEMS[kind].others} == public_arguments(kind)


@pytest.mark.parametrize("kind", SYSTEMS)
def test_the_same_arguments_give_the_same(kind):
    assert same(untouched(kind), traces(kind))


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_another_value_changes_something(kind, name):
    other = {**TRAINING[base(kind)], **SYSTEMS[kind].others}[name]
    if isinstance(other, Refused):
        with pytest.raises(InputError, match=other.match):
            traces(kind, **{name: other.value})
    elif isinstance(other, Also):
        assert not same(untouched(kind), traces(kind, **{name: other.value, **other.others}))
    else:
        assert not same(untouched(kind), traces(kind, **{name: other}))


def answers(kind: type[PhasedModule], checkpoint: Path, **changes: Any) -> dict[str, Tensor]:
    """Test a system with the weights of a checkpoint and return all answers."""
    seed_everything(0, verbose=False)
    watch = Watch()
    system = kind(**{**BASE[base(kind)], **SYSTEMS[kind].small, **changes})
    data = DataLoader(SYSTEMS[kind].batches()[-1], batch_size=None)
    trainer(watch).test(system, data, ckpt_path=checkpoint, verbose=False)
    return watch.seen


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Return the checkpoint of a small training, made once for every system, and its answers."""
    known: dict[type[PhasedModule], tuple[Path, dict[str, Tensor]]] = {}

    def of(kind: type[PhasedModule]) -> tuple[Path, dict[str, Tensor]]:
        if kind not in known:
            path = tmp_path_factory.mktemp("trained") / "last.ckpt"
            seed_everything(0, verbose=False)
            run = trainer()
            run.fit(kind(**{**BASE[base(kind)], **SYSTEMS[kind].small}), datamodule=Data(SYSTEMS[kind].batches()))
            run.save_checkpoint(path)
            known[kind] = path, answers(kind, path)
        return known[kind]

    return of


JUDGED = [(kind, name) for kind, name in EVERY if not name.endswith(("optimizer", "scheduler"))]


@pytest.mark.parametrize(("kind", "name"), JUDGED)
def test_no_checkpoint_is_judged_by_other_arguments_than_its_own(kind, name, trained):
    checkpoint, expected = trained(kind)
    assert expected
    other = {**TRAINING[base(kind)], **SYSTEMS[kind].others}[name]
    changes = {name: other.value if isinstance(other, Also | Refused) else other}
    changes |= other.others if isinstance(other, Also) else {}
    if name == "ema_decay":  # the average or the weights themselves: as the user likes
        answers(kind, checkpoint, **changes)
    elif name != "flow_weights" and name in {
        free for one in kind.__mro__ for free in vars(one).get("free_after_training", ())
    }:
        assert same(answers(kind, checkpoint, **changes), expected)
    else:
        with pytest.raises(InputError, match=rf"\b{name}\b"):
            answers(kind, checkpoint, **changes)


@pytest.mark.parametrize(("kind", "term"), [(kind, term) for kind in SYSTEMS for term in weights(kind)])
def test_another_weight_changes_something(kind, term):
    own = SYSTEMS[kind].small.get("weights", {})
    other = {**own, term: 0.3}
    if (kind, term) in ((AitexVAE, "bce"), (AudioToVideo, "silence")):  # no probability; no still picture to keep
        with pytest.raises(InputError, match=rf"weights\.{term}"):
            traces(kind, weights=other)
    else:
        assert not same(untouched(kind), traces(kind, weights=other))

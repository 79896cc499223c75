"""What holds for every system: it needs no argument, and comes back whole from its checkpoint."""

import inspect
from functools import partial

import pytest
import torch
from lightning.pytorch import Trainer

from datamodules.errors import InputError
from lightning_models import VTAGAN, AitexVAE, AudioToVideo, CNNParamTanh, MotorVAEGAN
from lightning_models.audio_to_video import AudioToVideoNet
from lightning_models.training.hyperparameters import check_same, only_plain
from lightning_models.training.schedules import WarmUp

SMALL = {
    VTAGAN: {"ngf": 4, "ndf": 4, "flow_width": 0.0625, "token_width": 16},
    AitexVAE: {"tile_size": 32, "width": 4, "latent_dim": 6},
    AudioToVideo: {
        "sample_rate": 4000,
        "image_size": 16,
        "network": partial(AudioToVideoNet, width=32, layers=1, heads=4, feedforward=32),
    },
    CNNParamTanh: {"image_size": 16, "latent_dim": 5, "num_frames": 3},
    MotorVAEGAN: {"image_size": 32, "latent_dim": 6, "width": 2},
}
RATES = {VTAGAN: 2e-4, AitexVAE: 1e-3, AudioToVideo: 1e-3, CNNParamTanh: 1e-4, MotorVAEGAN: 2e-4}


def save(system, path):
    trainer = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False)
    trainer.strategy.connect(system)
    system.trainer = trainer
    trainer.save_checkpoint(path)


@pytest.mark.parametrize("kind", SMALL)
def test_no_argument_is_required(kind):
    arguments = list(inspect.signature(kind).parameters.values())
    assert [a.name for a in arguments if a.default is a.empty and a.kind is not a.VAR_KEYWORD] == []


@pytest.mark.parametrize("kind", SMALL)
def test_a_system_comes_back_from_its_checkpoint_with_its_arguments_and_nothing_else_given(kind, tmp_path):
    system = kind(**SMALL[kind], accumulate=3, gradient_clip=0.5)
    save(system, tmp_path / "system.ckpt")
    loaded = kind.load_from_checkpoint(tmp_path / "system.ckpt")
    assert dict(loaded.hparams) == only_plain(system.hparams)
    assert loaded.hparams.items() >= only_plain({**SMALL[kind], "accumulate": 3, "gradient_clip": 0.5}).items()
    assert loaded.accumulate == 3
    assert loaded.gradient_clips == dict.fromkeys(kind.phases, 0.5)
    state = loaded.state_dict()
    assert state.keys() == system.state_dict().keys()
    for name, tensor in system.state_dict().items():
        assert torch.equal(tensor, state[name]) or tensor.isnan().all(), name


def test_a_checkpoint_of_another_system_is_told_as_that(tmp_path):
    save(AitexVAE(**SMALL[AitexVAE]), tmp_path / "system.ckpt")
    checkpoint = torch.load(tmp_path / "system.ckpt", weights_only=True)
    with pytest.raises(InputError, match="the checkpoint is one of AitexVAE, and model is MotorVAEGAN: give --config"):
        MotorVAEGAN(**SMALL[MotorVAEGAN]).on_load_checkpoint(checkpoint)
    del checkpoint["phased_training"]["system"]  # as before version 0.2
    AitexVAE(**SMALL[AitexVAE]).on_load_checkpoint(checkpoint)


def test_defaults_that_an_older_checkpoint_has_written_out_are_no_difference():
    saved = {"hyper_parameters": {"ndf": 64, "top_k": 3}, "phased_training": {}}
    check_same(saved, VTAGAN, {"ndf": None, "top_k": 3})
    with pytest.raises(InputError, match=r"model.top_k = 4 \(3 in training\)"):
        check_same(saved, VTAGAN, {"ndf": None, "top_k": 4})
    with pytest.raises(InputError, match=r"model.ndf = None \(64 in training\)"):
        check_same(saved | {"phased_training": {"system": "VTAGAN"}}, VTAGAN, {"ndf": None, "top_k": 3})


def test_a_damaged_checkpoint_is_refused_and_code_in_one_cannot_be_asked_for(tmp_path):
    path = tmp_path / "system.ckpt"
    save(AitexVAE(**SMALL[AitexVAE]), path)
    with pytest.raises(InputError, match="weights_only = False"):
        AitexVAE.load_from_checkpoint(path, weights_only=False)
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(InputError, match="Bad CRC"):
        AitexVAE.load_from_checkpoint(path)


@pytest.mark.parametrize("kind", SMALL)
def test_the_published_optimizers_train_where_none_is_given(kind):
    system = kind(**SMALL[kind])
    weight = torch.nn.Parameter(torch.zeros(1))
    for phase in kind.phases:
        optimizer = system.optimizer_factories[phase]([weight])
        assert type(optimizer) is torch.optim.Adam
        assert optimizer.defaults["lr"] == RATES[kind]
    given = dict.fromkeys(kind.phases[-1:], torch.optim.SGD)
    mixed = kind(**SMALL[kind], **{kind.argument(phase, "optimizer"): make for phase, make in given.items()})
    assert mixed.optimizer_factories == {**system.optimizer_factories, **given}


@pytest.mark.parametrize("kind", SMALL)
def test_a_checkpoint_keeps_the_weights_of_the_losses_with_their_schedules(kind, tmp_path):
    name, *others = kind.default_weights.by_name()
    system = kind(**SMALL[kind], weights={name: WarmUp(0.7, 3), others[0]: 0.25})
    save(system, tmp_path / "system.ckpt")
    assert torch.load(tmp_path / "system.ckpt", weights_only=True)["hyper_parameters"]["weights"][others[0]] == 0.25
    loaded = kind.load_from_checkpoint(tmp_path / "system.ckpt")
    assert loaded.weights.schedules == {name: WarmUp(0.7, 3)}
    assert loaded.weights == system.weights
    assert loaded.weights[others[0]] == 0.25


@pytest.mark.parametrize("system", [VTAGAN, AitexVAE, AudioToVideo, CNNParamTanh, MotorVAEGAN])
def test_a_weight_counts_in_one_phase_alone(system):
    """Weights are found by the name of a term: a second phase with a term of that name would be weighted by it, too."""
    for name in system.default_weights.by_name():
        phases = [phase for phase, terms in system.loss_terms.items() if name in terms]
        assert len(phases) == 1, f"{name} is a term of {phases}"


def test_the_terms_of_vta_gans_discriminator_all_count_one():
    model = VTAGAN(num_frames=4, ngf=2, ndf=4, flow_width=0.05, token_width=16)
    terms = {name: torch.tensor(number + 1.0) for number, name in enumerate(VTAGAN.loss_terms["discriminator"])}
    assert float(model.weights.total("discriminator", terms)) == 6.0

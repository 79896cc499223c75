"""What a model and its data must agree on, for every system with the data module it is meant for."""

from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch import Trainer

from datamodules import AitexDataModule, AudioVideoDataModule, ImageFolderDataModule, VideoSnippetDataModule
from datamodules.errors import InputError
from lightning_models import VTAGAN, AitexVAE, AudioToVideo, CNNParamTanh, MotorVAEGAN
from lightning_models.training.shared_with_data import check_shared

ONE = {"optimizer": torch.optim.SGD}
TWO = {"discriminator_optimizer": torch.optim.SGD, "generator_optimizer": torch.optim.SGD}

SYSTEMS = {
    "vta_gan": (VTAGAN, TWO | {"ngf": 2, "ndf": 2, "flow_backend": "none"}, VideoSnippetDataModule, {"num_frames": 8}),
    "aitex_vae": (AitexVAE, ONE | {"width": 2}, AitexDataModule, {"tile_size": 32, "channels": 1}),
    "motor_vae_gan": (MotorVAEGAN, TWO | {"width": 2}, ImageFolderDataModule, {"image_size": 32, "channels": 1}),
    "cnn_param_tanh": (CNNParamTanh, TWO, ImageFolderDataModule, {"image_size": 32, "channels": 1}),
    "audio_to_video": (
        AudioToVideo,
        ONE,
        AudioVideoDataModule,
        {"fps": 10.0, "sample_rate": 4000, "image_size": 16},
    ),
}
OTHER = {
    "num_frames": 4,
    "tile_size": 64,
    "channels": 3,
    "image_size": 64,
    "fps": 12.0,
    "sample_rate": 8000,
}


def pair(system, monkeypatch, **changes):
    """A model and its data module, which cannot be opened, with arguments of the data changed."""
    model_class, arguments, data_class, common = SYSTEMS[system]
    monkeypatch.setattr(data_class, "prepare_data", lambda self: pytest.fail("was opened"))
    own = {name: common[theirs] for name, theirs in model_class.shared_with_data.items()}
    return model_class(**arguments, **own), data_class(**{**common, **changes})


@pytest.mark.parametrize("verb", ["fit", "validate", "test", "predict"])
@pytest.mark.parametrize(
    ("system", "name"),
    [(system, name) for system, (model, *_) in SYSTEMS.items() for name in model.shared_with_data.values()],
)
def test_other_data_are_refused_before_they_are_opened(system, name, verb, monkeypatch, tmp_path):
    model, data = pair(system, monkeypatch, **{name: OTHER[name]})
    trainer = Trainer(default_root_dir=tmp_path, accelerator="cpu", logger=False, enable_checkpointing=False)
    with pytest.raises(InputError, match=rf"^data\.{name} is {OTHER[name]:g}\S*, but model\.\w+ is \d"):
        getattr(trainer, verb)(model, datamodule=data)


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_right_data_pass(system, monkeypatch):
    model, data = pair(system, monkeypatch)
    model.check_data(data)


@pytest.mark.parametrize("system", ["motor_vae_gan", "cnn_param_tanh"])
def test_pictures_that_are_no_squares_are_refused(system, monkeypatch):
    model, data = pair(system, monkeypatch, image_size=(32, 64))
    with pytest.raises(InputError, match=r"data\.image_size is 32x64, but model\.image_size is 32: .*one number"):
        model.check_data(data)


def test_frames_that_cannot_be_halved_are_refused(monkeypatch):
    model, data = pair("vta_gan", monkeypatch, image_size=(64, 100))
    with pytest.raises(InputError, match=r"data\.image_size: .*multiples of 64, not 64x100"):
        model.check_data(data)
    model, data = pair("vta_gan", monkeypatch, image_size=(128, 128), train_crop=(64, 96))
    with pytest.raises(InputError, match=r"data\.train_crop: .*multiples of 64, not 64x96"):
        model.check_data(data)


def test_one_number_is_a_square():
    for given in (64, (64, 64), [64, 64]):
        check_shared({"size": "size"}, {"size": 64}, SimpleNamespace(size=given))


def test_data_that_do_not_tell_are_left_to_the_batches():
    check_shared({"size": "size"}, {"size": 64}, SimpleNamespace())

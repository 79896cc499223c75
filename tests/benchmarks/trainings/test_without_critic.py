import pytest
import torch
from lightning.pytorch import Trainer
from torch.utils.data import DataLoader

from benchmarks.trainings.without_critic import MotorVAE, ParamTanhVAE
from datamodules.batches import ImageBatch
from lightning_models.cnn_param_tanh.module import CNNParamTanhWeights
from lightning_models.motor_vae_gan.module import MotorVAEGANWeights


def motor():
    return MotorVAE(1, 32, 4, 2, weights=MotorVAEGANWeights(adversarial=0.0))


def param_tanh():
    return ParamTanhVAE(1, 32, 4, 3, weights=CNNParamTanhWeights(adversarial=0.0), n_critic=1)


def batches():
    torch.manual_seed(0)
    images = torch.randint(0, 256, (3, 4, 1, 32, 32), dtype=torch.uint8)
    return [ImageBatch(one, list("abcd"), torch.zeros(4), torch.arange(4)) for one in images]


@pytest.mark.parametrize(
    ("make", "learns", "error"),
    [
        (motor, ("vae.",), lambda difference: difference.square()),
        (param_tanh, ("vae.", "param_tanh."), lambda difference: difference.abs()),
    ],
)
def test_it_learns_to_reconstruct_and_leaves_the_critic_alone(make, learns, error):
    torch.manual_seed(0)
    model = make()
    before = {name: weight.clone() for name, weight in model.named_parameters()}
    trainer = Trainer(
        max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False
    )
    trainer.fit(model, DataLoader(batches(), batch_size=None))
    changed = {name for name, weight in model.named_parameters() if not torch.equal(weight, before[name])}
    assert {name.partition(".")[0] + "." for name in changed} == {*learns}
    prepared = model.prepare(batches()[0])
    reconstructed = prepared.fakes if make is motor else prepared.reconstructed
    assert reconstructed.shape == prepared.images.shape  # no samples
    terms = model.generator_loss(prepared)
    expected = error(reconstructed - prepared.images).flatten(1).sum(1).mean()
    torch.testing.assert_close(terms["reconstruction"], expected)
    assert terms["adversarial"] == 0

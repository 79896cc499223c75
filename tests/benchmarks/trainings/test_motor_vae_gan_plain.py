import torch
from lightning.pytorch import Trainer
from torch.utils.data import DataLoader

from benchmarks.trainings.motor_vae_gan_plain import MotorVAE
from datamodules.batches import ImageBatch
from lightning_models.motor_vae_gan.module import MotorVAEGANWeights


def batches():
    torch.manual_seed(0)
    images = torch.randint(0, 256, (3, 4, 1, 32, 32), dtype=torch.uint8)
    return [ImageBatch(one, list("abcd"), torch.zeros(4), torch.arange(4)) for one in images]


def test_it_learns_to_reconstruct_and_leaves_the_discriminator_alone():
    torch.manual_seed(0)
    model = MotorVAE(1, 32, 4, 2, weights=MotorVAEGANWeights(adversarial=0.0))
    before = {name: weight.clone() for name, weight in model.named_parameters()}
    trainer = Trainer(
        max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False
    )
    trainer.fit(model, DataLoader(batches(), batch_size=None))
    changed = {name for name, weight in model.named_parameters() if not torch.equal(weight, before[name])}
    assert changed == {name for name in before if name.startswith("vae.")}
    prepared = model.prepare(batches()[0])
    assert prepared.fakes.shape == prepared.images.shape  # no samples
    terms = model.generator_loss(prepared)
    expected = (prepared.fakes - prepared.images).square().flatten(1).sum(1).mean()
    torch.testing.assert_close(terms["reconstruction"], expected)
    assert terms["adversarial"] == 0

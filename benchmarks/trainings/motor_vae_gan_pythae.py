r"""What pythae's VAEGAN makes of the same pictures: ``python -m benchmarks.trainings.motor_vae_gan_pythae``.

Trains pythae's VAEGAN, by its own trainer, objective and equilibrium gate, with the networks of motorVAEGAN in place of
its own, on the training pictures of ``ImageFolderDataModule``, and judges it on the test pictures by the same
``ImageMetrics``; samples are drawn from the prior, and beside it from pythae's mixture of Gaussians. pythae is no
dependency of this project: install it into an environment of its own beside it.

    python -m benchmarks.trainings.motor_vae_gan_pythae --source PATH/TO/cars --fit stretch --minutes 30 --width 16
"""

import argparse
import time
from pathlib import Path

import torch
from lightning.pytorch import LightningModule, Trainer, seed_everything
from pythae.data.datasets import BaseDataset  # type: ignore[import-not-found]
from pythae.models import VAEGAN, VAEGANConfig  # type: ignore[import-not-found]
from pythae.models.base.base_utils import ModelOutput  # type: ignore[import-not-found]
from pythae.models.nn import BaseDecoder, BaseDiscriminator, BaseEncoder  # type: ignore[import-not-found]
from pythae.samplers import GaussianMixtureSampler  # type: ignore[import-not-found]
from pythae.trainers import (  # type: ignore[import-not-found]
    CoupledOptimizerAdversarialTrainer,
    CoupledOptimizerAdversarialTrainerConfig,
)
from torch import Tensor
from torch.distributions import Independent, Normal
from torch.utils.data import DataLoader

from benchmarks import common
from callbacks import ImageMetrics
from datamodules import ImageFolderDataModule
from datamodules.batches import ImageBatch, Reconstructions
from lightning_models.motor_vae_gan.network import STAGES, VAE, Discriminator
from lightning_models.variational import kl_per_dimension


class TheirEncoder(BaseEncoder):  # type: ignore[misc]
    """Our encoder and posterior, as pythae wants them."""

    def __init__(self, vae: VAE) -> None:
        super().__init__()
        self.encoder, self.posterior = vae.encoder, vae.posterior

    def forward(self, x: Tensor) -> ModelOutput:
        """Return mean and log variance ``(B, D)``."""
        posterior = self.posterior(self.encoder(x).flatten(1))
        return ModelOutput(embedding=posterior.mean, log_covariance=2 * posterior.stddev.log())


class TheirDecoder(BaseDecoder):  # type: ignore[misc]
    """Our decoder."""

    def __init__(self, vae: VAE) -> None:
        super().__init__()
        self.decoder = vae.decoder

    def forward(self, z: Tensor) -> ModelOutput:
        """Return pictures in [0, 1]."""
        return ModelOutput(reconstruction=self.decoder(z))


class TheirDiscriminator(BaseDiscriminator):  # type: ignore[misc]
    """Our discriminator with BatchNorm, as pythae's own have; its layers are the five stages and the probability."""

    def __init__(self, image_size: int, width: int) -> None:
        super().__init__()
        self.discriminator, self.depth = Discriminator(1, image_size, width, norm="batch"), STAGES + 1

    def forward(self, x: Tensor, output_layer_levels: list[int] | None = None) -> ModelOutput:
        """Return the probability, or the maps of the stages that are named, 1 to 5."""
        judgement = self.discriminator(x)
        output = ModelOutput(embedding=judgement.logits.sigmoid())
        for level in output_layer_levels or ():
            output[f"embedding_layer_{level}"] = judgement.maps[level - 1]
        return output


class AugmentedPictures(BaseDataset):  # type: ignore[misc]
    """The training pictures of an epoch, mirrored and cropped as they are for our own systems."""

    def __init__(self, loader: DataLoader[ImageBatch]) -> None:
        self.loader = loader
        self.draw(0)

    def draw(self, epoch: int) -> None:
        """Take the pictures of an epoch."""
        self.loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
        images = torch.cat([batch.images for batch in self.loader]).float() / 255
        super().__init__(images, torch.zeros(len(images)))


class Judged(LightningModule):
    """A trained VAEGAN, and a mixture fitted to its latent vectors, in the form that ``ImageMetrics`` judges."""

    sampler, samplers = "prior", ("prior", "mixture")

    def __init__(self, model: VAEGAN, latent_dim: int, mixture: GaussianMixtureSampler) -> None:
        super().__init__()
        self.model, self.latent_dim, self.mixture = model, latent_dim, mixture

    def latents(self, noise: Tensor, sampler: str | None = None) -> Tensor:
        """Return latent vectors: the noise, or as many as it has rows of the mixture, which draws noise of its own."""
        if sampler != "mixture":
            return noise
        return torch.from_numpy(self.mixture.gmm.sample(len(noise))[0]).to(noise)

    def can_draw(self, sampler: str) -> bool:
        """Tell that samples can be drawn from both."""
        return True

    def decode(self, z: Tensor) -> Tensor:
        """Return pictures in [0, 1] of latent vectors."""
        return self.model.decoder(z).reconstruction

    def test_step(self, batch: ImageBatch, batch_idx: int) -> Reconstructions:
        """Reconstruct without noise."""
        images = batch.images.float() / 255
        found = self.model.encoder(images)
        posterior = Independent(Normal(found.embedding, (0.5 * found.log_covariance).exp()), 1)
        decoded = self.decode(found.embedding)
        return Reconstructions(batch.name, batch.index, images, decoded, found.embedding, kl_per_dimension(posterior))


def main() -> None:
    """Train, judge, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", help="folder of pictures (default: the drawn cars)")
    parser.add_argument("--fit", default="crop", help="how a picture becomes a square (default: crop)")
    parser.add_argument("--zoom", type=float, default=0.0, help="data.zoom (default: 0)")
    parser.add_argument("--size", type=int, default=64, help="edge of the pictures in pixels (default: 64)")
    parser.add_argument("--width", type=int, default=32, help="channels of the outermost stage (default: 32)")
    parser.add_argument("--latent-dim", type=int, default=128, help="dimensions of the latent space (default: 128)")
    parser.add_argument("--minutes", type=float, default=30.0, help="processor time of the training (default: 30)")
    parser.add_argument("--scale", type=float, default=0.8, help="pythae's adversarial_loss_scale (default: 0.8)")
    parser.add_argument("--seed", type=int, default=0, help="of weights, order, augmentation and noise (default: 0)")
    parser.add_argument("--out", type=Path, default=Path("runs/pythae"), help="folder of the results")
    options = parser.parse_args()
    seed_everything(options.seed)
    data = ImageFolderDataModule(
        options.source,
        image_size=options.size,
        channels=1,
        batch_size=16,
        fit=options.fit,
        flip=True,
        zoom=options.zoom,
    )
    data.prepare_data()
    data.setup("fit")
    pictures = AugmentedPictures(data.train_dataloader())
    config = VAEGANConfig(
        input_dim=(1, options.size, options.size),
        latent_dim=options.latent_dim,
        reconstruction_layer=3,
        adversarial_loss_scale=options.scale,
    )
    vae = VAE(1, options.size, config.latent_dim, options.width)
    model = VAEGAN(config, TheirEncoder(vae), TheirDecoder(vae), TheirDiscriminator(options.size, options.width))
    settings = CoupledOptimizerAdversarialTrainerConfig(
        output_dir=str(options.out / "pythae"), per_device_train_batch_size=16, num_epochs=1000, no_cuda=True
    )
    trainer = CoupledOptimizerAdversarialTrainer(model=model, train_dataset=pictures, training_config=settings)
    trainer.prepare_training()
    # by the processor's time, since a step of it takes longer than ours
    began, epochs = time.process_time(), 0
    while (spent := time.process_time() - began) < 60 * options.minutes:
        epochs += 1
        pictures.draw(epochs - 1)
        print(f"epoch {epochs}, after {spent:.0f} s", flush=True)
        model.train()
        trainer.train_step(epochs)  # in float32: in bfloat16 its posterior diverges
    common.print_header(f"pythae's VAEGAN, {len(pictures)} pictures, {epochs} epochs of batches of 16")
    mixture = GaussianMixtureSampler(model.eval())
    mixture.fit(pictures.data)
    judge = Trainer(callbacks=[ImageMetrics()], default_root_dir=options.out, accelerator="cpu", logger=False)
    judge.test(Judged(model, config.latent_dim, mixture), datamodule=data)


if __name__ == "__main__":
    main()

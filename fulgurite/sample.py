"""The verb sample: new pictures from a trained model, as a sheet and as single files.

lightning sample --config experiments/motor_vae_gan.yaml --ckpt_path best --count 64 --seed 1 --sampler mixture
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from torch import Tensor
from torch.utils.data import DataLoader

from callbacks.images.drawn import latents
from callbacks.images.sample_writer import SampleWriter
from datamodules.batches import Samples
from datamodules.errors import InputError, refuse_several
from datamodules.protocols import Decodes, DrawsLatents, GeneratesVideo
from datamodules.seeding import derive_seed
from fulgurite.errors import readable_errors
from fulgurite.quiet import keep_quiet
from fulgurite.train import CommandLine
from fulgurite.wrapped_model import WrappedModel

AT_ONCE = 16
"""Samples that are drawn together."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run ``sample``; see :func:`fulgurite.cli.main`."""
    keep_quiet()
    with readable_errors():
        SampleCommand(None if argv is None else list(argv))


class Sampler(WrappedModel):
    """A trained model whose prediction of latent vectors is what it decodes of them.

    Args:
        model: The model; it decodes latent vectors.
        sampler: What to draw from; None leaves it to the model.

    Raises:
        InputError: If it does not, or has no such sampler.
    """

    def __init__(self, model: LightningModule, sampler: str | None = None) -> None:
        super().__init__(model)
        if not isinstance(model, Decodes):
            raise InputError(
                f"model: {type(model).__name__} draws no samples; MotorVAEGAN and CNNParamTanh do, as does every model "
                "with decode and latent_dim"
            )
        samplers = samplers_of(model)
        if sampler is not None and sampler not in samplers:
            raise InputError(f"--sampler {sampler}: {type(model).__name__} draws from {' | '.join(samplers)}")
        self.latent_dim, self.sampler = model.latent_dim, sampler

    def predict_step(self, noise: Tensor, batch_idx: int) -> Samples:
        """Turn standard normal noise ``(B, D)`` into latent vectors and decode them."""
        model: Any = self.model
        z = latents(model, noise, self.sampler)
        clips = model.generate_video(z) if isinstance(model, GeneratesVideo) else None
        return Samples(z, model.decode(z), clips)


class SamplingTrainer(Trainer):
    """Lightning's trainer, which can also sample."""

    def sample(
        self,
        model: LightningModule,
        datamodule: LightningDataModule | None = None,
        ckpt_path: str | None = None,
        count: int = 64,
        seed: int = 1,
        sampler: Literal["prior", "gaussian", "mixture"] | None = None,
        output: str | None = None,
        scale: int = 1,
    ) -> None:
        """Draw new pictures, each as a PNG, all of them on ``sheet.png``, and their ``latents.npy``.

        Of a model that makes videos also each one's clip, as MP4 and GIF. The n-th sample depends on the seed and
        n alone. Samples of an earlier call in the same folder are removed.

        Args:
            model: The model; it decodes latent vectors.
            datamodule: Not used: samples need no data.
            ckpt_path: best, last or the path of a checkpoint.
            count: Number of samples.
            seed: Seed of their latent vectors.
            sampler: What these are drawn from: the prior, or a gaussian or mixture that was fitted to those of the
                training pictures; that of the configuration when not given.
            output: Folder to write into; samples/seed-SEED in the run folder when not given.
            scale: The sheet also so many times as high and wide, by Lanczos' filter: sheet_x4_lanczos.png.

        Raises:
            InputError: If the model draws no samples, there is none to draw, or the folder holds numbered files that
                are no samples.
        """
        drawing = Sampler(model, sampler)
        if count < 1:
            raise InputError(f"--count {count}: give at least 1")
        refuse_several(self.world_size, "trainer.devices: sample works")
        folder = Path(output) if output else Path(self.default_root_dir) / "samples" / f"seed-{seed}"
        noise = noise_of(seed, count, drawing.latent_dim)
        self.callbacks.append(SampleWriter(folder, scale))  # type: ignore[attr-defined]  # set without a type
        loader: DataLoader[Tensor] = DataLoader(noise, batch_size=AT_ONCE)  # type: ignore[arg-type]  # by name: made anew
        self.predict(drawing, loader, return_predictions=False, ckpt_path=ckpt_path)


class SampleCommand(CommandLine):
    """The command line of ``sample``."""

    trainer_kind: ClassVar[type[Trainer]] = SamplingTrainer

    def subcommands(self) -> dict[str, set[str]]:  # type: ignore[override]  # as in CommandLine
        """Return the verb, with the arguments that are not options."""
        return {"sample": {"model", "datamodule"}}

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Build the trainer without the experiment's callbacks: they wait for data."""
        self.built("trainer")["callbacks"] = []
        return super().instantiate_trainer(**kwargs)


def samplers_of(model: object) -> Sequence[str]:
    """Return what the samples of a model can be drawn from."""
    return model.samplers if isinstance(model, DrawsLatents) else ("prior",)


def noise_of(seed: int, count: int, latent_dim: int) -> Tensor:
    """Return the noise of the first ``count`` samples of a seed, float32 ``(count, latent_dim)``."""
    numbered = (torch.Generator().manual_seed(derive_seed(seed, "sample", number)) for number in range(count))
    return torch.stack([torch.randn(latent_dim, generator=generator) for generator in numbered])

"""The verb sample: new pictures from a trained model, as a sheet and as single files.

lightning sample --config experiments/motor_vae_gan.yaml --ckpt_path best --count 64 --seed 1
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from torch import Tensor
from torch.utils.data import DataLoader

from callbacks.images.sheets import colour, grid, to_picture, write_clips
from callbacks.picture_file import write_png
from datamodules.atomic_file import atomic_file
from datamodules.errors import InputError
from datamodules.protocols import Decodes, GeneratesVideo
from datamodules.seeding import derive_seed
from fulgurite.errors import readable_errors
from fulgurite.quiet import keep_quiet
from fulgurite.train import CommandLine

_AT_ONCE = 16  # samples
_OWN = re.compile(r"\d{4,}\.(png|mp4|gif)|sheet\.png|latents\.npy")


def main(argv: Sequence[str] | None = None) -> None:
    """Run ``sample``; see :func:`fulgurite.cli.main`."""
    keep_quiet()
    with readable_errors():
        SampleCommand(None if argv is None else list(argv))


class SamplingTrainer(Trainer):
    """Lightning's trainer, which can also sample."""

    def sample(
        self,
        model: LightningModule,
        datamodule: LightningDataModule | None = None,
        ckpt_path: str | None = None,
        count: int = 64,
        seed: int = 1,
        output: str | None = None,
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
            output: Folder to write into; samples/seed-SEED in the run folder when not given.

        Raises:
            InputError: If the model draws no samples, there is none to draw, or the folder holds numbered files that
                are no samples.
        """
        if not isinstance(model, Decodes):
            raise InputError(f"model: {type(model).__name__} draws no samples; sample from a model that has a decoder")
        if count < 1:
            raise InputError(f"--count {count}: give at least 1")
        if self.world_size > 1:
            raise InputError(f"trainer.devices: sample works on one device, found {self.world_size}; give 1")
        folder = Path(output) if output else Path(self.default_root_dir) / "samples" / f"seed-{seed}"
        z = torch.stack([_latent(seed, number, model.latent_dim) for number in range(count)])
        drawn: list[Tensor] = []
        earlier = _earlier_samples(folder)

        def draw(part: Tensor, batch_idx: int) -> Tensor:
            if not drawn:  # the checkpoint is loaded: nothing but the disk stands between here and the samples
                for sample in earlier:
                    sample.unlink()
                with atomic_file(folder / "latents.npy") as file:
                    np.save(file, z.numpy())
            images = model.decode(part).float().cpu()
            clips = model.generate_video(part) if isinstance(model, GeneratesVideo) else [None] * len(part)
            for image, clip in zip(images, clips, strict=True):
                stem = folder / f"{len(drawn):04d}"
                write_png(stem.with_name(f"{stem.name}.png"), to_picture(image))
                if clip is not None:
                    write_clips(stem, clip[None])
                drawn.append(image)
            return images  # Lightning warns of a step without outputs

        # Lightning's own loop loads the checkpoint, puts averaged weights in place, and casts as configured
        model.predict_step = draw  # type: ignore[method-assign]
        loader: DataLoader[Tensor] = DataLoader(z, batch_size=_AT_ONCE)  # type: ignore[arg-type]  # by name: made anew
        self.predict(model, loader, return_predictions=False, ckpt_path=ckpt_path)
        write_png(folder / "sheet.png", grid({"sample": colour(torch.stack(drawn))}))
        print(f"Samples: {folder}", flush=True)


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


def _latent(seed: int, number: int, latent_dim: int) -> Tensor:
    return torch.randn(latent_dim, generator=torch.Generator().manual_seed(derive_seed(seed, "sample", number)))


def _earlier_samples(folder: Path) -> list[Path]:
    """Return the files of an earlier call; its latent vectors tell that they are samples."""
    found = [path for path in folder.glob("*") if _OWN.fullmatch(path.name)]
    if found and not (folder / "latents.npy").is_file():
        raise InputError(f"--output {folder}: holds {found[0].name}, which is no sample; name another folder")
    return found

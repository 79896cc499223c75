"""What a generative autoencoder is worth, at validation and at test: its reconstructions and its samples."""

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_warn
from rich.console import Console
from rich.table import Table
from torch import Tensor

from callbacks.gathering import gather_objects
from callbacks.images.feature_extractor import FeatureExtractor, find_extractors, make_extractor
from callbacks.images.picture_table import Pictures, PictureTable
from callbacks.images.sample_quality import Spread, frechet_distance, kernel_distance
from callbacks.results import about_run, write_record, write_rows
from datamodules.batches import Reconstructions
from datamodules.errors import InputError
from datamodules.protocols import Decodes
from datamodules.seeding import derive_seed

ACTIVE = 0.01
"""A latent dimension is active where its posterior's mean varies more than this (Burda et al. 2016)."""


class GenerationMetrics(Callback):
    """Judges the ``Reconstructions`` that a module's validation and test steps return, and samples it decodes.

    Logged as ``val/<name>`` or ``test/<name>``, each computed once over the pictures of all processes:

    - ``psnr`` (dB, of the squared error of all pixels of the split, as torchmetrics'), ``ssim``, both without noise:
      z is the posterior's mean; ``kl`` in nats, ``active_units``;
    - ``fid_<extractor>`` and ``kid_<extractor>`` between the split's pictures and as many samples, decoded from
      standard normal z that are the same at every validation, and others at the test;
    - ``sample_diversity``: distance of two samples divided by the distance of two pictures, root mean square over
      all pairs and pixels. A model that draws one picture has 0, the data themselves 1.

    FID grows the fewer the pictures; with fewer pictures than features it says little, and a warning says so.
    A test also writes ``scores.csv`` and ``results.json``, there with references that need no learning:
    ``psnr_mean_picture`` (the best of all constants), FID and KID of that mean picture repeated, and KID of one half of
    the pictures against the other (FID is biased by their number, and would not compare). What has no value is not
    logged; ``undefined`` says why. The sanity check is not judged.

    Args:
        features: extractors; ``random_conv`` needs no download, ``inception`` gives the numbers of the literature. None
            takes the first always and the second where its weights are there, or named, and says which. It needs the
            package torch-fidelity: ``pip install torch-fidelity``.
        inception_weights: file of Inception's weights; None looks in torch's folder of downloads.
        seed: of the samples.

    Attributes:
        undefined: reason by logged name of what had no value in the last validation.
    """

    def __init__(
        self,
        features: Sequence[Literal["random_conv", "inception"]] | None = None,
        inception_weights: str | None = None,
        seed: int = 0,
    ) -> None:
        if features is not None and not features:
            raise InputError("GenerationMetrics: features is empty; give random_conv, inception or both.")
        self.features, self.inception_weights, self.seed = features, inception_weights, seed
        self.undefined: dict[str, str] = {}
        self._extractors: list[FeatureExtractor] = []
        self._table, self._largest_batch = PictureTable(), 1
        self._began = 0.0
        self._said: set[str] = set()

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Make the extractors.

        Raises:
            InputError: if the weights of Inception are not there.
        """
        if not self._extractors and stage != "predict":
            names: Sequence[str] = self.features or find_extractors(self.inception_weights)
            self._extractors = [make_extractor(name, self.inception_weights) for name in names]

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start an empty table."""
        self._table, self._largest_batch = PictureTable(trainer.world_size), 1
        for extractor in self._extractors:
            extractor.to(pl_module.device)

    def on_test_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start an empty table; our own table of results takes the place of Lightning's."""
        self.on_validation_epoch_start(trainer, pl_module)
        self._began = time.monotonic()
        trainer.test_loop.verbose = False

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Take in the reconstructions of a batch."""
        if isinstance(outputs, Reconstructions) and not trainer.sanity_checking:
            self._table.add(outputs, self._features(outputs.images))
            self._largest_batch = max(self._largest_batch, len(outputs))

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Take in the reconstructions of a batch."""
        self.on_validation_batch_end(trainer, pl_module, outputs, batch, batch_idx, dataloader_idx)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log ``val/<metric>`` on every process."""
        pictures = self._table.gather()
        self._table = PictureTable()  # release the memory
        if pictures is not None:
            self._judge(trainer, pl_module, "val", pictures)

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log ``test/<metric>``, write the files and print the table."""
        pictures = self._table.gather()
        self._table = PictureTable()
        if pictures is None:
            raise RuntimeError(f"{type(pl_module).__name__}.test_step returned no Reconstructions: nothing to judge")
        metrics = self._judge(trainer, pl_module, "test", pictures)
        references = self._references(pictures, pl_module.device)
        if not trainer.is_global_zero:
            return
        folder = Path(trainer.default_root_dir)
        undefined = {name.removeprefix("test/"): reason for name, reason in self.undefined.items()}
        record = {
            **metrics,
            **references,
            "undefined": undefined,
            "counts": {"pictures": len(pictures), "samples": len(pictures), "latent_dim": pictures.mean.shape[1]},
            "kl_by_dimension": pictures.kl.mean(0).tolist(),
            **about_run(trainer, pl_module),
            "test_seconds": round(time.monotonic() - self._began, 3),
        }
        write_record(folder / "results.json", record)
        columns = zip(pictures.name, _decibels(pictures), pictures.ssim, pictures.kl.sum(1), strict=True)
        write_rows(
            folder / "scores.csv",
            ["name", "psnr", "ssim", "kl"],
            ([a, float(b), float(c), float(d)] for a, b, c, d in columns),
        )
        _print(len(pictures), metrics, references, undefined)

    def _features(self, images: Tensor) -> dict[str, Tensor]:
        with torch.no_grad():
            return {extractor.name: extractor(images) for extractor in self._extractors}

    def _judge(self, trainer: Trainer, pl_module: LightningModule, stage: str, pictures: Pictures) -> dict[str, float]:
        found = _reconstruction_metrics(pictures)
        samples, spread = self._samples(trainer, pl_module, stage, pictures)
        enough = len(pictures) > 1
        for extractor in self._extractors:
            real, fake = torch.from_numpy(pictures.features[extractor.name]), samples[extractor.name]
            found[f"fid_{extractor.name}"] = frechet_distance(real, fake) if enough else None
            found[f"kid_{extractor.name}"] = kernel_distance(real, fake) if enough else None
            if len(pictures) < extractor.num_features:
                self._warn(
                    f"fid_{extractor.name} has {extractor.num_features} features and the {stage} split only "
                    f"{len(pictures)} pictures: it is far too large, and compares with itself only. Trust kid_"
                    f"{extractor.name} instead, which is unbiased."
                )
        varied = enough and pictures.spread.variance > 0
        found["sample_diversity"] = spread.pairwise_distance / pictures.spread.pairwise_distance if varied else None
        metrics = {name: value for name, value in found.items() if value is not None}
        headline = f"fid_{self._extractors[0].name}"
        for name, value in metrics.items():
            pl_module.log(f"{stage}/{name}", value, prog_bar=name == headline, rank_zero_only=False)
        reasons = {"psnr": "every reconstruction is exact", "sample_diversity": "all pictures are the same"}
        few = "the split has a single picture"
        self.undefined = {
            f"{stage}/{name}": few if not enough and name != "psnr" else reasons[name]
            for name, value in found.items()
            if value is None
        }
        for name, reason in self.undefined.items():
            self._warn(f"{name} has no value: {reason}.")
        return metrics

    def _samples(
        self, trainer: Trainer, pl_module: LightningModule, stage: str, pictures: Pictures
    ) -> tuple[dict[str, Tensor], Spread]:
        """Decode as many samples as there are pictures, shared among the processes; return features and spread."""
        if not isinstance(pl_module, Decodes):
            raise TypeError(f"{type(pl_module).__name__} has no decode(z) or latent_dim; GenerationMetrics needs them")
        random = torch.Generator().manual_seed(derive_seed(self.seed, "samples", stage))
        z = torch.randn(len(pictures), pl_module.latent_dim, generator=random)
        own = range(trainer.global_rank, len(z), trainer.world_size)
        features: dict[str, list[Tensor]] = {extractor.name: [] for extractor in self._extractors}
        spread = Spread()
        with torch.no_grad():
            for part in z[own].split(self._largest_batch):
                images = pl_module.decode(part.to(pl_module.device)).float()
                spread.add(images)
                for name, values in self._features(images).items():
                    features[name].append(values.double().cpu())
        parts = gather_objects((list(own), features, spread))
        order = torch.tensor([row for rows, _, _ in parts for row in rows]).argsort()
        joined = {name: torch.cat([one for _, own, _ in parts for one in own[name]])[order] for name in features}
        for name, values in joined.items():
            if not values.isfinite().all():
                raise ValueError(f"a sample is not finite ({name}): the weights have diverged")
        return joined, sum((part for _, _, part in parts), start=Spread())

    def _references(self, pictures: Pictures, device: torch.device) -> dict[str, float]:
        """Return what is reached without learning; what needs more pictures than there are is left out."""
        found: dict[str, float] = {}
        if pictures.spread.variance > 0:
            found["psnr_mean_picture"] = -10 * math.log10(pictures.spread.variance)
        if len(pictures) > 1:
            found["pairwise_distance_pictures"] = pictures.spread.pairwise_distance
        mean = self._features(pictures.spread.mean[None].float().to(device))
        for name, values in pictures.features.items():
            real = torch.from_numpy(values)
            repeated = mean[name].double().cpu().expand(len(real), -1)
            if len(real) > 1:
                found[f"fid_{name}_mean_picture"] = frechet_distance(real, repeated)
                found[f"kid_{name}_mean_picture"] = kernel_distance(real, repeated)
            if len(real) > 3:
                found[f"kid_{name}_halves"] = kernel_distance(real[::2], real[1::2])
        return found

    def _warn(self, message: str) -> None:
        if message not in self._said:
            rank_zero_warn(message)
            self._said.add(message)


def _reconstruction_metrics(pictures: Pictures) -> dict[str, float | None]:
    error = float(pictures.squared_error.mean())
    active = float((pictures.mean.var(axis=0, ddof=1) > ACTIVE).sum()) if len(pictures) > 1 else None
    return {
        "psnr": -10 * math.log10(error) if error > 0 else None,
        "ssim": float(pictures.ssim.mean()),
        "kl": float(pictures.kl.sum(1).mean()),
        "active_units": active,
    }


def _decibels(pictures: Pictures) -> Any:
    with np.errstate(divide="ignore"):
        return -10 * np.log10(pictures.squared_error)


def _print(count: int, metrics: dict[str, float], references: dict[str, float], undefined: dict[str, str]) -> None:
    title = f"{count} pictures, {count} samples"
    table = Table("metric", "value", "without learning", title=title, title_justify="left")
    for name, value in metrics.items():
        beside = [
            f"{references[key]:.4f} ({word})"
            for key, word in ((f"{name}_mean_picture", "mean picture"), (f"{name}_halves", "half of the pictures"))
            if key in references
        ]
        table.add_row(name, f"{value:.4f}", ", ".join(beside))
    for name, reason in undefined.items():
        table.add_row(name, f"undefined ({reason})", style="dim")
    Console().print(table)

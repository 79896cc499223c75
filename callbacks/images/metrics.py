"""Metrics of a generative autoencoder, at validation and at test: of its reconstructions and of its samples."""

import math
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor

from callbacks.evaluation import Evaluation, EvaluationCallback, split_undefined
from callbacks.images.cases import ImageCases
from callbacks.images.drawn import decode
from callbacks.images.feature_extractor import FeatureExtractor, find_extractors, make_extractor
from callbacks.images.meanings import IMAGE_MEANINGS
from callbacks.images.sample_quality import Spread, frechet_distance, kernel_distance
from callbacks.images.table import Pictures, PictureTable
from datamodules.batches import Reconstructions
from datamodules.errors import InputError
from datamodules.gathering import gather_objects
from datamodules.protocols import Decodes, DrawsLatents
from datamodules.seeding import derive_seed

ACTIVE = 0.01
"""A latent dimension is active where its posterior's mean varies more than this (Burda et al. 2016)."""


class ImageMetrics(EvaluationCallback[PictureTable, Pictures | None]):
    """Judges the ``Reconstructions`` that a module's validation and test steps return, and samples it decodes.

    Logged as ``val/<name>`` or ``test/<name>``, each computed once over the pictures of all processes:

    - ``psnr`` (dB, of the squared error of all pixels of the split, as torchmetrics'), ``ssim``, both without noise:
      z is the posterior's mean; ``kl`` in nats, ``active_units``;
    - ``fid_<extractor>`` and ``kid_<extractor>`` between the split's pictures and as many samples, decoded from
      standard normal z that are the same at every validation, and others at the test;
    - ``sample_diversity``: distance of two samples divided by the distance of two pictures, root mean square over
      all pairs and pixels. A model that draws one picture has 0, the data themselves 1.

    FID grows the fewer the pictures; with fewer pictures than features it says little, and a warning says so.
    A test also writes ``scores.csv`` (a row per picture), the pictures reconstructed worst and best, ``cases/``, and
    ``results.json``, there with references that need no
    learning: ``psnr_mean_picture`` (the best of all constants), FID and KID of that mean picture repeated, and KID of
    one half of the pictures against the other (FID is biased by their number, and would not compare). What has no value
    is not logged; ``undefined`` says why. The sanity check is not judged.

    Args:
        features: extractors; ``random_conv`` needs no download, ``inception`` gives the numbers of the literature. None
            takes the first always and the second where its weights are there, or named, and says which. It needs the
            package torch-fidelity: ``pip install torch-fidelity``.
        inception_weights: file of Inception's weights; None looks in torch's folder of downloads.
        seed: of the samples.
        cases: draw the pictures that were reconstructed worst and best, at test.

    Attributes:
        undefined: reason by logged name of what had no value in the last validation.
    """

    judged, headline_mode = Reconstructions, "min"
    meanings = IMAGE_MEANINGS

    def __init__(
        self,
        features: Sequence[Literal["random_conv", "inception"]] | None = None,
        inception_weights: str | None = None,
        seed: int = 0,
        cases: bool = True,
    ) -> None:
        if features is not None and not features:
            raise InputError("ImageMetrics: features is empty; give random_conv, inception or both.")
        if inception_weights and features is not None and "inception" not in features:
            raise InputError(
                f"ImageMetrics: inception_weights is {inception_weights}, but changes nothing without inception "
                "among the features: add it, or leave the weights out."
            )
        super().__init__()
        self.features, self.inception_weights, self.seed, self.cases = features, inception_weights, seed, cases
        first = features[0] if features else "random_conv"
        self.headline = f"fid_{first}"
        self.matter = (f"fid_{first}", f"kid_{first}", "sample_diversity", "psnr", "ssim")
        self._extractors: list[FeatureExtractor] = []
        self._largest_batch = 1

    @cached_property
    def extractor_names(self) -> Sequence[str]:
        """Names of the extractors, the first of which gives the headline; searched once, since the search tells."""
        return self.features or find_extractors(self.inception_weights)

    def logged(self, model: Any) -> list[str]:
        """Return the names of what is logged at a validation."""
        found = [f"{kind}_{name}" for name in self.extractor_names for kind in ("fid", "kid")]
        return [f"val/{name}" for name in ("psnr", "ssim", "kl", "active_units", *found, "sample_diversity")]

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Make the extractors.

        Raises:
            InputError: if the weights of Inception are not there.
        """
        if not self._extractors and stage != "predict":
            self._extractors = [make_extractor(name, self.inception_weights) for name in self.extractor_names]

    def new_table(self, trainer: Trainer) -> PictureTable:
        """Return an empty table of pictures."""
        self._largest_batch = 1
        for extractor in self._extractors:
            extractor.to(trainer.lightning_module.device)
        return PictureTable(trainer.world_size)

    def collect(self, table: PictureTable, outputs: Any, batch: Any, trainer: Trainer) -> None:
        """Take in the reconstructions of a batch."""
        table.add(outputs, self._features(outputs.images))
        self._largest_batch = max(self._largest_batch, len(outputs))

    def gather(self, table: PictureTable) -> Pictures | None:
        """Return the pictures of all processes."""
        return table.gather()

    def evaluate(self, rows: Pictures | None, stage: str, trainer: Trainer, pl_module: LightningModule) -> Evaluation:
        """Compare reconstructions with pictures, and as many samples; nothing with nothing."""
        if rows is None:
            return Evaluation()
        found = _reconstruction_metrics(rows)
        samples, spread = self._samples(trainer, pl_module, stage, rows)
        enough = len(rows) > 1
        for extractor in self._extractors:
            real, fake = torch.from_numpy(rows.features[extractor.name]), samples[extractor.name]
            found[f"fid_{extractor.name}"] = frechet_distance(real, fake) if enough else None
            found[f"kid_{extractor.name}"] = kernel_distance(real, fake) if enough else None
            if len(rows) < extractor.num_features:
                self.warn_once(
                    f"fid_{extractor.name} has {extractor.num_features} features and the {stage} split only "
                    f"{len(rows)} pictures: it is far too large, and compares with itself only. Trust kid_"
                    f"{extractor.name} instead, which is unbiased."
                )
        varied = enough and rows.spread.variance > 0
        found["sample_diversity"] = spread.pairwise_distance / rows.spread.pairwise_distance if varied else None
        reasons = {"psnr": "every reconstruction is exact"}
        reasons |= {"sample_diversity": "all pictures are the same"} if enough else {}
        metrics, undefined = split_undefined(found, reasons, "the split has a single picture")
        references = {}
        if stage == "test":
            references = self._references(rows, pl_module.device) | self._other_samplers(trainer, pl_module, rows)
        return Evaluation(
            metrics=metrics,
            undefined=undefined,
            references=references,
            counts={"pictures": len(rows), "samples": len(rows), "latent_dim": rows.mean.shape[1]},
            groups={"dimension": {str(number): {"kl": kl} for number, kl in enumerate(rows.kl.mean(0).tolist())}},
        )

    def scores(self, rows: Pictures | None) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        """Return one row per picture: its name, PSNR in decibels, SSIM, KL divergence in nats."""
        assert rows is not None
        with np.errstate(divide="ignore"):
            decibels = -10 * np.log10(rows.squared_error)
        columns = (decibels.tolist(), rows.ssim.tolist(), rows.kl.sum(1).tolist())
        return ["name", "psnr", "ssim", "kl"], zip(rows.name, *columns, strict=True)

    def new_cases(self, trainer: Trainer) -> ImageCases | None:
        """Return what keeps the pictures reconstructed worst and best."""
        return ImageCases() if self.cases else None

    def _features(self, images: Tensor) -> dict[str, Tensor]:
        with torch.no_grad():
            return {extractor.name: extractor(images) for extractor in self._extractors}

    def _samples(
        self, trainer: Trainer, pl_module: LightningModule, stage: str, pictures: Pictures, sampler: str | None = None
    ) -> tuple[dict[str, Tensor], Spread]:
        """Decode as many samples as there are pictures, shared among the processes; return features and spread."""
        if not isinstance(pl_module, Decodes):
            raise TypeError(f"{type(pl_module).__name__} has no decode(z) or latent_dim; ImageMetrics needs them")
        random = torch.Generator().manual_seed(derive_seed(self.seed, "samples", stage))
        noise = torch.randn(len(pictures), pl_module.latent_dim, generator=random)
        own = range(trainer.global_rank, len(noise), trainer.world_size)
        features: dict[str, list[Tensor]] = {extractor.name: [] for extractor in self._extractors}
        spread = Spread()
        with torch.no_grad():
            for part in noise[own].split(self._largest_batch):
                images = decode(pl_module, part.to(pl_module.device), sampler).float()
                spread.add(images)
                for name, values in self._features(images).items():
                    features[name].append(values.cpu())
        parts = gather_objects((list(own), features, spread))
        order = torch.tensor([row for rows, _, _ in parts for row in rows]).argsort()
        joined = {name: torch.cat([one for _, own, _ in parts for one in own[name]])[order] for name in features}
        for name, values in joined.items():
            if not values.isfinite().all():
                raise ValueError(f"a sample is not finite ({name}): the weights have diverged")
        return joined, sum((part for _, _, part in parts), start=Spread())

    def _other_samplers(self, trainer: Trainer, pl_module: LightningModule, pictures: Pictures) -> dict[str, float]:
        """Return FID and KID of samples that are drawn from elsewhere than where the model draws them by itself."""
        if not isinstance(pl_module, DrawsLatents) or len(pictures) < 2:
            return {}
        found: dict[str, float] = {}
        for sampler in pl_module.samplers:
            if sampler != pl_module.sampler and pl_module.can_draw(sampler):
                samples, _ = self._samples(trainer, pl_module, "test", pictures, sampler)
                for name, fake in samples.items():
                    real = torch.from_numpy(pictures.features[name])
                    found[f"fid_{name}_from_{sampler}"] = frechet_distance(real, fake)
                    found[f"kid_{name}_from_{sampler}"] = kernel_distance(real, fake)
        return found

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
            repeated = mean[name].cpu().expand(len(real), -1)
            if len(real) > 1:
                found[f"fid_{name}_mean_picture"] = frechet_distance(real, repeated)
                found[f"kid_{name}_mean_picture"] = kernel_distance(real, repeated)
            if len(real) > 3:
                found[f"kid_{name}_halves"] = kernel_distance(real[::2], real[1::2])
        return found


def _reconstruction_metrics(pictures: Pictures) -> dict[str, float | None]:
    error = float(pictures.squared_error.mean())
    active = float((pictures.mean.var(axis=0, ddof=1) > ACTIVE).sum()) if len(pictures) > 1 else None
    return {
        "psnr": -10 * math.log10(error) if error > 0 else None,
        "ssim": float(pictures.ssim.mean()),
        "kl": float(pictures.kl.sum(1).mean()),
        "active_units": active,
    }

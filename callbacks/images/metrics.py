"""Metrics of a generative autoencoder, at validation and at test: of its reconstructions and of its samples."""

from collections.abc import Iterable, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor

from callbacks.evaluation import Evaluation, EvaluationCallback, split_undefined
from callbacks.images.cases import ImageCases
from callbacks.images.drawn import decode, draw_together, noise_of
from callbacks.images.evaluation import reconstruction_metrics, references, sample_metrics
from callbacks.images.feature_extractor import FeatureExtractor, find_extractors, make_extractor
from callbacks.images.meanings import IMAGE_MEANINGS
from callbacks.images.nearest import PIXELS, SHOWN, SampleNovelty, small
from callbacks.images.sample_quality import Spread
from callbacks.images.table import Pictures, PictureTable
from callbacks.picture_file import Picture
from datamodules.batches import Reconstructions
from datamodules.errors import InputError
from datamodules.png_file import write_png
from datamodules.protocols import DrawsLatents, HasTrainingPictures

NEAREST = "nearest"
"""Name of the plot that shows the nearest training picture beside each sample."""


class ImageMetrics(EvaluationCallback[PictureTable, Pictures | None]):
    """Judges the ``Reconstructions`` that a module's validation and test steps return, and samples it decodes.

    Logged as ``val/<name>`` or ``test/<name>``, each computed once over the pictures of all processes:

    - ``psnr`` (dB, of the squared error of all pixels of the split, as torchmetrics'), ``ssim``, both without noise:
      z is the posterior's mean; ``kl`` in nats, ``active_units``;
    - ``fid_<extractor>``, ``kid_<extractor>``, ``precision_<extractor>`` and ``recall_<extractor>`` between the split's
      pictures and as many samples, of noise that is the same at every validation, and other noise at the test;
    - ``sample_diversity``: distance of two samples divided by the distance of two pictures, root mean square over
      all pairs and pixels. A model that draws one picture has 0, the data themselves 1.

    FID grows the fewer the pictures; with fewer pictures than features it says little, and a warning says so.
    A test also writes ``scores.csv`` (a row per picture), the pictures reconstructed worst and best, ``cases/``, and
    ``results.json``, there with references that need no learning: ``psnr_mean_picture`` (the best of all constants),
    FID and KID of that mean picture repeated, and KID, precision and recall of one half of the pictures against the
    other (FID is biased by their number, and would not compare). Where the data module hands out what was learned from
    (:class:`HasTrainingPictures`), ``plots/nearest.png`` shows the training picture that lies nearest to a sample, and
    ``novelty`` says how near. What has no value is not logged; ``undefined`` says why. The sanity check is not judged.

    Args:
        features: extractors; ``random_conv`` needs no download, ``inception`` gives the numbers of the literature. None
            takes the first always and the second where its weights are there, or named, and says which.
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
        self.matter = (*(f"{kind}_{first}" for kind in ("fid", "kid", "precision", "recall")), "psnr")
        self._extractors: list[FeatureExtractor] = []
        self._largest_batch = 1
        self._nearest: Picture | None = None

    @cached_property
    def extractor_names(self) -> Sequence[str]:
        """Names of the extractors, the first of which gives the headline; searched once, since the search tells."""
        return self.features or find_extractors(self.inception_weights)

    def logged(self, model: Any) -> list[str]:
        """Return the names of what is logged at a validation."""
        kinds = ("fid", "kid", "precision", "recall")
        found = [f"{kind}_{name}" for name in self.extractor_names for kind in kinds]
        return [f"val/{name}" for name in ("psnr", "ssim", "kl", "active_units", *found, "sample_diversity")]

    def media_names(self, model: Any) -> list[str]:
        """Return the names of the pictures and tables of a test."""
        return [*super().media_names(model), f"test/{NEAREST}"]

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
        table.add(outputs, self._features(outputs.images, "test" if trainer.testing else "val"))
        self._largest_batch = max(self._largest_batch, len(outputs))

    def gather(self, table: PictureTable) -> Pictures | None:
        """Return the pictures of all processes."""
        return table.gather()

    def evaluate(self, rows: Pictures | None, stage: str, trainer: Trainer, pl_module: LightningModule) -> Evaluation:
        """Compare reconstructions with pictures, and as many samples; nothing with nothing."""
        if rows is None:
            return Evaluation()
        found = reconstruction_metrics(rows)
        samples, spread = self._samples(trainer, pl_module, stage, rows)
        enough = len(rows) > 1
        found |= sample_metrics(self._extracted(rows), samples)
        for extractor in self._extractors:
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
        reasons |= dict.fromkeys(("precision", "recall"), "the split has fewer than four pictures")
        beside: dict[str, float] = {}
        if stage == "test":
            mean = rows.spread.mean[None].float().to(pl_module.device)
            beside = references(rows, self._features(mean)) | self._other_samplers(trainer, pl_module, rows)
            found |= self._novelty(trainer, pl_module, rows, samples)
            reasons["novelty"] = "the training pictures are among those of the test"
        metrics, undefined = split_undefined(found, reasons, "the split has a single picture")
        return Evaluation(
            metrics=metrics,
            undefined=undefined,
            references=beside,
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

    def draw(self, folder: Path, rows: Pictures | None, evaluation: Evaluation) -> list[Path]:
        """Write ``nearest.png``, where there were training pictures to compare with."""
        if self._nearest is None:
            return []
        folder.mkdir(parents=True, exist_ok=True)
        write_png(folder / f"{NEAREST}.png", self._nearest)
        return [folder / f"{NEAREST}.png"]

    def new_cases(self, trainer: Trainer) -> ImageCases | None:
        """Return what keeps the pictures reconstructed worst and best."""
        return ImageCases() if self.cases else None

    def _features(self, images: Tensor, stage: str = "val") -> dict[str, Tensor]:
        """Return features by extractor; of a test also the pixels that novelty goes by."""
        with torch.no_grad():
            found = {extractor.name: extractor(images) for extractor in self._extractors}
        return found | ({PIXELS: small(images)} if stage == "test" else {})

    def _extracted(self, pictures: Pictures) -> dict[str, Tensor]:
        return {one.name: torch.from_numpy(pictures.features[one.name]) for one in self._extractors}

    def _samples(
        self, trainer: Trainer, pl_module: LightningModule, stage: str, pictures: Pictures, sampler: str | None = None
    ) -> tuple[dict[str, Tensor], Spread]:
        """Return features and spread of as many samples as there are pictures."""
        noise = noise_of(pl_module, len(pictures), self.seed, stage)
        look = partial(self._features, stage=stage)
        return draw_together(trainer, pl_module, noise, self._largest_batch, look, sampler)

    def _other_samplers(self, trainer: Trainer, pl_module: LightningModule, pictures: Pictures) -> dict[str, float]:
        """Return what samples are worth that are drawn from elsewhere than where the model draws them by itself."""
        if not isinstance(pl_module, DrawsLatents) or len(pictures) < 2:
            return {}
        found: dict[str, float] = {}
        for sampler in pl_module.samplers:
            if sampler != pl_module.sampler and pl_module.can_draw(sampler):
                samples, _ = self._samples(trainer, pl_module, "test", pictures, sampler)
                judged = sample_metrics(self._extracted(pictures), samples)
                found |= {f"{name}_from_{sampler}": value for name, value in judged.items() if value is not None}
        return found

    def _novelty(
        self, trainer: Trainer, pl_module: LightningModule, pictures: Pictures, samples: dict[str, Tensor]
    ) -> dict[str, float | None]:
        """Compare samples with what was learned from, where the data module hands it out; keep the sheet."""
        self._nearest = None
        data: Any = trainer.datamodule  # type: ignore[attr-defined]  # set without a type
        if not isinstance(data, HasTrainingPictures):
            return {}
        noise = noise_of(pl_module, len(pictures), self.seed, "test")[:SHOWN].to(pl_module.device)
        with torch.no_grad():
            first = decode(pl_module, noise).float()
        compared = SampleNovelty(samples[PIXELS], torch.from_numpy(pictures.features[PIXELS]), first)
        compared.compare(data.training_pictures(), trainer.global_rank, trainer.world_size)
        self._nearest = compared.sheet()
        return {} if self._nearest is None else {"novelty": compared.novelty}

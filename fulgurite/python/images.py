"""A loaded model on pictures: their latent vectors and their reconstructions, as ``predict`` has them."""

from collections.abc import Iterator

import numpy as np
import torch

from callbacks.images.predictions import decibels
from datamodules import ImageFolderDataModule
from datamodules.batches import ImageBatch, Reconstructions
from datamodules.errors import InputError
from datamodules.protocols import Encodes
from fulgurite.python.answers import Embeddings, ReconstructedPictures
from fulgurite.python.inputs import Given, is_path, path_of, pictures_of
from fulgurite.python.rooms import Room, check_answer
from fulgurite.python.runner import Runner

_NONE = "no picture is given; give at least one"


class ImageRoom(Room):
    """Embeds and reconstructs pictures.

    Args:
        runner: The model; it answers pictures with their reconstructions.
        data: Of its training.
    """

    def __init__(self, runner: Runner, data: ImageFolderDataModule) -> None:
        super().__init__(runner)
        self._data = data

    def offered(self) -> list[str]:
        """Return what this model answers."""
        return [*(["embed"] if isinstance(self.runner.module, Encodes) else []), "reconstruct"]

    def embed(self, given: Given) -> Embeddings:
        """Return the latent vectors of the pictures that are given."""
        names: list[str] = []
        vectors = []
        for batch in self._batches(given):
            names += batch.name
            vectors.append(self.runner.call("encode", batch.images).float().cpu())
        if not names:
            raise InputError(_NONE)
        return Embeddings(tuple(names), torch.cat(vectors).numpy())

    def reconstruct(self, given: Given, fps: float | None) -> ReconstructedPictures:
        """Return the pictures that are given beside what the model makes of them."""
        if fps is not None:
            raise InputError(f"fps: is {fps:g}, and pictures have no rate; leave it out")
        answers: list[Reconstructions] = []
        for _, answer in self.runner.answers(self._batches(given)):
            check_answer(self.runner.module, answer, Reconstructions)
            answers.append(answer.to("cpu"))
        if not answers:
            raise InputError(_NONE)
        seen, made = (torch.cat([getattr(one, key).float() for one in answers]) for key in ("images", "reconstructed"))
        return ReconstructedPictures(
            name=tuple(name for one in answers for name in one.name),
            picture=np.ascontiguousarray(seen.permute(0, 2, 3, 1).numpy()),
            reconstructed=np.ascontiguousarray(made.permute(0, 2, 3, 1).numpy()),
            psnr=decibels(seen, made).numpy(),
            vector=torch.cat([one.mean.float() for one in answers]).numpy(),
            kl=torch.cat([one.kl.double().sum(1) for one in answers]).numpy(),
        )

    def _batches(self, given: Given) -> Iterator[ImageBatch]:
        if is_path(given):
            data = self._data.for_source(str(path_of(given)))
            data.setup("predict")
            yield from data.predict_dataloader()
        else:
            yield from self._data.batches_of(pictures_of(given))

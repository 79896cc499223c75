"""Every private name of torch, torchaudio and Lightning's trainer that this project must use, each with the reason.

An upgrade may move them without a word; ``tests/datamodules/test_private_api.py`` then fails. Those of Lightning's
command line are in ``fulgurite/private_api.py``. It lies on the lowest floor since models and callbacks need it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.strategies import DDPStrategy
from torch import Tensor


def writes_log(trainer: Trainer) -> bool:
    """Return whether Lightning writes the logged values of this batch: it says so nowhere else.

    Its rule (``log_every_n_steps``, counted per epoch loop, and the last batch before a stop) written out here would
    drift from it.
    """
    return bool(trainer._logger_connector.should_update_logs)


def log_over(trainer: Trainer, count: Callable[[], int]) -> None:
    """Let every logger lay what is logged at ``count()``, unless whoever logs it names a place himself.

    Lightning's own count is one batch behind the weights at a validation, and 0 at a test of trained weights. It has no
    public place to set another one, but for a metric called ``step``, which would take the epoch out of the row.
    """
    connector = trainer._logger_connector
    if "log_metrics" in vars(connector):  # a second verb of the same trainer
        return
    log_metrics, loop = connector.log_metrics, trainer.fit_loop.epoch_loop

    def log_at_count(metrics: Any, step: int | None = None) -> None:
        kept, loop._batches_that_stepped = loop._batches_that_stepped, count()
        try:
            log_metrics(metrics, step)
        finally:
            loop._batches_that_stepped = kept

    connector.log_metrics = log_at_count  # type: ignore[method-assign]


@contextmanager
def as_before_this_batch(trainer: Trainer) -> Iterator[None]:
    """Let a checkpoint that is written where a batch begins be one of the time before it.

    Lightning has counted the batch as ready then, and as the last of its epoch if it is that; a resumed run would count
    it once more, write its rows of losses at other batches, or leave it out.
    """
    progress = trainer.fit_loop.epoch_loop.batch_progress
    is_last, progress.is_last_batch = progress.is_last_batch, False
    for counted in (progress.total, progress.current):
        counted.ready -= 1
    try:
        yield
    finally:
        progress.is_last_batch = is_last
        for counted in (progress.total, progress.current):
            counted.ready += 1


def ddp_options(strategy: DDPStrategy) -> Mapping[str, Any]:
    """Return what ``DistributedDataParallel`` will be given: it is built too late for a check before the training."""
    return strategy._ddp_kwargs


def lerp_all_(averages: Sequence[Tensor], values: Sequence[Tensor], weight: float) -> None:
    """Move every tensor of ``averages`` towards its value by the share ``weight``, in place, in one kernel.

    torch's own optimizers do the same; the public ``lerp_`` takes a kernel for each of some hundred tensors.
    """
    torch._foreach_lerp_(list(averages), list(values), weight)


def rebuilt_as_its_class() -> Mapping[str, Any]:
    """Return what keeps ``load_from_checkpoint`` from building a model by a name that stands in the checkpoint."""
    return {"_instantiator": None}


def weights_file(bundle: Any) -> str:
    """Return the path on the server from which a bundle of torchaudio loads its weights.

    It tells the name of the file on the disk: ``get_model`` downloads what is missing, and a training must not.
    """
    return str(bundle._path)


def encoder_width(bundle: Any) -> int:
    """Return the number of features of an encoder of torchaudio, without building it."""
    return int(bundle._params["encoder_embed_dim"])

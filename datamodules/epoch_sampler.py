"""The order of training: a function of the seed and the epoch, which a resumed run enters where it was left."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from lightning.pytorch import Trainer
from torch.utils.data import DistributedSampler, SequentialSampler

from datamodules.seeding import derive_seed


def position(trainer: Trainer) -> tuple[int, int]:
    """Return the epoch, and the number of its batches already trained on, at which training begins or goes on.

    Lightning starts to read, with worker processes also ahead, before it tells a sampler the epoch. It restores both
    counts from a checkpoint before it asks for the data itself, but others may ask for them earlier.
    """
    loop: Any = trainer.fit_loop  # whose counters are typed as ones that count less
    epochs, batches = loop.epoch_progress.current, loop.epoch_loop.batch_progress
    if epochs.started == epochs.processed:  # between two epochs
        return epochs.processed, 0
    if batches.is_last_batch:  # after the last batch, before the end of the epoch was told
        return epochs.processed + 1, 0
    return epochs.processed, batches.current.processed


class EpochSampler(DistributedSampler[tuple[int, int]]):
    """Shuffles anew each epoch and hands out ``(epoch, index)``, so that worker processes know the epoch.

    The order is a function of the seed and the epoch, whatever the number of processes: it is dealt out in
    turn, so that their batches together are one larger batch of the same order. Lightning calls ``set_epoch``
    before every epoch and leaves a ``DistributedSampler`` as it is; one of its own would shuffle once more.

    Args:
        length: number of items.
        seed: of the run.
        num_replicas: number of processes that train together.
        rank: number of this process among them.
        begin: epoch to begin with, and how many of its items this process has already had. The length stays that of
            a whole epoch, as Lightning counts on from the batch at which it was.
    """

    def __init__(
        self, length: int, seed: int, num_replicas: int = 1, rank: int = 0, begin: tuple[int, int] = (0, 0)
    ) -> None:
        super().__init__(range(length), num_replicas, rank, seed=seed, drop_last=True)  # type: ignore[arg-type]
        self.epoch, self._had = begin

    def set_epoch(self, epoch: int) -> None:
        """Begin an epoch; another one than the first is handed out as a whole."""
        if epoch != self.epoch:
            self._had = 0
        super().set_epoch(epoch)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        epoch = self._epoch_shown()
        random = np.random.default_rng(derive_seed(self.seed, "order", epoch))
        order = random.permutation(len(self.dataset))[: self.total_size]  # type: ignore[arg-type]
        return ((epoch, int(index)) for index in order[self.rank :: self.num_replicas][self._had :])

    def _epoch_shown(self) -> int:
        return self.epoch


class FixedOrder(EpochSampler, SequentialSampler):  # type: ignore[misc]  # keys are (epoch, index) here too
    """The order of the first epoch, and its random changes, in every epoch: for ``overfit_batches``.

    Lightning puts a sampler of its own in the place of every other one that is not sequential, and with several
    processes also of one that is not distributed.
    """

    def _epoch_shown(self) -> int:
        return 0

"""The order of training: a function of the seed and the epoch."""

from collections.abc import Iterator

import numpy as np
from torch.utils.data import DistributedSampler, SequentialSampler

from datamodules.seeding import derive_seed


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
    """

    def __init__(self, length: int, seed: int, num_replicas: int = 1, rank: int = 0) -> None:
        super().__init__(range(length), num_replicas, rank, seed=seed, drop_last=True)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[tuple[int, int]]:
        random = np.random.default_rng(derive_seed(self.seed, "order", self.epoch))
        order = random.permutation(len(self.dataset))[: self.total_size]  # type: ignore[arg-type]
        return ((self.epoch, int(index)) for index in order[self.rank :: self.num_replicas])


class FixedOrder(EpochSampler, SequentialSampler):  # type: ignore[misc]  # keys are (epoch, index) here too
    """The order of the first epoch, and its random changes, in every epoch: for ``overfit_batches``.

    Lightning puts a sampler of its own in the place of every other one that is not sequential, and with several
    processes also of one that is not distributed.
    """

    def set_epoch(self, epoch: int) -> None:
        """Do nothing: every epoch is the first."""

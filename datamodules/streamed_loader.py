"""Batches of a stream, as ``predict`` reads recordings of any length."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Generic, TypeVar

ItemT = TypeVar("ItemT")


class StreamedLoader(Generic[ItemT]):
    """Yields the items of a stream in their order, batch by batch, in this process.

    A ``DataLoader`` would do the same with an ``IterableDataset``; but Lightning warns of its length, which could be
    wrong if several workers read it.

    Args:
        dataset: the stream; a length is of use to a progress bar.
        batch_size: items per batch; the last one may have fewer.
        collate: makes a batch of them.
    """

    def __init__(self, dataset: Iterable[ItemT], batch_size: int, collate: Callable[[Sequence[ItemT]], Any]) -> None:
        self.dataset, self.batch_size = dataset, batch_size
        self._collate = collate

    def __iter__(self) -> Iterator[Any]:
        stream = iter(self.dataset)
        while items := [*islice(stream, self.batch_size)]:
            yield self._collate(items)

    def __len__(self) -> int:
        """Return the number of batches; raises ``TypeError`` where the stream has no length."""
        return -(-len(self.dataset) // self.batch_size)  # type: ignore[arg-type]

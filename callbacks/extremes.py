"""The items of the largest values among many that pass by, of which few are held at a time."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from datamodules.gathering import gather_objects

ItemT = TypeVar("ItemT")


@dataclass(frozen=True, slots=True)
class Kept(Generic[ItemT]):
    """An item that was kept.

    Attributes:
        value: by which it was.
        group: of which it is the only one.
        key: who it is; of equal values the smallest key stays, whatever the order they came in.
        item: what is kept of it.
    """

    value: float
    group: Hashable
    key: Any
    item: ItemT


class Extremes(Generic[ItemT]):
    """Keeps the items of the largest values, one of each group and ``length`` at most.

    An item is made when it is kept, so that what passes by costs a comparison, and what is held does not grow with the
    number that was offered. A group that was dropped and comes back with a larger value is taken again: what stays is
    what one would find who had them all.

    Args:
        length: how many are kept, at least 1.
    """

    def __init__(self, length: int) -> None:
        self._length = length
        self._kept: dict[Hashable, Kept[ItemT]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def offer(self, value: float, group: Hashable, key: Any, make: Callable[[], ItemT]) -> None:
        """Keep what ``make`` returns if its value is among the largest."""
        rival = self._kept.get(group)
        if rival is None and len(self._kept) == self._length:
            rival = max(self._kept.values(), key=_order)
        if rival is not None and (-value, key) >= _order(rival):
            return
        if rival is not None:
            del self._kept[rival.group]
        self._kept[group] = Kept(value, group, key, make())

    def gather(self) -> list[Kept[ItemT]]:
        """Return what stays of all processes together, the largest value first; all of them must call it."""
        whole: Extremes[ItemT] = Extremes(self._length)
        for part in gather_objects(list(self._kept.values())):
            for one in part:
                whole.offer(one.value, one.group, one.key, lambda item=one.item: item)  # type: ignore[misc]
        return sorted(whole._kept.values(), key=_order)


def _order(kept: Kept[Any]) -> tuple[float, Any]:
    return -kept.value, kept.key

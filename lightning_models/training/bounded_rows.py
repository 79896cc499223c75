"""Rows that a calibration is fitted to: all of them, or an even sample where all would not fit in memory.

The sample is a function of the rows' numbers alone, whatever the seed, the order they come in and the number of
processes that share them: two trainings on the same data are calibrated on the same samples. Groups take turns, so that
a rare one is kept whole as long as it is no larger than its share.
"""

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

import torch
from lightning.fabric.utilities.apply_func import move_data_to_device
from torch import Tensor

from datamodules.gathering import gather_objects
from datamodules.seeding import derive_seed
from lightning_models.training.arena import Arena

MOST_BYTES = 512 * 2**20
"""Memory of the rows that are kept; fitting takes up to three times as much for a moment."""

LEAST_ROWS = 2
"""How many are kept however large they are: of a single one nothing can be fitted."""

TENSOR_BYTES = 512
"""What a tensor takes beside its numbers."""

Row = TypeVar("Row")


class Used(NamedTuple):
    """How many samples a fit has used, and of how many."""

    used: int
    of: int


class BoundedRows(Generic[Row]):
    """Rows by the number of their sample; what comes twice counts once.

    Rows are tensors, or tuples that hold some. As many are kept as of the largest fit in ``most_bytes``: those whose
    numbers have the smallest hash within their group, the first of every group before the second of any.

    Args:
        group_of: name of the group of a row; all rows are of one group where nothing is given.
        most_bytes: memory to keep to.
    """

    def __init__(self, group_of: Callable[[Row], str] | None = None, most_bytes: int = MOST_BYTES) -> None:
        self._group_of: Callable[[Row], str] = group_of or (lambda _: "")
        self._most_bytes = most_bytes
        self.clear()

    def __len__(self) -> int:
        return len(self._rows)

    def clear(self) -> None:
        """Forget everything."""
        self._rows: dict[int, Row] = {}
        self._arena = Arena()
        self._heaps: dict[str, list[tuple[int, int]]] = {}  # of each group, the largest hash first
        self._limits: dict[str, tuple[int, int]] = {}  # of each group, the smallest that was dropped
        self._largest = 1
        self._seen = bytearray()  # a bit for every number

    def add(self, rows: Mapping[int, Row]) -> None:
        """Take in rows by their numbers, at least 0; those that are kept hold no memory of the batch they come from."""
        for number, row in rows.items():
            self._see(number)
            group, key = self._group_of(row), _key(number)
            self._largest = max(self._largest, _bytes_of(row))
            if group in self._limits and key <= self._limits[group]:
                continue
            if number in self._rows:
                self._give_back(number)
            else:
                heapq.heappush(self._heaps.setdefault(group, []), key)
            self._rows[number] = _copied(row, self._arena.keep)
        while len(self._rows) > most_rows(self._most_bytes, self._largest):
            self._drop()

    def take(self, device: torch.device) -> tuple[list[Row], Used]:
        """Return the rows of all processes by rising number, the same on each, and forget them; all must call it."""
        own = {number: self._group_of(row) for number, row in self._rows.items()}
        tables = gather_objects((own, self._largest, self._seen))
        groups = {number: group for table, _, _ in tables for number, group in table.items()}
        kept = chosen(groups, most_rows(self._most_bytes, max(largest for _, largest, _ in tables)))
        rows: dict[int, Row] = {number: self._rows[number] for number in kept if number in self._rows}
        seen = 0
        for _, _, bits in tables:
            seen |= int.from_bytes(bits, "little")
        self.clear()
        if len(tables) > 1:
            # a part of a block would be sent with all of its block
            own_rows = {number: _copied(row, lambda part: part.cpu().clone()) for number, row in rows.items()}
            parts = gather_objects(own_rows)
            rows = {number: row for part in parts for number, row in part.items()}
        found = [move_data_to_device(rows[number], device) for number in sorted(rows)]
        return found, Used(len(found), seen.bit_count())

    def _see(self, number: int) -> None:
        place, bit = divmod(number, 8)
        if place >= len(self._seen):
            self._seen.extend(bytes(place + 1 - len(self._seen) + len(self._seen) // 8))
        self._seen[place] |= 1 << bit

    def _drop(self) -> None:
        # the last in the order of `chosen`: of the largest groups the largest hash
        group = max(self._heaps, key=lambda name: (len(self._heaps[name]), *_falling(self._heaps[name])))
        self._limits[group] = heapq.heappop(self._heaps[group])
        number = self._limits[group][1]
        self._give_back(number)
        del self._rows[number]

    def _give_back(self, number: int) -> None:
        for tensor in _tensors(self._rows[number]):
            self._arena.give_back(tensor)


def most_rows(most_bytes: int, largest: int) -> int:
    """Return how many rows may be kept if the largest takes so many bytes."""
    return max(most_bytes // largest, LEAST_ROWS)


def chosen(groups: Mapping[int, str], most: int) -> set[int]:
    """Return which numbers are kept, ``most`` at most: of each group the first by their hash, the groups in turns.

    Args:
        groups: name of the group by number.
        most: at least 1.
    """
    if len(groups) <= most:
        return set(groups)
    members: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for number, group in groups.items():
        members[group].append(_key(number))
    turns = ((turn, -place, number) for own in members.values() for turn, (place, number) in _turns(own))
    return {number for _, _, number in heapq.nsmallest(most, turns)}


def _turns(keys: Iterable[tuple[int, int]]) -> Iterator[tuple[int, tuple[int, int]]]:
    return enumerate(sorted(keys, reverse=True))


def _key(number: int) -> tuple[int, int]:
    """Return what orders rows: the largest first, since heaps have their smallest on top."""
    return -derive_seed("calibration", number), number


def _falling(heap: list[tuple[int, int]]) -> tuple[int, int]:
    place, number = heap[0]
    return -place, number


def _tensors(row: Any) -> Iterator[Tensor]:
    if isinstance(row, Tensor):
        yield row
    elif isinstance(row, tuple):
        for part in row:
            yield from _tensors(part)


def _bytes_of(row: object) -> int:
    return sum(TENSOR_BYTES + tensor.nbytes for tensor in _tensors(row)) or TENSOR_BYTES


def _copied(row: Any, copy: Callable[[Tensor], Tensor]) -> Any:
    """Return a row with copies of its tensors."""
    if isinstance(row, Tensor):
        return copy(row)
    if isinstance(row, tuple):
        parts = [_copied(part, copy) for part in row]
        return row._make(parts) if hasattr(row, "_make") else tuple(parts)
    return row

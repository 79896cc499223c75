"""Memory for many small tensors that stay while large ones come and go.

Allocated one by one between the large ones, they would settle in the gaps that those leave, so that the next large one
finds none and the process grows by it: by eight times what is kept, as was measured.
"""

from collections import defaultdict

import torch
from torch import Tensor

SMALLEST, LARGEST = 2**20, 32 * 2**20
"""Bytes of the first block, and of all later ones; each is twice as large as the one before it."""

ALIGNED = 64


class Arena:
    """Hands out copies of tensors that lie in few large blocks."""

    def __init__(self) -> None:
        self._block = torch.empty(0, dtype=torch.uint8)
        self._used = 0
        self._size = SMALLEST
        self._free: defaultdict[tuple[int, torch.device], list[Tensor]] = defaultdict(list)

    def keep(self, tensor: Tensor) -> Tensor:
        """Return a copy of a tensor; give it back when it is no longer needed."""
        size = -(-tensor.nbytes // ALIGNED) * ALIGNED
        free = self._free[size, tensor.device]
        place = free.pop() if free else self._new(size, tensor.device)
        copy = place[: tensor.nbytes].view(tensor.dtype).view(tensor.shape)
        return copy.copy_(tensor)

    def give_back(self, copy: Tensor) -> None:
        """Let the memory of a copy that was handed out be used again."""
        size = -(-copy.nbytes // ALIGNED) * ALIGNED
        start = copy.storage_offset() * copy.element_size()
        whole = torch.empty(0, dtype=torch.uint8, device=copy.device).set_(copy.untyped_storage())
        self._free[size, copy.device].append(whole[start : start + size])

    def _new(self, size: int, device: torch.device) -> Tensor:
        if self._block.device != device or self._used + size > len(self._block):
            self._block = torch.empty(max(self._size, size), dtype=torch.uint8, device=device)
            self._used, self._size = 0, min(2 * self._size, LARGEST)
        place = self._block[self._used : self._used + size]
        self._used += size
        return place

"""Objects of all processes, gathered."""

from typing import TypeVar

import torch.distributed as dist

T = TypeVar("T")


def gather_objects(own: T) -> list[T]:
    """Return what every process has, by rank; all of them must call it."""
    if not (dist.is_available() and dist.is_initialized()):
        return [own]
    parts: list[T] = [own] * dist.get_world_size()
    dist.all_gather_object(parts, own)
    return parts

"""What a loss needs of the whole batch where several processes share it, each with every n-th sample of it.

DDP averages the gradients of the processes. That of a plain mean over the samples is then the mean over all of them;
that of anything else, such as a mean over what counts, is not, unless it is computed from what all of them have. All
processes must call these functions together; of a single one they return what it gave.
"""

import torch
import torch.distributed as dist
from torch import Tensor


def mean_over_processes(value: Tensor) -> Tensor:
    """Return the mean of a tensor over all processes; no gradient passes."""
    value = value.detach()
    if not _are_several():
        return value
    dist.all_reduce(total := value.clone())
    return total / dist.get_world_size()


def mean_where(values: Tensor, counted: Tensor) -> Tensor:
    """Return the mean of ``values``, weighted by ``counted``, so that its mean over the processes is that over all.

    Args:
        values: of any shape.
        counted: weights of the same shape, at least 0, or bool. Where all are 0 in all processes the mean is 0.
    """
    whole = mean_over_processes(counted.sum().to(values.dtype))
    return torch.where(counted != 0, values * counted, 0).sum() / whole.clamp(min=torch.finfo(values.dtype).tiny)


def sample_before(samples: Tensor) -> Tensor:
    """Return for each of ``samples`` ``(B, ...)`` the one before it in the batch of all processes; no gradient passes.

    The first one's is the last one.
    """
    samples = samples.detach()
    if not _are_several():
        return samples.roll(1, 0)
    processes, own = dist.get_world_size(), dist.get_rank()
    shares = [torch.empty_like(samples, memory_format=torch.contiguous_format) for _ in range(processes)]
    dist.all_gather(shares, samples.contiguous())
    return shares[own - 1].roll(1, 0) if own == 0 else shares[own - 1]


def joined(samples: Tensor) -> Tensor:
    """Return ``samples`` ``(B, ...)`` of all processes behind each other, the same on each; no gradient passes."""
    samples = samples.detach()
    if not _are_several():
        return samples
    shares = [torch.empty_like(samples) for _ in range(dist.get_world_size())]
    dist.all_gather(shares, samples.contiguous())
    return torch.cat(shares)


def _are_several() -> bool:
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1

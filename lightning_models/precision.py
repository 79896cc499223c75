"""Half precision where it is enough, float32 where a sum or a small difference would be lost."""

import torch
from torch import Tensor


def at_least_float32(tensor: Tensor) -> Tensor:
    """Bring half precision, as autocast leaves it, to float32; float32 and float64 stay."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))

"""Only half precision is widened."""

import pytest
import torch

from lightning_models.precision import at_least_float32


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_only_half_precision_is_widened(dtype):
    found = at_least_float32(torch.ones(2, dtype=dtype))
    assert found.dtype == (dtype if dtype == torch.float64 else torch.float32)

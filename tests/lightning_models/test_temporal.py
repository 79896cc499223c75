"""The error of a clip's change against differences taken one by one."""

import pytest
import torch

from lightning_models.temporal import change_error


@pytest.mark.parametrize("order", [1, 2])
def test_differences_of_both_clips_are_compared(order):
    fake, real = torch.randn(2, 2, 5, 3, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    changes = []
    for clip in (fake, real):
        for _ in range(order):
            clip = clip[:, 1:] - clip[:, :-1]
        changes.append(clip)
    torch.testing.assert_close(change_error(fake, real, order), (changes[0] - changes[1]).abs())


def test_half_precision_is_compared_in_float32():
    assert change_error(torch.zeros(1, 2, 1, dtype=torch.float16), torch.ones(1, 2, 1)).dtype == torch.float32


def test_a_lone_frame_has_no_change():
    assert change_error(torch.zeros(1, 1, 3), torch.ones(1, 1, 3)).shape == (1, 0, 3)

"""Warm-up and cosine against their closed form."""

import math

import pytest
import torch

from datamodules.errors import InputError
from lightning_models.training.learning_rate import WarmUpCosine


def rates(steps, rate=0.2, **arguments):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], rate)
    scheduler = WarmUpCosine(optimizer, **arguments)
    seen = []
    for _ in range(steps):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return seen


def test_a_line_up_and_half_a_cosine_down():
    seen = rates(14, total=12, warm_up=4, lowest=0.1)
    assert seen[:5] == pytest.approx([0.04, 0.08, 0.12, 0.16, 0.2])
    assert seen[8] == pytest.approx(0.2 * (0.1 + 0.9 * 0.5))
    assert seen[6] == pytest.approx(0.2 * (0.1 + 0.9 * (1 + math.cos(math.pi / 4)) / 2))
    assert seen[12:] == pytest.approx([0.02, 0.02])


def test_without_warm_up_it_is_torchs_cosine():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 0.2)
    reference = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10)
    expected = []
    for _ in range(10):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        reference.step()
    assert rates(10, total=10) == pytest.approx(expected)


def test_a_resumed_run_goes_on_where_it_was():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 0.2)
    first = WarmUpCosine(optimizer, 10, 3)
    for _ in range(5):
        optimizer.step()
        first.step()
    again = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 0.2)
    second = WarmUpCosine(again, 10, 3)
    again.load_state_dict(optimizer.state_dict())
    second.load_state_dict(first.state_dict())
    again.step()
    second.step()
    assert again.param_groups[0]["lr"] == pytest.approx(rates(7, total=10, warm_up=3)[6])


def test_a_resumed_run_goes_the_way_of_its_own_length():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 0.2)
    short, long = WarmUpCosine(optimizer, 10, 3), WarmUpCosine(optimizer, None, 3)
    long.last_until(20)
    long.load_state_dict(short.state_dict())
    assert long.total == 20


def test_a_run_shorter_than_the_warm_up_ends_within_it():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 0.2)
    scheduler = WarmUpCosine(optimizer, warm_up=4)
    scheduler.last_until(2)
    for expected in (0.08, 0.12):
        optimizer.step()
        scheduler.step()
        assert optimizer.param_groups[0]["lr"] == pytest.approx(expected)


def test_a_given_total_stays():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 0.2)
    scheduler = WarmUpCosine(optimizer, 10)
    scheduler.last_until(20)
    assert scheduler.total == 10


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"total": 5, "warm_up": 5}, "warm_up is 5 and total 5"),
        ({"total": 5, "warm_up": -1}, "warm_up is -1"),
        ({"total": 5, "lowest": 1.5}, "lowest is 1.5"),
    ],
)
def test_no_way_down_is_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        rates(1, **arguments)

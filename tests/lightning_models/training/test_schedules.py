"""Schedules of weights against values worked out by hand."""

import pytest

from datamodules.errors import InputError
from lightning_models.training.schedules import Cyclical, HoldThenLinear, WarmUp


@pytest.mark.parametrize(
    ("schedule", "points"),
    [
        (WarmUp(2.0, 4), {0: 0, 1: 0.5, 2.5: 1.25, 4: 2, 100: 2}),
        (HoldThenLinear(0.1, 10, 1.1, 20), {0: 0.1, 10: 0.1, 15: 0.6, 20: 1.1, 50: 1.1}),
        (HoldThenLinear(1.0, 0, 0.0, 2), {0: 1.0, 1: 0.5, 3: 0.0}),
        (Cyclical(1.0, 10, 0.5), {0: 0, 2.5: 0.5, 5: 1, 9.9: 1, 10: 0, 12.5: 0.5, 37: 1}),
    ],
)
def test_schedules(schedule, points):
    for epochs, weight in points.items():
        assert schedule(epochs) == pytest.approx(weight)


@pytest.mark.parametrize(
    "make",
    [
        lambda: WarmUp(-1.0, 2),
        lambda: WarmUp(float("nan"), 2),
        lambda: WarmUp(1.0, 0),
        lambda: HoldThenLinear(0.0, 5, 1.0, 5),
        lambda: HoldThenLinear(0.0, -1, 1.0, 5),
        lambda: Cyclical(1.0, -2),
        lambda: Cyclical(1.0, 2, 0.0),
        lambda: Cyclical(1.0, 2, 1.5),
    ],
)
def test_impossible_schedules_are_refused(make):
    with pytest.raises(InputError, match="give a number"):
        make()

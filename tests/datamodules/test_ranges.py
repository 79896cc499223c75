"""Numbers outside their range, and what is no number, are refused by name."""

import math

import pytest

from datamodules.errors import InputError
from datamodules.ranges import above_zero, at_least_zero, check_range, height_and_width


@pytest.mark.parametrize("value", [1, 64, 100])
def test_numbers_within_the_range_pass(value):
    check_range("data.batch_size", value, 1, 100)
    check_range("data.share", value / 100, 0.01, 1.0)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "null"),
        (True, "true"),
        (0, "0"),
        (-3, "-3"),
        (101, "101"),
        pytest.param(10**5000, "a number of 5001 digits", id="huge"),
        (float("nan"), "nan"),
        (2.5, r"2\.5"),
        ("8", "'8'"),
        ([8], r"\[8\]"),
    ],
)
def test_everything_else_is_named(value, shown):
    with pytest.raises(InputError, match=rf"^data\.batch_size: is {shown}, must be from 1 to 100 and whole$"):
        check_range("data.batch_size", value, 1, 100)


def test_a_bound_by_another_setting_is_explained():
    with pytest.raises(InputError, match=r"^data\.stride: is 9, must be from 1 to 8 and whole: a window has 8 frames$"):
        check_range("data.stride", 9, 1, 8, "a window has 8 frames")


@pytest.mark.parametrize("value", [None, False, float("nan"), float("inf"), -0.1, 0.91, "0.5"])
def test_shares_are_checked_alike(value):
    with pytest.raises(InputError, match=r"^data\.share: is .*, must be from 0 to 0\.9$"):
        check_range("data.share", value, 0.0, 0.9)


def test_a_size_is_one_number_or_two():
    assert height_and_width("data.image_size", 64, 8, 4096) == (64, 64)
    assert height_and_width("data.image_size", [64, 96], 8, 4096) == (64, 96)
    for size in (None, 7, (64, 7), (64, None), True):
        with pytest.raises(InputError, match=r"^data\.image_size: is .*, must be from 8 to 4096 and whole$"):
            height_and_width("data.image_size", size, 8, 4096)
    with pytest.raises(InputError, match=r"data\.image_size: is \[64\], must be one number, or height and width"):
        height_and_width("data.image_size", [64], 8, 4096)


@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0, None, True, "3"])
def test_what_is_no_finite_number_of_at_least_zero_is_refused(value):
    with pytest.raises(InputError, match=r"width is .*: give a number of at least 0"):
        at_least_zero("width", value)
    with pytest.raises(InputError, match=r"width is .*: give a number above 0"):
        above_zero("width", value)


def test_zero_is_at_least_zero_and_not_above():
    assert (at_least_zero("width", 0), above_zero("width", 0.5)) == (0, 0.5)
    with pytest.raises(InputError, match="width is 0: give a number above 0"):
        above_zero("width", 0)

import pytest

from callbacks.figures import clock, duration, figure, several


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.94012345678, "0.9401"),
        (-0.00001, "-1.0e-05"),
        (-0.0, "0.0000"),
        (3.14e-7, "3.1e-07"),
        (23.4249, "23.42"),
        (1590.0, "1,590"),
        (12345.6, "12,346"),
        (1.0, "1.0000"),
        (float("nan"), "nan"),
        (1e300, "1e+300"),
        (123456789012345678, "1.235e+17"),
    ],
)
def test_figures_have_the_digits_that_are_read(value, shown):
    assert figure(value) == shown


def test_durations_clocks_and_counts():
    assert [duration(t) for t in (0.44, 41.4, 59.6, 372, 7500)] == [
        "0.4 s",
        "41 s",
        "1 min 00 s",
        "6 min 12 s",
        "2 h 05 min",
    ]
    assert [clock(t) for t in (4.9, 64, 3723)] == ["0:04", "1:04", "1:02:03"]
    assert [several(1, "event"), several(1200, "event"), several(2, "batch", "batches")] == [
        "1 event",
        "1,200 events",
        "2 batches",
    ]

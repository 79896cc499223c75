import numpy as np

from fulgurite.pages.thin import MOST_POINTS, thinned


def test_a_long_line_keeps_its_peaks_and_only_points_of_its_own():
    rng = np.random.default_rng(0)
    y = rng.normal(size=123_457)
    y[[77, 60_001, 123_456]] = 50, -40, 60
    x, thin = thinned(np.arange(len(y)), y)
    assert len(thin) <= MOST_POINTS
    assert {50, -40, 60} <= set(thin)
    assert (np.diff(x) > 0).all()
    assert (y[x.astype(int)] == thin).all()
    short = thinned([0, 1], [3, 4])
    assert [list(part) for part in short] == [[0, 1], [3, 4]]


def test_every_part_of_a_thinned_line_has_its_lowest_and_highest():
    y = np.sin(np.arange(10_000)) * np.arange(10_000)
    x, thin = thinned(np.arange(10_000), y, most=100)
    for begin in range(0, 10_000, 200):
        inside = thin[(x >= begin) & (x < begin + 200)]
        assert inside.min() == y[begin : begin + 200].min()
        assert inside.max() == y[begin : begin + 200].max()

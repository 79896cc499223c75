"""Training defects change some of a tile, each kind in its way, and are functions of their random numbers."""

import numpy as np
import pytest

from datamodules.parts import training_defects
from datamodules.parts.training_defects import falsified

SIZE = 64
KINDS = dict(zip(("cloth", "noise", "yarn", "seam"), training_defects._KINDS, strict=True))


def tile(seed=0, channels=1, period=7):
    random = np.random.default_rng(seed)
    row, column = np.mgrid[:SIZE, :SIZE]
    weave = 120 + 25 * np.sin(2 * np.pi * column / period) * np.sin(2 * np.pi * row / 6)
    return (weave + random.normal(0, 3, (channels, SIZE, SIZE))).clip(0, 255).astype(np.uint8)


def made(seed, kind=None, channels=1, monkeypatch=None):
    if kind is not None:
        monkeypatch.setattr(training_defects, "_KINDS", (KINDS[kind],))
    return falsified(tile(0, channels), tile(1, channels, 4), np.random.default_rng(seed))


@pytest.mark.parametrize("channels", [1, 3])
def test_some_of_a_tile_is_changed_and_the_tile_itself_stays(channels):
    before = tile(0, channels)
    kept = before.copy()
    shares = []
    for seed in range(30):
        after = falsified(before, tile(1, channels, 4), np.random.default_rng(seed))
        assert after.shape == before.shape
        assert after.dtype == np.uint8
        shares.append((np.abs(after.astype(int) - before) > 12).any(axis=0).mean())
    assert (before == kept).all()
    assert 0.01 < np.mean(shares) < 0.4
    assert np.mean(np.array(shares) > 0) > 0.7


def test_defects_are_a_function_of_the_random_numbers():
    assert (made(1) == made(1)).all()
    assert (made(1) != made(2)).any()


@pytest.mark.parametrize("kind", ["cloth", "noise"])
def test_regions_leave_the_rest_untouched(kind, monkeypatch):
    untouched = [(made(seed, kind, monkeypatch=monkeypatch) == tile()).mean() for seed in range(10)]
    assert np.median(untouched) > 0.4


@pytest.mark.parametrize("kind", ["yarn", "seam"])
def test_lines_run_along_rows_or_columns(kind, monkeypatch):
    """What is changed most fills a few columns, or rows, and few of the others."""
    for seed in range(8):
        monkeypatch.setattr(training_defects, "MOST", 1)
        changed = np.abs(made(seed, kind, monkeypatch=monkeypatch).astype(int) - tile())[0]
        along = max((changed.mean(axis).max() / (changed.mean() + 1) for axis in (0, 1)), default=0)
        assert along > 1.5


def test_a_seam_makes_the_cloth_narrower(monkeypatch):
    """Beside it the cloth has moved together, up to the edges of the tile a little."""
    ramp = np.broadcast_to(np.arange(SIZE, dtype=np.uint8) * 3, (1, SIZE, SIZE)).copy()
    monkeypatch.setattr(training_defects, "_KINDS", (KINDS["seam"],))
    monkeypatch.setattr(training_defects, "MOST", 1)
    jumps = []
    for seed in range(20):
        after = falsified(ramp, ramp, np.random.default_rng(seed)).astype(int)[0]
        jumps.append(np.diff(after, axis=1).max())
    assert max(jumps) > 3 * 4  # columns are absent

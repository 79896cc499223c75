import tracemalloc

import numpy as np
import pytest

from callbacks.extremes import Extremes


@pytest.mark.parametrize("seed", range(5))
def test_what_stays_is_what_one_finds_who_has_them_all(seed):
    random = np.random.default_rng(seed)
    offered = [(int(random.integers(9)), number, float(random.integers(12))) for number in range(80)]
    best = {}
    for group, key, value in offered:
        best[group] = min(best.get(group, (0.0, 10**9)), (-value, key))
    expected = sorted(best.values())[:4]
    for order in (range(80), reversed(range(80)), random.permutation(80)):
        extremes = Extremes(4)
        for group, key, value in (offered[row] for row in order):
            extremes.offer(value, group, key, lambda key=key: f"item {key}")
        kept = extremes.gather()
        assert [(-one.value, one.key) for one in kept] == expected
        assert [one.item for one in kept] == [f"item {key}" for _, key in expected]


def test_an_item_is_made_only_when_it_is_kept():
    made = []
    extremes = Extremes(2)
    for value in (5, 4, 3, 2, 6):
        extremes.offer(value, value, value, lambda value=value: made.append(value))
    assert made == [5, 4, 6]


def test_what_is_held_does_not_grow_with_what_passes():
    def held(count):
        extremes = Extremes(3)
        tracemalloc.start()
        for value in range(count):  # each beats all before it
            extremes.offer(value, value, value, lambda: np.zeros(10_000))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    assert held(1000) < 1.1 * held(20)


def test_several_processes_keep_what_one_would(monkeypatch):
    """What comes twice, since a sampler filled up its last batch, counts once."""
    parts = [Extremes(3) for _ in range(2)]
    for rank, values in enumerate(([1, 5, 7], [2, 6, 5])):
        for value in values:
            parts[rank].offer(value, value, value, lambda value=value, rank=rank: f"{value} of {rank}")
    held = [[*part._kept.values()] for part in parts]
    monkeypatch.setattr("callbacks.extremes.gather_objects", lambda own: held)
    assert [one.item for one in parts[0].gather()] == ["7 of 0", "6 of 1", "5 of 0"]
    assert [one.item for one in parts[1].gather()] == ["7 of 0", "6 of 1", "5 of 0"]

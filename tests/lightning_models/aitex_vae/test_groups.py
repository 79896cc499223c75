"""Statistics of normal tiles by group, against NumPy and SciPy."""

import numpy as np
import pytest
import scipy.spatial.distance
import torch

from lightning_models.aitex_vae.groups import GroupGaussian, GroupScale


def values(count=40, channels=3, seed=0):
    random = torch.Generator().manual_seed(seed)
    mixed = torch.randn(count, channels, generator=random) @ torch.randn(channels, channels, generator=random)
    return 5 * mixed + torch.arange(channels)


GROUPS = ["b"] * 25 + ["a"] * 15


def test_every_group_has_its_own_level_and_strangers_that_of_all():
    scale = GroupScale(3)
    scale.fit(values(), GROUPS)
    rows = values().numpy()
    assert scale.groups[1:] == ["a", "b"]
    for group, own in (("a", rows[25:]), ("b", rows[:25]), ("stranger", rows)):
        expected = (rows - own.mean(0)) / own.std(0, ddof=1)
        found = torch.stack([scale(row, group) for row in values()])
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-3, atol=1e-4)


def test_maps_are_scaled_channel_by_channel():
    scale = GroupScale(3)
    scale.fit(values(), GROUPS)
    maps = torch.rand(3, 5, 4)
    torch.testing.assert_close(scale(maps, "a")[:, 2, 1], scale(maps[:, 2, 1], "a"))


def test_mahalanobis_distance_against_scipy():
    gaussian = GroupGaussian(3)
    gaussian.fit(values(), GROUPS)
    rows = values(seed=3)
    own = values().numpy()[:25]
    inverse = np.linalg.inv(np.cov(own.T))
    expected = [scipy.spatial.distance.mahalanobis(row, own.mean(0), inverse) for row in rows.numpy()]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        np.testing.assert_allclose(gaussian(rows, "b").numpy(), expected, rtol=1e-3)


def test_a_direction_without_variation_does_not_break_the_distance():
    gaussian = GroupGaussian(4)
    rows = values()
    doubled = torch.cat([rows, rows[:, :1]], 1)  # the last channel repeats the first
    gaussian.fit(doubled, GROUPS)
    plain = GroupGaussian(3)
    plain.fit(rows, GROUPS)
    torch.testing.assert_close(gaussian(doubled, "a"), plain(rows, "a"), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("kind", [GroupScale, GroupGaussian])
def test_statistics_travel_as_a_state(kind):
    fitted, restored = kind(3), kind(3)
    fitted.fit(values(), GROUPS)
    restored.regroup(fitted.groups[1:])
    restored.load_state_dict(fitted.state_dict())
    torch.testing.assert_close(restored(values(), "b"), fitted(values(), "b")) if kind is GroupGaussian else None
    torch.testing.assert_close(restored(values()[0], "b"), fitted(values()[0], "b")) if kind is GroupScale else None


def test_before_the_fit_nothing_is_known():
    scale = GroupScale(3)
    assert scale(torch.ones(3), "a").isnan().all()


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_values_that_are_not_finite_are_refused(bad):
    rows = values()
    rows[3, 1] = bad
    with pytest.raises(ValueError, match="not finite"):
        GroupScale(3).fit(rows, GROUPS)


def test_a_single_tile_is_no_group():
    with pytest.raises(ValueError, match="at least two normal tiles of group 'c'"):
        GroupScale(3).fit(values(), [*GROUPS[1:], "c"])

from itertools import pairwise

import numpy as np
import pytest
from scipy import ndimage
from sklearn import metrics

from callbacks.parts.aupro import aupro, overlap_curve
from callbacks.parts.regions import find_regions
from callbacks.pixel_counts import add_counts, count_pixels, pixel_auroc


def counts_of(pictures):
    parts = []
    for heat, mask in pictures:
        region, size = find_regions(mask)
        parts.append(count_pixels(heat.ravel(), mask.ravel(), region.ravel(), size))
    return add_counts(parts)


def make_pictures(rng, levels=None, count=3, size=(20, 30)):
    """Heat maps with some blobs as masks, one of one pixel; the last picture is faultless."""
    pictures = []
    for number in range(count):
        mask = np.zeros(size, bool)
        if number < count - 1:
            mask[2:5, 3:9] = mask[5, 9] = True  # the last touches by a corner
            mask[10:18, 20:22] = True
            mask[15, 4] = True
        heat = rng.normal(size=size) + 1.5 * ndimage.gaussian_filter(mask.astype(float), 1.0)
        if levels:
            heat = np.round(heat * levels) / levels
        pictures.append((heat.astype(np.float32), mask))
    return pictures


def flood(mask):
    """The regions of a mask by hand: sets of pixels that touch, also by a corner."""
    left, regions = {tuple(place) for place in np.argwhere(mask).tolist()}, []
    while left:
        front = [left.pop()]
        region = set(front)
        while front:
            row, column = front.pop()
            near = {(row + down, column + right) for down in (-1, 0, 1) for right in (-1, 0, 1)} & left
            left -= near
            region |= near
            front += near
        regions.append(region)
    return regions


def brute_force(pictures, limit):
    """The definition: at every score the mean share of each region, and the share of clean pixels, that is found."""
    regions = [np.array([heat[place] for place in region]) for heat, mask in pictures for region in flood(mask)]
    clean = np.concatenate([heat[~mask] for heat, mask in pictures])
    points = [(0.0, 0.0)]
    for threshold in sorted({float(value) for heat, _ in pictures for value in heat.ravel()}, reverse=True):
        overlap = float(np.mean([np.mean(region >= threshold) for region in regions]))
        points.append((float(np.mean(clean >= threshold)), overlap))
    area = 0.0
    for (before, low), (after, high) in pairwise(points):
        if before >= limit:
            break
        if after > limit:
            after, high = limit, low + (high - low) * (limit - before) / (after - before)
        area += (after - before) * (low + high) / 2
    return area / limit


@pytest.mark.parametrize("limit", [0.05, 0.3, 1.0])
@pytest.mark.parametrize("levels", [2, None])
def test_equals_the_definition(limit, levels):
    pictures = make_pictures(np.random.default_rng(0), levels)
    area, bound = aupro(counts_of(pictures), limit)
    expected = brute_force(pictures, limit)
    assert 0.05 < expected < 0.95
    assert abs(area - expected) <= bound + 1e-12
    if levels:  # halves have exact steps of their own; the bound speaks of ties too
        assert area == pytest.approx(expected, abs=1e-12)
    else:
        assert bound < 1e-3


def test_one_region_of_all_pixels_is_the_roc_curve():
    """Where there is one region the overlap is the true-positive rate; scikit-learn knows that area."""
    rng = np.random.default_rng(1)
    mask = np.zeros((40, 40), bool)
    mask[10:20, 5:30] = True
    heat = (rng.integers(0, 64, mask.shape) + 20 * mask).astype(np.float32)
    false, found, _ = metrics.roc_curve(mask.ravel(), heat.ravel(), drop_intermediate=False)
    curve = overlap_curve(counts_of([(heat, mask)]))
    np.testing.assert_allclose(curve, (false, found), atol=1e-12)
    assert aupro(counts_of([(heat, mask)]), 1.0)[0] == pytest.approx(metrics.roc_auc_score(mask.ravel(), heat.ravel()))


def test_small_regions_count_as_much_as_large_ones():
    mask = np.zeros((10, 10), bool)
    mask[0, 0] = True
    mask[4:, 4:] = True
    heat = np.zeros((10, 10), np.float32)
    heat[0, 0] = 1  # only the single pixel is found
    assert aupro(counts_of([(heat, mask)]))[0] == pytest.approx(0.5 + 0.5 * 0.15)  # then a line to (1, 1)
    assert aupro(counts_of([(mask.astype(np.float32), mask)]))[0] == 1.0


def test_a_jump_at_the_limit_is_left_out():
    mask = np.zeros((1, 14), bool)
    mask[0, 10:] = True
    heat = np.arange(14, 0, -1, dtype=np.float32)[None]  # ten clean pixels first: three of them are a rate of 0.3
    heat[0, 10:] = 11.5  # between the third and the fourth clean one
    assert aupro(counts_of([(heat, mask)]))[0] == 0.0


def test_pixel_auroc_equals_scikit_learn_within_its_bound():
    rng = np.random.default_rng(2)
    for scale, shift in [(1, 0), (1e-6, 0), (1e6, 0), (1, 100), (1e-3, -5)]:
        pictures = [((heat * scale + shift).astype(np.float32), mask) for heat, mask in make_pictures(rng, count=4)]
        heat = np.concatenate([heat.ravel() for heat, _ in pictures])
        mask = np.concatenate([mask.ravel() for _, mask in pictures])
        area, bound = pixel_auroc(counts_of(pictures))
        assert abs(area - metrics.roc_auc_score(mask, heat)) <= bound + 1e-12
        assert bound < (0.15 if shift == -5 else 2e-3)
    heat = rng.integers(-8, 9, 4000).astype(np.float32)
    mask = rng.random(4000) < 0.1
    area, _ = pixel_auroc(counts_of([(heat[None], mask[None])]))
    assert area == pytest.approx(metrics.roc_auc_score(mask, heat), abs=1e-12)  # whole numbers are steps of their own


def test_the_order_of_floats_is_kept_whatever_their_sign_and_size():
    values = np.array([-3e38, -1.0, -1e-30, 0.0, 1e-40, 1e-30, 1.0, 3e38], np.float32)
    mask = np.arange(8) % 2 == 0
    region, size = find_regions(mask[None])
    counts = count_pixels(values, mask, region.ravel(), size)
    assert counts.defective.tolist() == [1, 0] * 4
    both = add_counts(
        [count_pixels(np.array([zero], np.float32), np.array([False]), np.array([0]), size) for zero in (0.0, -0.0)]
    )
    assert both.clean.tolist() == [2]


def test_without_both_classes_there_is_no_value():
    empty, full = np.zeros((4, 4), bool), np.ones((4, 4), bool)
    heat = np.arange(16, dtype=np.float32).reshape(4, 4)
    for pictures in ([], [(heat, empty)], [(heat, full)], [(heat[:, :0], empty[:, :0])]):
        assert aupro(counts_of(pictures)) is pixel_auroc(counts_of(pictures)) is None
